"""The suite ``mutants``: broken strategies, read three ways."""

from collections.abc import Sequence

from bench.child import Children
from bench.record import Row
from bench.suite import SECONDS, Limits, Suite, Task, measured
from bench.trial import COMPLAINTS, complaints, count, total, trial

LAYERS = 36
# Mutants of each kind and layer; there are about 60 to 80 kinds.
_EACH = 6


def tasks(limits: Limits) -> list[Task]:  # noqa: ARG001 (nothing is searched)
    """Return a task for every layer."""

    def task(number: int) -> Task:
        def work(children: Children) -> Row:
            return trial(children, "mutation", str(number), str(_EACH))

        return Task(f"layer {number}", work)

    return [task(number) for number in range(LAYERS)]


def _summary(rows: Sequence[Row]) -> list[str]:
    return [
        f"{total(rows, 'mutants')} mutants of {len(measured(rows))} layers: "
        f"{total(rows, 'refused')} refused at the right step for the right reason by both "
        f"readings, {total(rows, 'equivalent')} still valid and accepted by both, "
        f"{total(rows, 'wrong')} misread.",
        *complaints(rows),
    ]


SUITE = Suite(
    name="mutants",
    title="Mutants: broken strategies are refused for the right reason",
    about=(
        "Five valid strategies a layer (lean, thrifty, spilling, preloading, mixed), in just the "
        "memory they take, each changed in one way; kinds: ways of changing one. check.lp and the "
        "simulator must agree with a reference in plain loops (offloadasp/model/reference.py) on "
        "the first wrong step and on the rules broken there, and on the duration where nothing is "
        "wrong; statements of duration, objective, bound and certificate are judged likewise."
    ),
    columns=(
        count("name", "layer"),
        count("layer", "input"),
        count("kinds"),
        count("mutants"),
        count("refused"),
        count("equivalent"),
        COMPLAINTS,
        SECONDS,
    ),
    summary=_summary,
)
