// A panel of the step player: one strategy, its figures, its grids, and a sentence on the step.

const FOLLOW = -1; // instead of a group's number: the group that the step works on
const CLOSE_UP = 24; // cells a side that a close-up shows at least
const number = new Intl.NumberFormat("en").format;

/** One strategy: its figures, its grids, and a sentence on the step. */
class Panel {
  constructor(root, replay, label) {
    this.root = root;
    this.replay = replay;
    this.label = label;
    const grid = (name, rows, columns) =>
      new Grid(root.querySelector(`canvas[data-grid=${name}]`), rows, columns);
    this.grids = {
      input: grid("input", replay.height, replay.width),
      loads: grid("loads", replay.height, replay.width),
      output: grid("output", replay.outHeight, replay.outWidth),
      kernels: grid("kernels", replay.kernelGroups, replay.channelGroups),
    };
    this.most = replay.totalLoads.reduce((most, loads) => Math.max(most, loads), 1);
    this.q = this.n = 0;
    this.states = { // of the cells that the grids show
      input: new Uint8Array(replay.inPlane),
      output: new Uint8Array(replay.outPlane),
      kernels: new Uint8Array(replay.kernelGroups * replay.channelGroups),
    };
    for (const name in this.grids) {
      const { canvas } = this.grids[name];
      canvas.addEventListener("pointermove", (event) => this.point(name, event));
      canvas.addEventListener("pointerleave", () => this.say(""));
    }
  }

  show(step, options, palette) {
    this.replay.go(step);
    this.choose(options);
    this.findStates();
    this.look(options.close);
    this.paint(palette);
    this.write();
  }

  /** Which channel group and kernel group the grids show. */
  choose({ q, n }) {
    const { replay } = this, step = replay.step;
    const of = (index, ...names) => {
      let found = null;
      for (const [name, place] of names) {
        replay.eachBox(name, step, (boxes, at) => { found ??= boxes[at + place]; });
      }
      return found ?? this[index];
    };
    this.q = q === FOLLOW ? of("q", ["load_pixels", 0], ["compute", 1], ["free_pixels", 0]) : q;
    this.n = n === FOLLOW ? of("n", ["compute", 0], ["write_outputs", 0]) : n;
    this.q = Math.min(this.q, replay.channelGroups - 1);
    this.n = Math.min(this.n, replay.kernelGroups - 1);
  }

  findStates() {
    this.findInput();
    this.findOutput();
    this.findKernels();
  }

  findInput() {
    const { replay, states: { input } } = this, first = this.q * replay.inPlane;
    const { used } = replay.arrays, { pixelOn, pixelLoads, step } = replay;
    for (let cell = 0; cell < input.length; cell++) {
      const at = first + cell;
      input[cell] = !used[cell] ? IN.unused
        : pixelOn[at] ? IN.kept
        : pixelLoads[at] ? IN.gone : IN.never;
    }
    const here = (visit) => (at) => {
      if (at >= first && at < first + replay.inPlane) visit(at - first, at);
    };
    replay.eachBlock("free_pixels", step, here((cell) => { input[cell] = IN.freed; }));
    replay.eachBlock("load_pixels", step, here((cell, at) => {
      input[cell] = pixelLoads[at] > 1 ? IN.again : IN.loaded;
    }));
  }

  findOutput() {
    const { replay, states: { output } } = this, first = this.n * replay.outPlane;
    const { outputOn, outputStored, step } = replay, needed = replay.needed[this.n];
    const stored = [OUT.never, OUT.spilled, OUT.stored];
    for (let cell = 0; cell < output.length; cell++) {
      const at = first + cell;
      output[cell] = !outputOn[at] ? stored[outputStored[at]]
        : replay.outputDone[at] === needed ? OUT.kept : OUT.partial;
    }
    const mark = (state) => (at) => {
      if (at >= first && at < first + replay.outPlane) output[at - first] = state;
    };
    replay.eachBlock("write_outputs", step, mark(OUT.left));
    replay.eachBlock("write_partial_sums", step, mark(OUT.left));
    replay.eachOperation("compute", step, mark(OUT.computed));
  }

