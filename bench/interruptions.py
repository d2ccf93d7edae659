"""The suite ``interruptions``: signals at random moments of a run."""

from collections.abc import Sequence

from bench.child import Children
from bench.record import Row
from bench.suite import SECONDS, Column, Limits, Suite, Task, cell, measured
from bench.trial import COMPLAINTS, complaints, count, total, trial

_PORTION, _PORTIONS = 10, 20


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every portion of the trials; the seed says where they begin."""

    def task(k: int) -> Task:
        first = limits.seed * _PORTION * _PORTIONS + k * _PORTION

        def work(children: Children) -> Row:
            return trial(children, "interruption", str(first), str(_PORTION))

        return Task(f"trials {k * _PORTION} to {(k + 1) * _PORTION - 1}", work)

    return [task(k) for k in range(_PORTIONS)]


def _summary(rows: Sequence[Row]) -> list[str]:
    slowest = max((row["slowest"] for row in measured(rows)), default=0)
    return [
        f"{total(rows, 'trials')} trials: {total(rows, 'whole')} left a whole valid file, "
        f"{total(rows, 'none')} none, {total(rows, 'kept')} a better one from before; back "
        f"within {slowest:.2f} s at the latest.",
        *complaints(rows),
    ]


SUITE = Suite(
    name="interruptions",
    title="Interruptions: no file or a whole one, and never a worse one",
    about=(
        "A run gets Ctrl-C, SIGTERM, SIGKILL or a short time limit at a random moment, with no "
        "file, another file or a better file in its place. Whole: the file that it left is "
        "accepted by both readings. Slowest: seconds from the signal to the end."
    ),
    columns=(
        count("name", "trials"),
        count("whole"),
        count("none"),
        count("kept"),
        Column("slowest s", cell("slowest", "{:.2f}")),
        COMPLAINTS,
        SECONDS,
    ),
    summary=_summary,
)
