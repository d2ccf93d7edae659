// Grids of cells on a canvas: one colour a state, and a hatching for what happens in this step.

const loadedBlocks = (kept, unused) => [
  { key: "never", label: "not loaded yet" },
  { key: "gone", label: "was on chip before" },
  { key: "kept", label: kept },
  { key: "loaded", label: "loaded now", hatch: "/" },
  { key: "again", label: "loaded again now", hatch: "x" },
  { key: "freed", label: "freed now", hatch: "\\" },
  { key: "unused", label: unused, hatch: "." },
];
const STATES = {
  input: loadedBlocks("kept on chip", "needed by no output"),
  output: [
    { key: "never", label: "not begun" },
    { key: "computed", label: "computed now", hatch: "/" },
    { key: "partial", label: "partial sums held", hatch: "." },
    { key: "kept", label: "complete, held" },
    { key: "left", label: "written now", hatch: "\\" },
    { key: "spilled", label: "partial sums in main memory", hatch: "." },
    { key: "stored", label: "complete, in main memory" },
  ],
  kernels: loadedBlocks("resident", "no such block"),
};
const IN = { never: 0, gone: 1, kept: 2, loaded: 3, again: 4, freed: 5, unused: 6 };
const OUT = { never: 0, computed: 1, partial: 2, kept: 3, left: 4, spilled: 5, stored: 6 };
const HEAT_STEPS = 7; // shades of the heat map, from "never" to "most"
const HATCH_FROM = 4, LINES_FROM = 7, NUMBERS_FROM = 15; // device-independent pixels of a cell
const TALLEST = 440, LARGEST = 44;

/** Colours of the present colour scheme, from the style sheet. */
class Palette {
  constructor() {
    const style = getComputedStyle(document.documentElement);
    this.css = (name) => style.getPropertyValue(`--${name}`).trim();
    this.ink = this.css("mark");
    this.line = this.css("paper");
    this.outline = this.css("ink");
    this.halo = this.css("paper");
    this.heat = Array.from({ length: HEAT_STEPS }, (_, k) => this.css(`heat-${k}`));
    this.patterns = {};
  }

  of(kind) {
    return STATES[kind].map((state) => this.css(`state-${state.key}`));
  }

  pattern(context, hatch, scale) {
    const key = `${hatch}${scale}`;
    this.patterns[key] ??= context.createPattern(hatching(hatch, this.ink, scale), "repeat");
    return this.patterns[key];
  }
}

function hatching(hatch, ink, scale) {
  const size = Math.round(7 * scale), tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const context = tile.getContext("2d");
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 1.3 * scale;
  context.beginPath();
  for (const shift of [-size, 0, size]) {
    if (hatch === "/" || hatch === "x") {
      context.moveTo(shift - 1, size + 1);
      context.lineTo(shift + size + 1, -1);
    }
    if (hatch === "\\" || hatch === "x") {
      context.moveTo(shift - 1, -1);
      context.lineTo(shift + size + 1, size + 1);
    }
  }
  context.stroke();
  if (hatch === ".") {
    context.arc(size / 2, size / 2, 1.3 * scale, 0, 7);
    context.fill();
  }
  return tile;
}

