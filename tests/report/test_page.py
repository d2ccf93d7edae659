"""The page of ``offload-asp report`` in a browser: it says what the simulator says."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from offloadasp.judge.simulator import TraceRow, keep_books
from offloadasp.model.instance import Layer
from offloadasp.model.strategy import Strategy, save
from tests.engines.overlapped import BESIDE, tiny_beside
from tests.engines.plans import MIXED, fitted, problem, random_plan, strategy_of
from tests.support.browser import Opened, browser, opened
from tests.support.invoking import offload_asp
from tests.support.layers import VGG, plan_by_one_traversal

# In one process: every worker would make the reports and start a browser anew.
pytestmark = pytest.mark.xdist_group("browser")

FEW, MANY = "lenet5-conv2", "vgg16-conv1_1"
LENET = Layer(input=(6, 14, 14), kernels=16, kernel_shape=(5, 5))
MEGABYTES = 10


@dataclass(frozen=True)
class Made:
    """A report, the strategies in it, and their traces by the simulator."""

    path: Path
    strategies: tuple[Strategy, ...]

    @property
    def trace(self) -> tuple[TraceRow, ...]:
        return keep_books(self.strategies[0]).trace


def make(folder: Path, strategies: dict[str, Strategy], seconds: float = 0, code: int = 0) -> Made:
    for name, strategy in strategies.items():
        save(strategy, folder / f"{name}.strategy.json")
    files = [folder / f"{name}.strategy.json" for name in strategies]
    out = folder / "report.html"
    ran = offload_asp("report", *files, "--out", out, "--time-limit", str(seconds))
    assert ran.code == code, ran.error
    return Made(out, tuple(strategies.values()))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    cases = {FEW: (LENET, 2750, 9600, 2), MANY: (VGG, 4000, 16 * 64 * 27, 0)}
    return {
        name: make(
            tmp_path_factory.mktemp(name),
            {name: plan_by_one_traversal(layer, memory, macs)},
            seconds,
        )
        for name, (layer, memory, macs, seconds) in cases.items()
    }


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def pages(reports: dict[str, Made], chrome: Browser) -> Iterator[dict[str, Opened]]:
    """Both reports, opened once for many tests: what is tested is not the opening."""
    with (
        opened(chrome, reports[FEW].path, charts=True) as few,
        opened(chrome, reports[MANY].path, charts=True) as many,
    ):
        yield {FEW: few, MANY: many}


@pytest.fixture(params=[FEW, MANY])
def shown(
    request: pytest.FixtureRequest, reports: dict[str, Made], pages: dict[str, Opened]
) -> Iterator[tuple[Opened, Made]]:
    page = pages[request.param]
    page.page.bring_to_front()
    page.evaluate("() => { scrollTo(0, 0); offload.player.pause(); offload.player.go(1); }")
    yield page, reports[request.param]
    page.require_quiet()


def require_figures(page: Opened, row: TraceRow, steps: int, panel: int = 0) -> None:
    assert page.figure("step", panel) == f"{row.step} of {steps}"
    assert page.figure("on_chip", panel) == str(row.on_chip)
    assert page.figure("loaded", panel) == str(row.loaded)
    assert page.figure("written", panel) == str(row.written)
    assert page.figure("freed", panel) == str(row.freed)
    assert page.figure("macs", panel) == str(row.macs)
    assert page.figure("cycles", panel) == str(row.cycles)


# What is on chip by the player's own grids, not by the figures that came with them.
BYTES_ON_GRIDS = """() => {
  const { replay } = offload.player.panels[0];
  let bytes = 0;
  replay.pixelOn.forEach((on, k) => {
    bytes += on * replay.pixelBytes[Math.floor(k / replay.inPlane)];
  });
  replay.kernelOn.forEach((on, k) => {
    bytes += on * replay.kernelBytes.flat()[k];
  });
  return [bytes, replay.outputOn.reduce((sum, on) => sum + on, 0)];
}"""


def test_the_page_says_at_every_step_what_the_simulator_says(shown: tuple[Opened, Made]) -> None:
    page, made = shown
    trace, strategy = made.trace, made.strategies[0]
    output_bytes = strategy.instance.layer.kernels * strategy.instance.precision.output
    steps = len(trace)
    for step in {1, 2, steps, *random.Random(0).sample(range(1, steps + 1), 12)}:
        page.evaluate("step => offload.player.go(step)", step)
        require_figures(page, trace[step - 1], steps)
        inputs, outputs = page.evaluate(BYTES_ON_GRIDS)
        # With one channel group every output is complete at once.
        assert inputs + outputs * output_bytes == trace[step - 1].on_chip


@pytest.mark.parametrize("overlap", ["dma", "duplex"])
def test_the_player_draws_what_each_lane_does_in_a_step(
    tmp_path: Path, chrome: Browser, overlap: str
) -> None:
    strategy = tiny_beside(BESIDE, 11, overlap)
    strategy = strategy.model_copy(update={"duration": keep_books(strategy).duration})
    made = make(tmp_path, {"beside": strategy})
    lanes = 2 if overlap == "dma" else 3
    with opened(chrome, made.path) as page:
        assert page.page.locator(".lanes div").count() == lanes
        # 8 bytes alone; 5 cycles beside 2 bytes loaded; 5 cycles beside 1 byte written.
        for step, widths in enumerate(
            [{"load": "100%"}, {"load": "40%", "compute": "100%"}, {"write": "20%"}], start=1
        ):
            page.evaluate("step => offload.player.go(step)", step)
            for action, width in widths.items():
                bar = page.page.locator(f".lanes [data-lane={action}]")
                assert bar.evaluate("bar => bar.style.width") == width
        page.require_quiet()


@pytest.mark.parametrize(("name", "step"), [(FEW, 12), (MANY, 1500)])
def test_a_link_leads_to_its_step(
    reports: dict[str, Made], chrome: Browser, name: str, step: int
) -> None:
    made = reports[name]
    with opened(chrome, made.path, f"#step={step}") as page:
        require_figures(page, made.trace[step - 1], len(made.trace))
        page.evaluate("() => { location.hash = '#step=3'; }")
        page.wait_for("offload.player.step === 3")
        require_figures(page, made.trace[2], len(made.trace))
        page.require_quiet()


def test_play_scrub_and_buttons_move_the_step(shown: tuple[Opened, Made]) -> None:
    page, made = shown
    steps = len(made.trace)
    # So slow that a slow machine has time to press the button before the last step.
    page.page.get_by_label("speed").select_option("1")
    play = page.page.locator("[data-control=play]")
    play.click()
    page.wait_for("offload.player.step >= 3")
    play.click()
    at = page.evaluate("offload.player.step")
    page.page.wait_for_timeout(60)
    assert page.evaluate("offload.player.step") == at
    require_figures(page, made.trace[at - 1], steps)
    page.page.get_by_label("One step on").click()
    require_figures(page, made.trace[at], steps)
    scrub = page.page.get_by_label("Step", exact=True)
    scrub.fill(str(steps // 2))
    require_figures(page, made.trace[steps // 2 - 1], steps)
    box = scrub.bounding_box()
    assert box is not None
    page.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    require_figures(page, made.trace[-1], steps)


def test_the_keyboard_is_enough(shown: tuple[Opened, Made]) -> None:
    page, made = shown
    steps, keyboard = len(made.trace), page.page.keyboard
    page.page.get_by_label("speed").select_option("1")
    page.evaluate("document.getElementById('player').scrollIntoView({ behavior: 'instant' })")
    for key, step in (
        ("End", steps),
        ("ArrowLeft", steps - 1),
        ("Home", 1),
        ("ArrowRight", 2),
        ("Shift+ArrowRight", 12),
        ("PageDown", 12 + round(steps / 20)),
    ):
        keyboard.press(key)
        require_figures(page, made.trace[step - 1], steps)
    before = page.evaluate("offload.player.options.close")
    keyboard.press("z")
    assert page.evaluate("offload.player.options.close") is not before
    keyboard.press("Space")
    page.wait_for(f"offload.player.step > {step}")
    keyboard.press("Space")
    assert page.evaluate("offload.player.playing") == 0
    # Every control is reached by the tabulator, and shows that it is.
    reached = set()
    for _ in range(40):
        keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement?.dataset?.control ?? ''"))
    assert {
        "first",
        "back",
        "play",
        "forward",
        "last",
        "scrub",
        "step",
        "speed",
        "close",
    } <= reached


def test_the_file_of_a_large_layer_is_small(reports: dict[str, Made]) -> None:
    # How soon it opens and goes to a step is measured by the suite `quick` of the bench.
    made = reports[MANY]
    assert len(made.trace) > 3000
    assert made.path.stat().st_size < MEGABYTES * 10**6


def test_every_chart_has_a_title_and_units(shown: tuple[Opened, Made]) -> None:
    page, _ = shown
    charts = page.page.locator("[data-chart], #durations, #difference")
    units = set()
    for k in range(charts.count()):
        charts.nth(k).scroll_into_view_if_needed()
        charts.nth(k).locator(".main-svg").first.wait_for()
        layout: dict[str, Any] = charts.nth(k).evaluate(
            "({ layout: { title, xaxis, yaxis } }) =>"
            " ({ title: title.text, x: xaxis.title?.text, y: yaxis.title?.text })"
        )
        assert layout["title"]
        assert layout["x"]
        units |= {layout["x"], layout["y"]}
    assert {"cycles", "bytes", "step", "pixel blocks", "loads of a block"} <= units


def test_a_page_400_pixels_wide_needs_no_sideways_scrolling(
    reports: dict[str, Made], chrome: Browser
) -> None:
    with opened(
        chrome, reports[FEW].path, "#step=12", width=400, scheme="dark", charts=True
    ) as page:
        for chart in page.page.locator("[data-chart]").all():
            chart.scroll_into_view_if_needed()
        page.settle()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        inside = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, canvas[data-grid]")]
              .filter((part) => part.offsetParent)
              .every((part) => part.getBoundingClientRect().right <= 400)"""
        )
        assert inside
        page.require_quiet()


