// The controls of the step player, which move all of its panels together.

/** Moves all panels together: by number of the step, or by elapsed cycles of the longest. */
class Player {
  constructor(root, panels) {
    this.root = root;
    this.panels = panels;
    this.palette = new Palette();
    this.steps = Math.max(...panels.map(({ replay }) => replay.steps));
    this.lead = panels.find(({ replay }) => replay.steps === this.steps).replay;
    // Cells of a large layer are too small to be told apart in the whole.
    const small = panels.some(({ grids }) => grids.input.cellSize() < HATCH_FROM);
    this.options = { q: FOLLOW, n: FOLLOW, close: small, time: false };
    this.step = Math.min(1, this.steps);
    this.playing = 0;
    this.listeners = [];
    this.connect();
  }

  control(name) {
    return this.root.querySelector(`[data-control=${name}]`);
  }

  connect() {
    const buttons = {
      first: () => this.go(1), back: () => this.go(this.step - 1), play: () => this.toggle(),
      forward: () => this.go(this.step + 1), last: () => this.go(this.steps),
    };
    this.control("close").checked = this.options.close;
    for (const name in buttons) this.control(name).addEventListener("click", buttons[name]);
    for (const name of ["scrub", "step"]) {
      this.control(name).max = this.steps;
      this.control(name).addEventListener("input", (event) => {
        if (event.target.value !== "") this.go(Number(event.target.value));
      });
    }
    for (const name of ["q", "n"]) {
      this.control(name).addEventListener("change", (event) => {
        this.options[name] = Number(event.target.value);
        this.draw();
      });
    }
    this.control("close").addEventListener("change", () => this.setClose());
    this.control("time").addEventListener("change", (event) => {
      this.options.time = event.target.value === "time";
      this.draw();
    });
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("hashchange", () => this.follow());
    window.addEventListener("resize", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.palette = new Palette();
      this.draw();
    });
  }

  setClose() {
    this.options.close = this.control("close").checked;
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const field = event.target.closest("input, select, textarea, button, a, summary");
    const jump = Math.max(1, Math.round(this.steps / 20));
    const keys = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.go(this.step - (event.shiftKey ? 10 : 1)),
      ArrowRight: () => this.go(this.step + (event.shiftKey ? 10 : 1)),
      PageUp: () => this.go(this.step - jump),
      PageDown: () => this.go(this.step + jump),
      Home: () => this.go(1),
      End: () => this.go(this.steps),
      z: () => { this.control("close").click(); },
    };
    // What a field does with a key comes first; the slider's keys are the player's.
    const inside = field && !field.matches("[type=range]") &&
      (event.key === " " || field.matches("[type=number], select"));
    // Where the player is out of sight, keys scroll the page as ever.
    if (inside || !keys[event.key] || !this.visible()) return;
    event.preventDefault();
    keys[event.key]();
  }

  visible() {
    const box = this.root.getBoundingClientRect();
    return box.bottom > 0 && box.top < window.innerHeight * 0.8;
  }

  /** Go to the step that the address names, if it names one. */
  follow() {
    const step = Number(new URLSearchParams(location.hash.slice(1)).get("step"));
    if (!Number.isInteger(step) || step < 1) return false;
    this.pause();
    this.go(step);
    this.root.scrollIntoView({ block: "nearest" });
    return true;
  }

  go(step) {
    this.step = Math.max(Math.min(1, this.steps), Math.min(Math.round(step), this.steps));
    this.draw();
    clearTimeout(this.remember);
    // Browsers limit how often an address may change.
    this.remember = setTimeout(() => {
      history.replaceState(null, "", `#step=${this.step}`);
    }, 300);
  }

  draw() {
    for (const panel of this.panels) {
      panel.show(this.stepOf(panel.replay), this.options, this.palette);
    }
    this.control("scrub").value = this.step;
    this.control("scrub").setAttribute("aria-valuetext", `step ${this.step} of ${this.steps}`);
    if (document.activeElement !== this.control("step") || this.playing) {
      this.control("step").value = this.step;
    }
    for (const listener of this.listeners) listener(this.step);
  }

  /** The step of a strategy that belongs to the player's. */
  stepOf(replay) {
    if (!this.options.time) return Math.min(this.step, replay.steps);
    const now = this.lead.ends[this.step - 1] ?? 0;
    let [low, high] = [0, replay.steps];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (replay.ends[middle] <= now) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.step >= this.steps) this.step = 0;
    let last = performance.now(), owed = 1;
    const tick = (now) => {
      owed += ((now - last) / 1000) * Number(this.control("speed").value);
      last = now;
      if (owed >= 1) {
        this.go(this.step + Math.floor(owed));
        owed %= 1;
      }
      if (this.step >= this.steps) this.pause();
      else this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
    this.showPlaying(true);
  }

  pause() {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.showPlaying(false);
  }

  showPlaying(playing) {
    const button = this.control("play");
    button.textContent = playing ? "❚❚ Pause" : "▶ Play";
    button.setAttribute("aria-pressed", playing);
    // Nobody could listen to the sentences as fast as they come.
    for (const { root } of this.panels) {
      root.querySelector(".sentence").setAttribute("aria-live", playing ? "off" : "polite");
    }
  }
}
