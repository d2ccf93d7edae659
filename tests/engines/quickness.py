"""Measures what has to be quick. How long it may take is said here, and no test depends on it.

``python -m tests.engines.quickness NAME`` measures one of ``MEASURED`` and prints it as JSON.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from offloadasp.bounds import lower_bound
from offloadasp.model.instance import Layer, Precision
from offloadasp.model.problem import finest
from offloadasp.model.strategy import save
from tests.support.browser import Opened, browser, opened
from tests.support.invoking import offload_asp
from tests.support.layers import VGG, accelerator, plan_by_one_traversal, problem_with

# From the start of the navigation to the player's first frame, and until the charts follow.
_MARKS = "['player', 'charts'].map(name => performance.getEntriesByName(name)[0].startTime)"
_STEPS = """() => [1, 2, 3, 1000, 999, 3000, 3001, 1, 1500, 1501, 1502, 2999].map((step) => {
  const start = performance.now();
  offload.player.go(step);
  return performance.now() - start;
})"""


def _on_the_page(measure: Callable[[Opened], float]) -> float:
    """Measure on the page of a strategy of more than 3,000 steps."""
    with tempfile.TemporaryDirectory() as name:
        file, out = Path(name) / "large.strategy.json", Path(name) / "report.html"
        save(plan_by_one_traversal(VGG, 4000, 16 * 64 * 27), file)
        assert offload_asp("report", file, "--out", out, "--time-limit", "0").code == 0
        with browser() as chrome, opened(chrome, out, charts=True) as page:
            return measure(page)


def _opening() -> float:
    return _on_the_page(lambda page: max(page.evaluate(_MARKS)) / 1000)


def _usual_step() -> float:
    return _on_the_page(lambda page: statistics.median(page.evaluate(_STEPS)) / 1000)


def _slow_step() -> float:
    # The longest one may have met something else on the machine.
    return _on_the_page(lambda page: sorted(page.evaluate(_STEPS))[-2] / 1000)


def _bound() -> float:
    layer = Layer(input=(64, 224, 224), kernels=64, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    problem = problem_with(layer, accelerator(memory=16384), Precision(), finest(layer))
    begin = time.perf_counter()
    lower_bound(problem)
    return time.perf_counter() - begin


# What is measured, in seconds, and how long it may take.
MEASURED: dict[str, tuple[Callable[[], float], float]] = {
    "a report of 3,000 steps opens": (_opening, 3),
    "its player goes to a step": (_usual_step, 0.05),
    "its player goes to the slowest step but one": (_slow_step, 0.1),
    "a bound of a VGG-16 layer in full detail": (_bound, 10),
}


def main(name: str) -> None:
    """Measure, and print the seconds, how many are allowed, and whether it took more."""
    measure, goal = MEASURED[name]
    taken = measure()
    complaints = [f"{taken:.3f} s, not at most {goal} s"] if taken > goal else []
    print(json.dumps({"taken": taken, "goal": goal, "complaints": complaints}))


if __name__ == "__main__":
    main(sys.argv[1])
