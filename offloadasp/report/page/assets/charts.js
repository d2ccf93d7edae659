// The charts, by Plotly; drawn when they come into sight, from the arrays that the player has.

const MOST_POINTS = 4000; // of a curve; longer ones show the highest step of several
const MARGIN = { l: 78, r: 12, t: 40, b: 44 };
// Kinds of data and causes of cycles: colour (a variable of the style sheet) and hatching.
const KINDS = {
  pixels: ["pixels", "kind-pixels", ""],
  kernels: ["kernels", "kind-kernels", "/"],
  partial_sums: ["partial sums", "kind-sums", "."],
  outputs: ["outputs", "kind-outputs", "x"],
};
const MOVED = {
  pixels_loaded: ["pixels loaded", "kind-pixels", ""],
  kernels_loaded: ["kernels loaded", "kind-kernels", "/"],
  partial_sums_loaded: ["partial sums loaded", "kind-sums", "."],
  outputs_written: ["outputs written", "kind-outputs", "x"],
  partial_sums_written: ["partial sums written", "kind-spills", "\\"],
};
const CAUSES = {
  load_cycles: ["load", "kind-pixels", ""],
  write_cycles: ["write", "kind-outputs", "x"],
  compute_cycles: ["compute", "kind-compute", "/"],
};
// Where transfers overlap the compute action, only what a step waits for them counts.
const STALLS = {
  load_cycles: ["waiting for loads", "kind-pixels", ""],
  write_cycles: ["waiting for writes", "kind-outputs", "x"],
  compute_cycles: ["compute", "kind-compute", "/"],
};
const causes = (replay) => (replay.overlap ? STALLS : CAUSES);

