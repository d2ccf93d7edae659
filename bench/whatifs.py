"""The suite ``whatifs``: what rules that engineers ask about cost on real layers."""

from collections.abc import Sequence
from fractions import Fraction

from bench.case import Case, load
from bench.child import Children
from bench.offload import solve
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.base.resources import encodings_folder, instances_folder

# Rows without a plan and without a proof that there is none.
_MOST_OPEN = 5


class Layers(Case):
    """Rules of ``encodings/examples/`` and the shipped layers that each is tried on."""

    rules: tuple[str, ...]
    layers: tuple[str, ...]


class WhatIf(Case):
    """A rule on a layer."""

    rule: str
    layer: str

    @property
    def name(self) -> str:
        """Rule and layer."""
        return f"{self.rule} {self.layer}"


def _cases() -> list[WhatIf]:
    return [
        WhatIf(rule=rule, layer=layer)
        for case in load("whatifs", Layers)
        for rule in case.rules
        for layer in case.layers
    ]


def _work(children: Children, case: WhatIf, limits: Limits) -> Row:
    text = (instances_folder() / f"{case.layer}.toml").read_text(encoding="utf-8")
    rule = encodings_folder() / "examples" / f"{case.rule}.lp"
    run = solve(children, text, limits, f"--encoding={rule}")
    known = {InfeasibleError.exit_code: "infeasible", NoStrategyError.exit_code: "none found"}
    if run.ended.code in known:
        return {
            **run.ending,
            "status": known[run.ended.code],
            # The file is a copy in a folder of its own.
            "said": run.ended.last_error.rpartition("/instance.toml: ")[2],
        }
    if not run.report:
        return run.row
    report, objective = run.report, run.report["objective"]
    return {
        **run.row,
        "duration": report["duration"],
        "shipped": report["baselines"].get("shipped"),
        "value": objective["value"],
        "bound": objective["lower_bound"],
        "obeyed": report["seconds"].get("obeyed"),
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    there = measured(rows)
    open_ = [row for row in there if row["code"] == NoStrategyError.exit_code]
    fit = [row for row in there if row["code"] == 0]
    refuted = len(there) - len(open_) - len(fit)
    free = sum(row["duration"] == row["shipped"] == row["value"] for row in fit)
    lines = [
        f"{len(fit)} of {len(there)} have a verified plan, {free} of them at no cost; "
        f"{refuted} proved infeasible; {len(open_)} end without either (goal: at most "
        f"{_MOST_OPEN})."
    ]
    lines += [f"{row['name']}: {row['said']}" for row in there if "said" in row]
    return lines


def _dearer(row: Row) -> str:
    if row.get("shipped") is None:
        return "-"
    duration, shipped = Fraction(row["duration"]), Fraction(row["shipped"])
    return f"{float(duration / shipped - 1):.1%}" if shipped else "-"


SUITE = Suite(
    name="whatifs",
    title="What-ifs: rules that engineers ask about, on real layers",
    about=(
        "Each rule is a file of encodings/examples/, added to the shipped rules with --encoding; "
        "the layers and their accelerators are as shipped. cycles: the duration of the plan "
        "found under the rule. shipped: that of the plan which the same run found without it. "
        "more: its increase. value and bound: of what the rules minimise, and what is proved "
        "of every strategy. obeyed: seconds from the start of the search to the first plan that "
        "obeys the rule. code: 0 a verified plan, 3 proved infeasible, 4 none found."
    ),
    columns=(
        Column("rule and layer", cell("name")),
        Column("code", cell("code")),
        Column("cycles", cell("duration")),
        Column("shipped", cell("shipped")),
        Column("more", _dearer),
        Column("value", cell("value")),
        Column("bound", cell("bound")),
        Column("obeyed", cell("obeyed", "{:.1f}")),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=_cases,
    work=_work,
)
