"""The suite ``quick``: what has to be quick, whatever the tests say of it otherwise."""

from collections.abc import Sequence

from bench.child import Children
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, Task, cell, measured
from bench.trial import COMPLAINTS, complaints, count, trial

_NAMES = (
    "a report of 3,000 steps opens",
    "its player goes to a step",
    "its player goes to the slowest step but one",
    "a bound of a VGG-16 layer in full detail",
)


def tasks(limits: Limits) -> list[Task]:  # noqa: ARG001 (nothing is searched)
    """Return a task for everything that is measured."""

    def task(name: str) -> Task:
        def work(children: Children) -> Row:
            return trial(children, "quickness", name)

        return Task(name, work)

    return [task(name) for name in _NAMES]


def _summary(rows: Sequence[Row]) -> list[str]:
    there = measured(rows)
    quick = sum(row["taken"] <= row["goal"] for row in there)
    return [f"{quick} of {len(there)} are as quick as they have to be.", *complaints(rows)]


SUITE = Suite(
    name="quick",
    title="Quick: what a reader waits for",
    about=(
        "Taken: seconds from the start of the navigation to the player and the charts of a page "
        "of 3,000 steps; to show a step of it, as the median and as the slowest one but one of "
        "twelve; and of one lower bound. Goal: the seconds that it may take where nothing else "
        "runs. Needs a Chromium."
    ),
    columns=(
        count("name", "what"),
        Column("taken s", cell("taken", "{:.3f}")),
        Column("goal s", cell("goal", "{:g}")),
        COMPLAINTS,
        SECONDS,
        PEAK,
    ),
    summary=_summary,
)