  findKernels() {
    const { replay, states: { kernels } } = this, { step, kernelOn, kernelLoads } = replay;
    const { pairs } = replay.arrays;
    for (let k = 0; k < kernels.length; k++) {
      kernels[k] = !pairs[k] ? IN.unused
        : kernelOn[k] ? IN.kept
        : kernelLoads[k] ? IN.gone : IN.never;
    }
    replay.eachKernel("free_kernels", step, (k) => { kernels[k] = IN.freed; });
    replay.eachKernel("load_kernels", step, (k) => {
      kernels[k] = kernelLoads[k] > 1 ? IN.again : IN.loaded;
    });
  }

  /** Boxes of output positions computed in this step, and of the inputs that they need. */
  work() {
    const { replay } = this, outputs = [], inputs = [];
    replay.eachBox("compute", replay.step, (boxes, at) => {
      const [n, q, i0, i1, j0, j1] = boxes.slice(at, at + 6);
      if (n === this.n) outputs.push([i0, i1, j0, j1]);
      if (q === this.q) {
        inputs.push([...replay.inputRange(0, i0, i1), ...replay.inputRange(1, j0, j1)]);
      }
    });
    return { outputs, inputs };
  }

  look(close) {
    const { grids, replay } = this;
    if (!close) {
      for (const name in grids) grids[name].look(null);
      return;
    }
    const { outputs, inputs } = this.work();
    const loads = [];
    replay.eachBox("load_pixels", replay.step, (boxes, at) => {
      if (boxes[at] === this.q) loads.push([...boxes.slice(at + 1, at + 5)]);
    });
    const input = around([...inputs, ...loads]), output = around(outputs);
    if (input) grids.input.look(input, CLOSE_UP);
    if (output) grids.output.look(output, CLOSE_UP);
  }

  paint(palette) {
    const { grids, states, replay } = this, { outputs, inputs } = this.work();
    for (const [name, columns] of [
      ["input", replay.width], ["output", replay.outWidth], ["kernels", replay.channelGroups],
    ]) {
      const cells = states[name], hatches = STATES[name].map((state) => state.hatch);
      grids[name].draw(palette, palette.of(name), (r, c) => cells[r * columns + c], hatches);
    }
    grids.input.frame(palette, inputs);
    grids.output.frame(palette, outputs);
    this.paintLoads(palette);
  }

  paintLoads(palette) {
    const { replay, most } = this, first = this.q * replay.inPlane;
    const loads = (r, c) => replay.pixelLoads[first + r * replay.width + c];
    const shade = (r, c) => heatShade(loads(r, c), most);
    const grid = this.grids.loads;
    grid.draw(palette, palette.heat, shade);
    const dark = palette.css("heat-ink-dark"), light = palette.css("heat-ink-light");
    // What the close-up shows, in the whole.
    if (this.grids.input.window !== this.grids.input.whole) {
      grid.frame(palette, [this.grids.input.window]);
    }
    grid.write((r, c) => loads(r, c) || "", (r, c) => (shade(r, c) > 3 ? light : dark));
  }

  write() {
    const { replay, root } = this, figures = replay.figures();
    const set = (name, text) => {
      root.querySelector(`[data-figure=${name}]`).textContent = text;
    };
    set("step", `${number(replay.step)} of ${number(replay.steps)}`);
    for (const name of ["on_chip", "loaded", "written", "freed", "macs"]) {
      set(name, number(figures[name]));
    }
    set("cycles", figures.cycles);
    set("elapsed", number(figures.elapsed));
    set("groups", this.groups());
    root.querySelectorAll(".meter span").forEach((bar, kind) => {
      bar.style.width = `${(100 * figures.held[kind]) / Math.max(replay.memory, figures.on_chip)}%`;
    });
    root.querySelectorAll("[data-lane]").forEach((bar) => {
      bar.style.width = `${100 * replay.share(bar.dataset.lane)}%`;
    });
    root.querySelector(".sentence").textContent = this.sentence();
  }

