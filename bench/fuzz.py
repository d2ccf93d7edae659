"""The suite ``fuzz``: broken files and odd options."""

from collections import Counter
from collections.abc import Sequence

from bench.child import Children
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, Task, measured
from bench.trial import COMPLAINTS, complaints, count, total, trial

CASES, _PORTION = 10_000, 500


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every portion of the cases; the seed says where they begin."""

    def task(first: int) -> Task:
        def work(children: Children) -> Row:
            return trial(children, "fuzzing", str(limits.seed * CASES + first), str(_PORTION))

        return Task(f"cases {first} to {first + _PORTION - 1}", work)

    return [task(first) for first in range(0, CASES, _PORTION)]


def _summary(rows: Sequence[Row]) -> list[str]:
    codes: Counter[str] = Counter()
    for row in measured(rows):
        codes.update(row["codes"])
    ends = ", ".join(f"{number} with exit code {code}" for code, number in sorted(codes.items()))
    return [
        f"{total(rows, 'cases')} cases ended, {ends}; "
        f"{sum(len(row['complaints']) for row in measured(rows))} badly.",
        *complaints(rows),
    ]


SUITE = Suite(
    name="fuzz",
    title="Fuzz: broken files and odd options end with one line",
    about=(
        "Instance, strategy, accelerator, rule, tensor and model files with a few bytes or values "
        "changed, and odd values of options. Each command must end within a minute with an exit "
        "code of the manual; with 2, 3 or 4 one line on standard error, nothing on standard "
        "output, and no file left behind."
    ),
    columns=(
        count("name", "cases"),
        Column("codes", lambda row: " ".join(f"{k}:{v}" for k, v in row["codes"].items())),
        COMPLAINTS,
        SECONDS,
        PEAK,
    ),
    summary=_summary,
)
