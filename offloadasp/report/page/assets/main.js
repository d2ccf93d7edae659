// Puts the page together: the player first, then the charts.

/** Call make(place) when an element first comes near to sight, and again when colours change. */
function whenSeen(place, make) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    make();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", make);
  }, { rootMargin: "200px" });
  observer.observe(place);
}

function legends(palette) {
  for (const place of document.querySelectorAll("canvas[data-state]")) {
    const [kind, key] = place.dataset.state.split(" ");
    const state = STATES[kind].find((one) => one.key === key);
    const scale = window.devicePixelRatio || 1, context = place.getContext("2d");
    place.width = 22 * scale;
    place.height = 16 * scale;
    context.fillStyle = palette.css(`state-${key}`);
    context.fillRect(0, 0, place.width, place.height);
    if (state.hatch) {
      context.fillStyle = palette.pattern(context, state.hatch, scale);
      context.fillRect(0, 0, place.width, place.height);
    }
  }
}

/** The keys to the grids: a swatch and a word for every state. */
function makeLegends() {
  for (const place of document.querySelectorAll("ul[data-legend]")) {
    const kind = place.dataset.legend;
    for (const { key, label } of STATES[kind]) {
      const item = document.createElement("li"), swatch = document.createElement("canvas");
      swatch.dataset.state = `${kind} ${key}`;
      swatch.setAttribute("aria-hidden", "true");
      item.append(swatch, label);
      place.append(item);
    }
  }
}

function heatLegend(panel) {
  const place = panel.root.querySelector("[data-heat]"), shown = new Map();
  for (let loads = 0; loads <= panel.most; loads++) {
    const shade = heatShade(loads, panel.most);
    if (!shown.has(shade)) shown.set(shade, [loads, loads]);
    shown.get(shade)[1] = loads;
  }
  for (const [shade, [low, high]] of shown) {
    const item = document.createElement("li"), swatch = document.createElement("i");
    swatch.style.background = `var(--heat-${shade})`;
    item.append(swatch, low === high ? `${low}` : `${low}–${high}`);
    place.append(item);
  }
}

function options(select, replays, count, spans, word) {
  const most = Math.max(...replays.map((replay) => replay[count]));
  select.closest("label").hidden = most < 2;
  select.append(new Option("as the step does", FOLLOW));
  for (let k = 0; k < most; k++) {
    const [start, stop] = replays.find((replay) => replay[count] > k)[spans][k];
    const range = stop - start > 1 ? `${word}s ${start}–${stop - 1}` : `${word} ${start}`;
    select.append(new Option(`${k} (${range})`, k));
  }
}

async function makeCharts(player, data) {
  const script = document.createElement("script");
  const source = document.getElementById("plotly");
  script.textContent = new TextDecoder().decode(await inflate(source.textContent, "deflate"));
  document.head.append(script);
  source.remove();
  const split = document.getElementById("durations");
  whenSeen(split, () => durations(split, player.panels));
  for (const place of document.querySelectorAll("[data-chart]")) {
    const panel = player.panels[Number(place.dataset.entry)];
    if (!panel.replay.steps) continue;
    let marked = place.dataset.chart === "reloads";
    whenSeen(place, async () => {
      await CHARTS[place.dataset.chart](place, panel);
      if (!marked) cursor(place, player, panel);
      marked = true;
    });
  }
  await makeDifferences(data);
}

async function makeDifferences(data) {
  const place = document.getElementById("difference");
  if (!place) return;
  const loads = await unpack(data.loads), maps = data.maps.map((label, k) =>
    ({ label, loads: loads[`loads.${k}`] }));
  const [one, other] = ["one", "other"].map((name) => document.getElementById(`difference-${name}`));
  maps.forEach(({ label }, k) => [one, other].forEach((list) => list.append(new Option(label, k))));
  other.value = "1";
  const show = () => difference(place, maps[one.value], maps[other.value], data.input);
  one.addEventListener("change", show);
  other.addEventListener("change", show);
  whenSeen(place, show);
}

async function main() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const replays = await Promise.all(data.entries.map(async ({ history }) =>
    new Replay(history, await unpack(history.packed))));
  const roots = document.querySelectorAll(".panel");
  const panels = replays.map((replay, k) => new Panel(roots[k], replay, data.entries[k].label));
  const player = new Player(document.getElementById("player"), panels);
  options(player.control("q"), replays, "channelGroups", "channelSpans", "channel");
  options(player.control("n"), replays, "kernelGroups", "kernelSpans", "kernel");
  makeLegends();
  legends(player.palette);
  panels.forEach(heatLegend);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    legends(player.palette));
  if (!player.follow()) player.draw();
  performance.mark("player");
  document.body.dataset.ready = "player";
  window.offload = { player }; // for the browser's console
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await makeCharts(player, data);
  performance.mark("charts");
  document.body.dataset.ready = "charts";
}

main().catch((error) => {
  const note = document.getElementById("trouble");
  note.hidden = false;
  note.textContent = `This page could not be shown: ${error}. It needs a browser of 2023 or later.`;
  throw error;
});