SAME_FORTH_AND_BACK = """() => {
  const { replay } = offload.player.panels[0];
  const state = () => JSON.stringify(["pixelOn", "pixelLoads", "outputOn", "outputDone",
    "outputStored", "kernelOn", "kernelLoads"].map((name) => Array.from(replay[name])));
  const forth = [];
  for (let step = 0; step <= replay.steps; step++) { replay.go(step); forth.push(state()); }
  for (let step = replay.steps; step >= 0; step--) {
    replay.go(step);
    if (state() !== forth[step]) return `differs at ${step}`;
  }
  return new Set(forth).size > 2 && forth[0] === forth[replay.steps] ? "empty" : "same";
}"""


def test_the_player_goes_back_as_it_came_with_partial_sums_that_are_spilled(
    tmp_path: Path, chrome: Browser
) -> None:
    layer = Layer(input=(4, 6, 6), kernels=4, kernel_shape=(3, 3), pads=(1, 0, 0, 1), bias=True)
    given = problem(layer, kernel_groups=2, channel_groups=2)
    plan = random_plan(given, 3, MIXED)
    strategy = strategy_of(fitted(given, plan), plan)
    assert keep_books(strategy).writes.partial_sums > 0
    made = make(tmp_path, {"spilling": strategy})
    with opened(chrome, made.path) as page:
        assert page.evaluate(SAME_FORTH_AND_BACK) == "same"
        for row in made.trace:
            page.evaluate("step => offload.player.go(step)", row.step)
            require_figures(page, row, len(made.trace))
        page.page.locator("[data-control=q]").select_option("1")
        assert "channel group 1" in page.figure("groups")
        page.page.locator("[data-control=n]").select_option("0")
        assert "kernel group 0" in page.figure("groups")
        page.require_quiet()