const cssValue = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function layout(title, x, y, more = {}) {
  const axis = (text) => ({
    title: { text, standoff: 8 }, gridcolor: cssValue("grid"), zerolinecolor: cssValue("grid"),
    linecolor: cssValue("soft"), automargin: false, rangemode: "tozero",
  });
  return {
    title: { text: title, x: 0, xref: "paper", xanchor: "left", font: { size: 15 }, automargin: false },
    font: { family: "system-ui, sans-serif", size: 12, color: cssValue("ink") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: MARGIN, height: 300,
    xaxis: axis(x), yaxis: { ...axis(y), tickformat: "," }, hovermode: "x unified",
    hoverlabel: { bgcolor: cssValue("panel"), bordercolor: cssValue("soft") },
    legend: { orientation: "h", y: -0.24, x: 0, traceorder: "normal" }, dragmode: "zoom", ...more,
  };
}

const CONFIG = {
  // The mode bar would cover titles where there is no mouse to hide it.
  responsive: true, displayModeBar: false,
};

function draw(place, traces, shape) {
  return Plotly.react(place, traces, shape, CONFIG);
}

/** Steps to show: all of them, or of each run of several the one with the highest total. */
function chosenSteps(columns, steps) {
  const each = Math.ceil(steps / MOST_POINTS), found = [];
  for (let start = 0; start < steps; start += each) {
    let best = start, most = -1;
    for (let t = start; t < Math.min(steps, start + each); t++) {
      const total = columns.reduce((sum, column) => sum + column[t], 0);
      if (total > most) [best, most] = [t, total];
    }
    found.push(best);
  }
  return { found, each };
}

/** Stacked areas over the steps, a trace for each kind that occurs. */
function stacked(replay, table, prefix, unit) {
  const names = Object.keys(table).filter((name) =>
    replay.arrays[prefix + name].some((value) => value > 0));
  const { found, each } = chosenSteps(
    names.map((name) => replay.arrays[prefix + name]), replay.steps);
  const x = found.map((_, k) => k * each + 0.5);
  x.push(replay.steps + 0.5);
  const text = [...found, found.at(-1)].map((t) => `step ${number(t + 1)}`);
  const traces = names.map((name) => {
    const [label, colour, pattern] = table[name], column = replay.arrays[prefix + name];
    const y = found.map((t) => column[t]);
    y.push(y.at(-1));
    return {
      x, y, text, name: label, stackgroup: "one", mode: "lines",
      line: { shape: "hv", width: 1, color: cssValue(colour) },
      fillcolor: cssValue(colour),
      fillpattern: {
        shape: pattern, bgcolor: cssValue(colour), fgcolor: cssValue("faint-mark"),
        size: 9, solidity: 0.12, fgopacity: 1,
      },
      hovertemplate: `%{y:,} ${unit}`,
    };
  });
  return { traces, note: each > 1 ? ` (the highest of every ${each} steps)` : "" };
}

function stepLayout(replay, title, unit, more = {}) {
  const shape = layout(title, "step", unit, more);
  shape.xaxis.range = [0.5, replay.steps + 0.5];
  shape.xaxis.unifiedhovertitle = { text: "%{text}" };
  return shape;
}

const CHARTS = {
  memory(place, { replay }) {
    const { traces, note } = stacked(replay, KINDS, "held_", "bytes");
    const capacity = {
      type: "line", xref: "paper", x0: 0, x1: 1, y0: replay.memory, y1: replay.memory,
      line: { color: cssValue("alarm"), width: 2, dash: "dash" },
    };
    const label = {
      xref: "paper", x: 1, y: replay.memory, yanchor: "bottom", xanchor: "right",
      showarrow: false, text: `capacity ${number(replay.memory)} bytes`,
      font: { color: cssValue("alarm") },
    };
    const shape = stepLayout(replay, `On chip at the peak of each step${note}`, "bytes",
      { shapes: [capacity], annotations: [label] });
    shape.yaxis.range = [0, Math.max(replay.memory, ...totals(traces)) * 1.12];
    return draw(place, traces, shape);
  },
  bytes(place, { replay }) {
    const { traces, note } = stacked(replay, MOVED, "", "bytes");
    return draw(place, traces, stepLayout(replay, `Bytes moved in each step${note}`, "bytes"));
  },
  cycles(place, { replay }) {
    const { traces, note } = stacked(replay, causes(replay), "", "cycles");
    return draw(place, traces, stepLayout(replay, `Cycles of each step${note}`, "cycles"));
  },
  reloads(place, { replay }) {
    const counts = [];
    replay.totalLoads.forEach((loads) => {
      if (loads) counts[loads] = (counts[loads] ?? 0) + 1;
    });
    const x = Object.keys(counts).map(Number), y = x.map((loads) => counts[loads]);
    // One trace for blocks loaded once, one for the others: a trace has one colour and hatching.
    const bars = (chosen, colour, pattern) => ({
      type: "bar", x: x.filter(chosen), y: x.filter(chosen).map((loads) => counts[loads]),
      texttemplate: "%{y:,}", textposition: "outside", cliponaxis: false, showlegend: false,
      marker: {
        color: cssValue(colour),
        pattern: { shape: pattern, bgcolor: cssValue(colour), fgcolor: cssValue("faint-mark"),
          size: 9, solidity: 0.12 },
      },
      hovertemplate: "%{y:,} blocks<extra></extra>",
    });
    const traces = [
      bars((loads) => loads === 1, "kind-pixels", ""),
      bars((loads) => loads > 1, "state-again", "x"),
    ];
    const shape = layout("How often pixel blocks are loaded", "loads of a block", "pixel blocks",
      { bargap: 0.25, barmode: "overlay" });
    shape.xaxis.dtick = Math.ceil(Math.max(1, ...x) / 12);
    shape.xaxis.range = [0.4, Math.max(2, ...x) + 0.6];
    shape.yaxis.range = [0, Math.max(1, ...y) * 1.15];
    return draw(place, traces, shape);
  },
};

function totals(traces) {
  return traces.length ? traces[0].y.map((_, k) => traces.reduce((sum, { y }) => sum + y[k], 0))
    .reduce((most, total) => [Math.max(most[0], total)], [0]) : [0];
}

/** Duration of every strategy by cause, one bar each. */
function durations(place, panels) {
  const traces = Object.entries(causes(panels[0].replay)).map(([name, [label, colour, pattern]]) => ({
    type: "bar", orientation: "h", name: label, y: panels.map((panel) => panel.label),
    x: panels.map(({ replay }) => replay.arrays[name].reduce((sum, cycles) => sum + cycles, 0)),
    texttemplate: "%{x:,}", textposition: "inside", insidetextanchor: "middle",
    textfont: { color: cssValue("mark") },
    marker: { color: cssValue(colour), line: { color: cssValue("paper"), width: 1 },
      pattern: { shape: pattern, bgcolor: cssValue(colour), fgcolor: cssValue("faint-mark"),
        size: 9, solidity: 0.12 } },
    hovertemplate: `%{x:,} cycles<extra>${label}</extra>`,
  }));
  const shape = layout("Where the cycles go", "cycles", "", {
    barmode: "stack", height: 150 + 46 * panels.length, hovermode: "closest",
  });
  shape.yaxis = { autorange: "reversed", automargin: true, showticklabels: panels.length > 1 };
  shape.margin = { ...MARGIN, l: panels.length > 1 ? 78 : 12, b: 80 };
  shape.xaxis.tickformat = ",";
  shape.legend = { orientation: "h", yref: "container", y: 0, x: 0, traceorder: "normal" };
  return draw(place, traces, shape);
}

/** Where two strategies' loads differ: bytes a position, above 0 where the first loads more. */
function difference(place, one, other, size) {
  const [rows, columns] = size, z = [];
  for (let r = 0; r < rows; r++) {
    const row = new Float64Array(columns);
    for (let c = 0; c < columns; c++) {
      row[c] = one.loads[r * columns + c] - other.loads[r * columns + c];
    }
    z.push(row);
  }
  const most = z.reduce((m, row) => row.reduce((n, v) => Math.max(n, Math.abs(v)), m), 1);
  const trace = {
    type: "heatmap", z, zmin: -most, zmax: most, xgap: columns > 60 ? 0 : 1, ygap: columns > 60 ? 0 : 1,
    colorscale: [[0, cssValue("less")], [0.5, cssValue("even")], [1, cssValue("more")]],
    colorbar: { title: { text: "bytes", side: "right" }, thickness: 12, tickformat: "+," },
    hovertemplate: "row %{y}, column %{x}: %{z:+,} bytes<extra></extra>",
  };
  if (Math.max(rows, columns) <= 20) {
    trace.text = z.map((row) => Array.from(row, (bytes) => bytes ? signed(bytes) : ""));
    trace.texttemplate = "%{text}";
  }
  const shape = layout(`Bytes loaded: ${one.label}<br>less ${other.label}`, "input column", "input row",
    { height: 480, hovermode: "closest", margin: { ...MARGIN, t: 60 } });
  shape.yaxis = { ...shape.yaxis, autorange: "reversed", scaleanchor: "x", constrain: "domain",
    tickformat: "d" };
  shape.xaxis = { ...shape.xaxis, constrain: "domain", rangemode: "normal", showgrid: false };
  shape.yaxis.showgrid = false;
  return draw(place, [trace], shape);
}

const signed = new Intl.NumberFormat("en", { signDisplay: "always" }).format;

/** A line in a chart over the steps at the player's step; a click on the chart goes there. */
function cursor(place, player, panel) {
  const line = document.createElement("div");
  line.className = "cursor";
  place.append(line);
  const move = () => {
    const [low, high] = place.layout.xaxis.range;
    const share = (player.stepOf(panel.replay) - low) / (high - low);
    const wide = place.clientWidth - MARGIN.l - MARGIN.r;
    line.hidden = share < 0 || share > 1;
    line.style.left = `${MARGIN.l + share * wide}px`;
  };
  place.on("plotly_relayout", move);
  place.on("plotly_click", ({ points: [point] }) => player.go(Math.ceil(point.x)));
  player.listeners.push(move);
  window.addEventListener("resize", move);
  move();
}
