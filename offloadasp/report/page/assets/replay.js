// What is where at every step of a strategy: the lists of actions, done and undone one by one.

const BOX_SIZES = {
  free_pixels: 5, free_kernels: 2, write_outputs: 5, write_partial_sums: 5,
  load_pixels: 5, load_kernels: 2, load_partial_sums: 5, create: 5, compute: 6,
};
const STORED = { nothing: 0, partialSum: 1, output: 2 };

/** One strategy, and the state of the chip at its present step; step 0 is the empty chip. */
class Replay {
  constructor(about, arrays) {
    Object.assign(this, about);
    this.arrays = arrays;
    [this.height, this.width] = about.input;
    [this.outHeight, this.outWidth] = about.output;
    this.inPlane = this.height * this.width;
    this.outPlane = this.outHeight * this.outWidth;
    this.starts = {};
    for (const name in BOX_SIZES) this.starts[name] = sums(arrays[`${name}.count`]);
    const pixels = this.channelGroups * this.inPlane;
    const outputs = this.kernelGroups * this.outPlane;
    const kernels = this.kernelGroups * this.channelGroups;
    this.pixelOn = new Uint8Array(pixels);
    this.pixelLoads = new Uint16Array(pixels);
    this.outputOn = new Uint8Array(outputs);
    this.outputDone = new Uint16Array(outputs); // operations computed on each
    this.outputStored = new Uint8Array(outputs); // what main memory holds of each
    this.kernelOn = new Uint8Array(kernels);
    this.kernelLoads = new Uint16Array(kernels);
    this.totalLoads = this.countLoads();
    this.effects = this.effectsOfLists();
    this.ends = sums(this.cyclesOfSteps());
    this.step = 0;
  }

  cyclesOfSteps() {
    const { load_cycles: load, write_cycles: write, compute_cycles: compute } = this.arrays;
    return Float64Array.from(load, (cycles, t) => cycles + write[t] + compute[t]);
  }

  /** Loads of every pixel block in the whole strategy. */
  countLoads() {
    const loads = new Uint16Array(this.pixelLoads.length);
    const boxes = this.arrays["load_pixels.boxes"];
    for (let at = 0; at < boxes.length; at += 5) {
      eachCell(boxes, at, this.height, this.width, (cell) => loads[cell]++);
    }
    return loads;
  }

  /** Call visit(boxes, at) for every box of a list in a step; its numbers begin at boxes[at]. */
  eachBox(name, step, visit) {
    if (step < 1) return;
    const boxes = this.arrays[`${name}.boxes`];
    const [from, to] = [this.starts[name][step - 1], this.starts[name][step]];
    for (let box = from; box < to; box++) visit(boxes, box * BOX_SIZES[name]);
  }

  /** Call visit(cell) for every pixel block (or output block) of a list in a step. */
  eachBlock(name, step, visit) {
    const input = name.endsWith("pixels");
    const [rows, columns] = input ? [this.height, this.width] : [this.outHeight, this.outWidth];
    this.eachBox(name, step, (boxes, at) => eachCell(boxes, at, rows, columns, visit));
  }

  /** Call visit(index) for every kernel block of a list in a step. */
  eachKernel(name, step, visit) {
    this.eachBox(name, step, (boxes, at) => visit(boxes[at] * this.channelGroups + boxes[at + 1]));
  }

  /** Call visit(cell) for the output block of every operation of a step. */
  eachOperation(name, step, visit) {
    const [rows, columns] = [this.outHeight, this.outWidth];
    // A box (n, q, i0, i1, j0, j1) touches the outputs of the box (n, i0, i1, j0, j1).
    const box = [0, 0, 0, 0, 0];
    this.eachBox(name, step, (boxes, at) => {
      box[0] = boxes[at];
      for (let k = 1; k < 5; k++) box[k] = boxes[at + 1 + k];
      eachCell(box, 0, rows, columns, visit);
    });
  }

  /** Go to a step, through all steps between. */
  go(step) {
    const target = Math.max(0, Math.min(step, this.steps));
    while (this.step < target) this.forward(++this.step);
    while (this.step > target) this.back(this.step--);
  }

  forward(t) {
    for (const { name, counts, each, act } of this.effects) {
      if (counts[t - 1]) this[each](name, t, act);
    }
  }