def test_strategies_side_by_side_are_moved_together(
    reports: dict[str, Made], tmp_path: Path, chrome: Browser
) -> None:
    one = reports[FEW].strategies[0]
    other = plan_by_one_traversal(LENET, 2750, 4800)
    made = make(tmp_path, {"one": one, "other": other})
    traces = [keep_books(strategy).trace for strategy in (one, other)]
    with opened(chrome, made.path, "#step=9") as page:
        for panel, trace in enumerate(traces):
            require_figures(page, trace[8], len(trace), panel)
        page.page.locator("[data-control=time]").select_option("time")
        longest = max(range(2), key=lambda panel: len(traces[panel]))
        now = sum(row.cycles for row in traces[longest][:8])
        for panel, trace in enumerate(traces):
            step = int(page.figure("step", panel).split()[0])
            before = sum(row.cycles for row in trace[: step - 1])
            assert before <= now < before + trace[step - 1].cycles
        page.require_quiet()


def test_a_wrong_strategy_is_shown_and_said_to_be_wrong(
    reports: dict[str, Made], tmp_path: Path, chrome: Browser
) -> None:
    name = "<img src=x onerror=boom()><script>{{plotly}}"
    data = json.loads(reports[FEW].strategies[0].model_dump_json())
    data["steps"][3]["load"]["pixels"] = []
    made = make(tmp_path, {name: Strategy.model_validate(data)}, code=5)
    with opened(chrome, made.path) as page:
        card = page.page.locator(".card").inner_text()
        assert "NOT VERIFIED" in card
        assert "use_absent" in card
        # What the file is called does not become part of the page.
        assert name in card
        page.evaluate("offload.player.go(4)")
        require_figures(page, made.trace[3], len(made.trace))
        page.require_quiet()
