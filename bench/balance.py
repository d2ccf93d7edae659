"""The suite ``balance``: overlap where compute actions take as long as transfers."""

import math
import statistics
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bench import flat, layers
from bench.child import Children
from bench.offload import parse, proved, solve, whole
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.bounds import lower_bound
from offloadasp.model.instance_text import toml
from offloadasp.model.semantics import DMA, DUPLEX, semantics_of

_LAYERS = "1/16"


@dataclass(frozen=True)
class Balanced:
    """An instance with overlap."""

    name: str
    text: str


def balanced(text: str, overlap: str) -> str:
    """Return an instance whose least compute actions take as long as its least transfers.

    Both are those that are proved without overlap; transfers have one lane or two.
    """
    problem = whole(parse(text))
    least, rates = proved(problem, lower_bound(problem).certificate), problem.accelerator
    transfers = semantics_of(overlap).longest_transfer(
        rates.load_cycles * least.loads, rates.write_cycles * least.writes
    )
    table = tomllib.loads(text)
    compute = max(1, math.ceil(transfers / least.steps))
    table["accelerator"] |= {"compute_cycles": compute, "overlap": overlap}
    return toml(table)


def cases() -> Iterator[Balanced]:
    """Yield the cases of ``flat``, and real layers at a sixteenth of their data."""
    shown = [(f"flat {case.name}", case.text) for case in flat.cases()]
    shown += [(case.name, case.text) for case in layers.cases() if case.name.endswith(_LAYERS)]
    for name, text in shown:
        for overlap in (DMA.name, DUPLEX.name):
            yield Balanced(f"{name}, {overlap}", balanced(text, overlap))


def _work(children: Children, case: Balanced, limits: Limits) -> Row:
    run = solve(children, case.text, limits)
    if not run.report:
        return run.row
    found, overlap = Fraction(run.report["duration"]), run.report["overlap"]
    naive = run.report["baselines"].get("pipelined")
    return {
        **run.row,
        "gap": run.report["gap"],
        "hidden": overlap["hidden"],
        "serial": float(Fraction(overlap["serial"]) / found),
        "perfect": float(Fraction(overlap["perfect"]) / found),
    } | ({} if naive is None else {"naive": float(Fraction(naive) / found)})


def _summary(rows: Sequence[Row]) -> list[str]:
    lines = []
    for kind in ("flat", "layer"):
        is_flat = kind == "flat"
        of_kind = [row for row in measured(rows) if row["name"].startswith("flat") == is_flat]
        if of_kind:
            gap = statistics.median(row["gap"] for row in of_kind)
            hidden = statistics.median(row["hidden"] for row in of_kind)
            proved = sum(row["status"] == "optimal" for row in of_kind)
            lines.append(
                f"Rows of kind {kind}: {len(of_kind)}, {proved} proved optimal, median gap "
                f"{gap:.1%}, median share of transfers hidden {hidden:.1%}."
            )
    return lines


SUITE = Suite(
    name="balance",
    title="Balance: overlap where compute actions take as long as transfers",
    about=(
        "The cases of the suite flat, and real layers at a sixteenth of their data, with one DMA "
        "and with two. compute_cycles is such that the fewest compute actions proved take as long "
        "as the fewest bytes proved: that is hardest to hide. Hidden: the share of transfers "
        "beside compute actions. Serial, naive, perfect: the duration of the same plan without "
        "overlap, of the best serial plan with its transfers moved, and of the longest lane, over "
        "the duration found."
    ),
    columns=(
        Column("case", cell("name")),
        Column("gap", cell("gap", "{:.2%}")),
        Column("hidden", cell("hidden", "{:.1%}")),
        Column("serial", cell("serial", "{:.2f}")),
        Column("naive", cell("naive", "{:.2f}")),
        Column("perfect", cell("perfect", "{:.2f}")),
        Column("status", cell("status")),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=cases,
    work=_work,
)