function rgb(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** A grid on a canvas: rows × columns cells, of which a window [r0, r1, c0, c1] is shown. */
class Grid {
  constructor(canvas, rows, columns) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.rows = rows;
    this.columns = columns;
    this.pixels = document.createElement("canvas");
    this.whole = [0, rows, 0, columns];
    this.window = this.whole;
  }

  /** Fill every cell with colours[stateOf(row, column)], and hatch those whose state says so. */
  draw(palette, colours, stateOf, hatches = []) {
    this.fit();
    const [r0, r1, c0, c1] = this.window, [rows, columns] = [r1 - r0, c1 - c0];
    const { context, pixels, size } = this;
    pixels.width = columns;
    pixels.height = rows;
    const small = pixels.getContext("2d"), image = small.createImageData(columns, rows);
    const shades = colours.map(rgb), hatched = [];
    for (let r = r0, at = 0; r < r1; r++) {
      for (let c = c0; c < c1; c++, at += 4) {
        const state = stateOf(r, c), shade = shades[state];
        image.data[at] = shade[0];
        image.data[at + 1] = shade[1];
        image.data[at + 2] = shade[2];
        image.data[at + 3] = 255;
        if (hatches[state]) hatched.push(state, r, c);
      }
    }
    small.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(pixels, 0, 0, this.canvas.width, this.canvas.height);
    if (size >= HATCH_FROM * this.scale) this.hatch(palette, hatched, hatches);
    if (size >= LINES_FROM * this.scale) this.lines(palette.line);
  }

  /** Side of a cell of the window in the page's pixels. */
  cellSize() {
    const [r0, r1, c0, c1] = this.window, width = this.canvas.parentElement.clientWidth;
    return Math.min(width / (c1 - c0), TALLEST / (r1 - r0), LARGEST);
  }

  /** Size the canvas: as wide as its place, cells square. */
  fit() {
    const [r0, r1, c0, c1] = this.window;
    this.scale = window.devicePixelRatio || 1;
    const size = this.cellSize() * this.scale;
    this.size = size >= 2 ? Math.floor(size) : size;
    const [wide, high] = [(c1 - c0) * this.size, (r1 - r0) * this.size].map(Math.ceil);
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
      this.canvas.style.width = `${wide / this.scale}px`;
      this.canvas.style.height = `${high / this.scale}px`;
    }
  }

  hatch(palette, hatched, hatches) {
    const { context, size } = this, [r0, , c0] = this.window;
    for (let k = 0; k < hatched.length; k += 3) {
      context.fillStyle = palette.pattern(context, hatches[hatched[k]], this.scale);
      context.fillRect((hatched[k + 2] - c0) * size, (hatched[k + 1] - r0) * size, size, size);
    }
  }

  lines(colour) {
    const { context, size, canvas } = this;
    context.fillStyle = colour;
    for (let x = 0; x <= canvas.width; x += size) context.fillRect(x, 0, 1, canvas.height);
    for (let y = 0; y <= canvas.height; y += size) context.fillRect(0, y, canvas.width, 1);
  }

  /** Frame boxes [r0, r1, c0, c1]. */
  frame(palette, boxes) {
    const { context, size, scale } = this, [top, , left] = this.window;
    for (const [colour, width] of [[palette.halo, 4], [palette.outline, 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * scale;
      for (const [r0, r1, c0, c1] of boxes) {
        const [x, y] = [(c0 - left) * size, (r0 - top) * size];
        context.strokeRect(x, y, (c1 - c0) * size, (r1 - r0) * size);
      }
    }
  }

  /** Write texts into cells, where they are large enough. */
  write(textOf, colourOf) {
    const { context, size, scale } = this, [r0, r1, c0, c1] = this.window;
    if (size < NUMBERS_FROM * scale) return;
    context.font = `${Math.min(size * 0.55, 14 * scale)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let r = r0; r < r1; r++) {
      for (let c = c0; c < c1; c++) {
        const text = textOf(r, c);
        if (!text) continue;
        context.fillStyle = colourOf(r, c);
        context.fillText(text, (c - c0 + 0.5) * size, (r - r0 + 0.55) * size);
      }
    }
  }

  /** The cell [row, column] under the pointer, or null. */
  cellAt(event) {
    const box = this.canvas.getBoundingClientRect(), [r0, r1, c0, c1] = this.window;
    const row = r0 + Math.floor(((event.clientY - box.top) / box.height) * (r1 - r0));
    const column = c0 + Math.floor(((event.clientX - box.left) / box.width) * (c1 - c0));
    return row >= r0 && row < r1 && column >= c0 && column < c1 ? [row, column] : null;
  }

  /** Show at least `least` cells a side around a box, or everything if there is none. */
  look(box, least) {
    if (!box) {
      this.window = this.whole;
      return;
    }
    const [r0, r1] = widened(box[0], box[1], this.rows, least);
    const [c0, c1] = widened(box[2], box[3], this.columns, least);
    this.window = [r0, r1, c0, c1];
  }
}

function widened(start, stop, limit, least) {
  const size = Math.min(limit, Math.max(least, stop - start + 4));
  const from = Math.max(0, Math.min(limit - size, Math.round((start + stop - size) / 2)));
  return [from, from + size];
}
