"""The suite ``deletions``: the rules without one rule or literal."""

from collections.abc import Sequence

from bench.child import Children
from bench.record import Row
from bench.suite import SECONDS, Limits, Suite, Task
from bench.trial import complaints, count, total, trial
from offloadasp.asp.shipped import shipped_names

# Files that only include others.
_ENTRIES = {"definition.lp", "solve.lp", "model/definition.lp", "proof/refute.lp"}


def tasks(limits: Limits) -> list[Task]:  # noqa: ARG001 (nothing is searched)
    """Return a task for every file of rules."""

    def task(file: str) -> Task:
        def work(children: Children) -> Row:
            return trial(children, "deletion", file)

        return Task(file, work)

    return [task(name) for name in shipped_names() if name not in _ENTRIES]


def _summary(rows: Sequence[Row]) -> list[str]:
    refused, noticed = total(rows, "refused"), total(rows, "noticed")
    marked, unseen = total(rows, "marked"), total(rows, "unseen")
    return [
        f"{refused + noticed + marked + unseen} deletions: {noticed} change an answer, {refused} "
        f"are refused by clingo, {marked} change nothing and are marked as redundant, "
        f"{unseen} go unseen.",
        *complaints(rows),
    ]


SUITE = Suite(
    name="deletions",
    title="Deletions: no rule and no literal can go unnoticed",
    about=(
        "Each rule, literal and element of an aggregate of encodings/, deleted one at a time. "
        "Noticed: an answer of the rules changes (blocks, verdicts, strategies, costs; see "
        "tests/engines/probes.py). Refused: clingo cannot ground what is left. Marked: no answer "
        "changes, and a comment above the rule says that the part is redundant."
    ),
    columns=(
        count("name", "file"),
        count("noticed"),
        count("refused"),
        count("marked"),
        count("unseen"),
        SECONDS,
    ),
    summary=_summary,
)