  /** Undo a step: the same actions in the opposite order. */
  back(t) {
    for (let k = this.effects.length - 1; k >= 0; k--) {
      const { name, counts, each, undo } = this.effects[k];
      if (counts[t - 1]) this[each](name, t, undo);
    }
  }

  /** What each list of actions does to a block, and how that is undone; in a step's order. */
  effectsOfLists() {
    const { pixelOn, pixelLoads, outputOn, outputDone, outputStored, kernelOn, kernelLoads } = this;
    const leave = (stored) => (cell) => { outputOn[cell] = 0; outputStored[cell] = stored; };
    const stay = (cell) => { outputOn[cell] = 1; outputStored[cell] = STORED.nothing; };
    const effects = [
      ["free_pixels", "eachBlock", (k) => { pixelOn[k] = 0; }, (k) => { pixelOn[k] = 1; }],
      ["free_kernels", "eachKernel", (k) => { kernelOn[k] = 0; }, (k) => { kernelOn[k] = 1; }],
      ["write_outputs", "eachBlock", leave(STORED.output), stay],
      ["write_partial_sums", "eachBlock", leave(STORED.partialSum), stay],
      ["load_pixels", "eachBlock",
        (k) => { pixelOn[k] = 1; pixelLoads[k]++; }, (k) => { pixelOn[k] = 0; pixelLoads[k]--; }],
      ["load_kernels", "eachKernel",
        (k) => { kernelOn[k] = 1; kernelLoads[k]++; }, (k) => { kernelOn[k] = 0; kernelLoads[k]--; }],
      ["load_partial_sums", "eachBlock", stay, leave(STORED.partialSum)],
      ["create", "eachBlock", (k) => { outputOn[k] = 1; }, (k) => { outputOn[k] = 0; }],
      ["compute", "eachOperation", (k) => { outputDone[k]++; }, (k) => { outputDone[k]--; }],
    ];
    return effects.map(([name, each, act, undo]) =>
      ({ name, each, act, undo, counts: this.arrays[`${name}.count`] }));
  }

  /** Input rows (axis 0) or columns (1) that a range of output ones needs, padding left out. */
  inputRange(axis, start, stop) {
    const reach = (this.kernel[axis] - 1) * this.dilations[axis] + 1;
    const first = start * this.strides[axis] - this.pads[axis];
    const last = (stop - 1) * this.strides[axis] - this.pads[axis] + reach;
    return [Math.max(0, first), Math.min(this.input[axis], last)];
  }

  /** Figures of a step as the simulator's books have them: bytes, but macs and cycles. */
  figures(step = this.step) {
    const of = (name) => (step < 1 ? 0 : this.arrays[name][step - 1]);
    const held = ["pixels", "kernels", "partial_sums", "outputs"].map((kind) => of(`held_${kind}`));
    return {
      held,
      on_chip: held[0] + held[1] + held[2] + held[3],
      freed: of("freed"),
      loaded: of("pixels_loaded") + of("kernels_loaded") + of("partial_sums_loaded"),
      written: of("outputs_written") + of("partial_sums_written"),
      macs: of("macs"),
      cycles: step < 1 ? "0" : this.cycles[of("cycles_text")],
      elapsed: this.ends[step],
    };
  }

  /** Where transfers overlap: the share of the step's time that an action of a lane takes. */
  share(action) {
    const takes = this.ends[this.step] - this.ends[this.step - 1];
    return this.step && takes ? this.arrays[`lane_${action}_cycles`][this.step - 1] / takes : 0;
  }
}

/** Sums of the first 0, 1, 2, … elements. */
function sums(array) {
  const found = new Float64Array(array.length + 1);
  for (let k = 0; k < array.length; k++) found[k + 1] = found[k] + array[k];
  return found;
}

/** Call visit(index) for every cell of a box (key, r0, r1, c0, c1) in planes of rows × columns. */
function eachCell(boxes, at, rows, columns, visit) {
  const plane = boxes[at] * rows * columns;
  for (let r = boxes[at + 1]; r < boxes[at + 2]; r++) {
    const row = plane + r * columns;
    for (let c = boxes[at + 3]; c < boxes[at + 4]; c++) visit(row + c);
  }
}
