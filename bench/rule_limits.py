"""The suite ``rule_limits``: the largest layers that a user's rules are solved for."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.case import Case, load
from bench.child import Children
from bench.offload import solve
from bench.record import Row
from bench.scale import Size
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured

# What a row may take: of memory, and of the time limit with start and verification.
_MOST_BYTES, _MOST_TIMES = 4 * 10**9, 1.5


class Growing(Case):
    """A rule, and the sides of the layers that it is tried on; see ``rule_limits.toml``."""

    rule: str
    text: str
    sides: tuple[int, ...]


class Limit(Case):
    """A rule on a square layer of the suite ``scale``, with a step for each output position."""

    rule: str
    text: str
    side: int

    @property
    def name(self) -> str:
        """Rule and size."""
        return f"{self.rule} {self.side}x{self.side}"


def _cases() -> list[Limit]:
    return [
        Limit(rule=case.rule, text=case.text, side=side)
        for case in load("rule_limits", Growing)
        for side in case.sides
    ]


def _work(children: Children, case: Limit, limits: Limits) -> Row:
    layer = Size(side=case.side, groups="1 x 1").text
    with tempfile.TemporaryDirectory() as folder:
        rule = Path(folder) / "rule.lp"
        rule.write_text(f"{case.text}\n", encoding="utf-8")
        run = solve(children, layer, limits, f"--encoding={rule}")
    row: Row = {"rule": case.rule, "operations": case.side**2, **run.ending}
    if not run.report:
        return {**row, "said": run.ended.last_error, "within": False}
    quick = run.ended.seconds <= _MOST_TIMES * limits.time_limit
    return {
        **row,
        "steps": run.report["steps"],
        "obeyed": run.report["seconds"].get("obeyed"),
        "within": quick and run.ended.peak_bytes <= _MOST_BYTES,
        "tile": run.report["decomposition"]["tile"],
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    lines = []
    for rule in dict.fromkeys(row["rule"] for row in measured(rows)):
        alike = [row for row in measured(rows) if row["rule"] == rule]
        within = [row["operations"] for row in alike if row["within"]]
        beyond = [row["operations"] for row in alike if not row["within"]]
        words = f"up to {max(within)} operations" if within else "no size that was tried"
        lines.append(f"{rule}: {words}" + (f"; not {min(beyond)}." if beyond else "."))
    lines += [f"{row['name']}: {row['said']}" for row in measured(rows) if "said" in row]
    return lines


SUITE = Suite(
    name="rule_limits",
    title="Limits of rules: the largest layers that they are solved for",
    about=(
        "Layers of the suite scale, decomposition 1 x 1: an operation and a step for each output "
        "position. Each rule asks about other atoms: loads of a step; what is complete, which "
        "holds from some step on for each output; what every block takes; pairs of operations; and "
        "one redefines a step, so that the definition itself is searched. obeyed: seconds to the "
        "first plan that obeys. within: a verified plan in at most "
        f"{_MOST_TIMES:g} times the time limit, start and verification included, and 4 GB."
    ),
    columns=(
        Column("rule and outputs", cell("name")),
        Column("operations", cell("operations")),
        Column("steps", cell("steps")),
        Column("code", cell("code")),
        Column("obeyed", cell("obeyed", "{:.1f}")),
        Column("within", lambda row: "yes" if row["within"] else "no"),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=_cases,
    work=_work,
)