  groups() {
    const { replay } = this, parts = [];
    const span = ([start, stop]) => (stop - start > 1 ? `${start}–${stop - 1}` : `${start}`);
    if (replay.channelGroups > 1) {
      parts.push(`input: channel group ${this.q} (channels ${span(replay.channelSpans[this.q])})`);
    }
    if (replay.kernelGroups > 1) {
      parts.push(`output: kernel group ${this.n} (kernels ${span(replay.kernelSpans[this.n])})`);
    }
    return parts.join("; ");
  }

  /** What the step does, in words. */
  sentence() {
    const { replay } = this, step = replay.step;
    const count = (name) => {
      let blocks = 0;
      replay.eachBox(name, step, (b, at) => {
        const size = BOX_SIZES[name];
        blocks += size === 2 ? 1
          : (b[at + size - 3] - b[at + size - 4]) * (b[at + size - 1] - b[at + size - 2]);
      });
      return blocks;
    };
    let again = 0;
    replay.eachBlock("load_pixels", step, (cell) => { again += replay.pixelLoads[cell] > 1; });
    const blocks = (name, word) => plural(count(name), word);
    const parts = [
      ["frees", [blocks("free_pixels", "pixel"), blocks("free_kernels", "kernel block")]],
      ["writes", [blocks("write_outputs", "output"), blocks("write_partial_sums", "partial sum")]],
      ["loads", [
        blocks("load_pixels", "pixel") + (again ? ` (${number(again)} again)` : ""),
        blocks("load_kernels", "kernel block"), blocks("load_partial_sums", "partial sum"),
      ]],
      ["computes", [blocks("compute", "operation")]],
    ];
    const said = parts
      .map(([verb, things]) => [verb, things.filter(Boolean)])
      .filter(([, things]) => things.length)
      .map(([verb, things]) => `${verb} ${things.join(" and ")}`);
    return `Step ${number(step)} ${said.join(", ") || "does nothing"}.`;
  }

  point(name, event) {
    const cell = this.grids[name].cellAt(event);
    this.say(cell ? this.describe(name, ...cell) : "");
  }

  describe(name, row, column) {
    const { replay, states } = this;
    if (name === "kernels") {
      const at = row * replay.channelGroups + column;
      const bytes = number(replay.kernelBytes[row][column]);
      const state = STATES.kernels[states.kernels[at]].label;
      return `kernel(${row}, ${column}): ${state}; ${bytes} bytes; ` +
        `loads so far: ${replay.kernelLoads[at]}`;
    }
    if (name === "output") {
      const cell = row * replay.outWidth + column;
      const done = replay.outputDone[this.n * replay.outPlane + cell];
      return `output(${row}, ${column}, ${this.n}): ${STATES.output[states.output[cell]].label}; ` +
        `${done} of ${replay.needed[this.n]} operations`;
    }
    const cell = row * replay.width + column, at = this.q * replay.inPlane + cell;
    return `pixel(${row}, ${column}, ${this.q}): ${STATES.input[states.input[cell]].label}; ` +
      `loads so far: ${replay.pixelLoads[at]} of ${replay.totalLoads[at]}`;
  }

  say(text) {
    this.root.querySelector(".pointed").textContent = text;
  }
}

function plural(count, word) {
  return count ? `${number(count)} ${word}${count === 1 ? "" : "s"}` : "";
}

function around(boxes) {
  if (!boxes.length) return null;
  const low = (k) => boxes.reduce((least, box) => Math.min(least, box[k]), Infinity);
  const high = (k) => boxes.reduce((most, box) => Math.max(most, box[k]), -Infinity);
  return [low(0), high(1), low(2), high(3)];
}

/** Shade of a number of loads: 0 for none, then from 1 load to the most. */
function heatShade(loads, most) {
  if (!loads) return 0;
  return most <= HEAT_STEPS - 1
    ? Math.round(1 + ((loads - 1) * (HEAT_STEPS - 2)) / Math.max(1, most - 1))
    : 1 + Math.min(HEAT_STEPS - 2, Math.floor(((loads - 1) * (HEAT_STEPS - 1)) / most));
}
