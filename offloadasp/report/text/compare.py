"""A table of strategies for one layer: the one found, the plain orders, and no reuse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rich.text import Text

from offloadasp.judge.simulator import Books
from offloadasp.model.instance import exact_number
from offloadasp.model.objectives import gap
from offloadasp.model.plan import Plan
from offloadasp.model.strategy import Strategy
from offloadasp.report.stalls import overlap_of
from offloadasp.report.text.screen import console, show_rows
from offloadasp.report.text.table import show_table
from offloadasp.report.text.words import (
    BASELINES,
    NONE_PROVED,
    breaches_words,
    cycles,
    decomposition_words,
    layer_words,
    mixed,
    percent,
    rules_words,
)

# Columns that matter least come first.
_SPARE = ("peak", "actions", "written", "loaded")


@dataclass(frozen=True)
class Row:
    """A strategy in the table.

    Attributes
    ----------
    name
        ``found``, or of a baseline.
    plan
        None for the strategy found.
    """

    name: str
    books: Books
    plan: Plan | None = None


def show_comparison(strategy: Strategy, scope: str, rows: Sequence[Row]) -> None:
    """Print a row a strategy, the one found first."""
    bound = strategy.lower_bound
    screen = console()
    instance = strategy.instance
    screen.print(Text(instance.name, "bold"))
    screen.print()
    show_rows(
        screen,
        [
            ("layer", layer_words(instance.layer)),
            ("lower bound", f"{cycles(bound)}, for {scope}" if bound else NONE_PROVED),
            ("found", f"{strategy.status}; {decomposition_words(instance.decomposition)}"),
            *([("rules", rules_words(strategy.rules))] if strategy.rules is not None else []),
        ],
    )
    screen.print()
    head = ("strategy", "cycles", "longer", "gap", "loaded", "written", "actions", "peak")
    table = [_cells(row, rows[0], strategy, bound) for row in rows]
    show_table(console(wide=True), head, table, spare=_SPARE)
    screen.print()
    screen.print("longer: than the first row; gap: to the lower bound; loaded, written and peak")
    screen.print("of memory in bytes; actions: compute actions. No reuse: row by row in the first")
    screen.print("row's decomposition, where every step loads all that it needs.")
    there = {row.name for row in rows}
    if not strategy.instance.accelerator.overlaps:
        there.add("pipelined")  # nobody asked for it
    else:
        perfect = mixed(overlap_of(rows[0].books).perfect)
        screen.print(f"Perfect overlap of the first row's transfers: {perfect} cycles.")
    # Under rules of the user the plain orders, which may break them, are not looked for.
    wanted = () if strategy.rules is not None else [name for name in BASELINES if name != "shipped"]
    broken = "" if strategy.rules is None else breaches_words(strategy.rules)
    if broken:
        screen.print(Text(f"The plan without your rules breaks {broken}."))
    for name in (name for name in wanted if name not in there):
        screen.print(f"No strategy of the kind '{BASELINES[name]}' was found within the limits.")


def comparison_object(strategy: Strategy, scope: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the table as JSON."""
    bound = strategy.lower_bound
    return {
        "name": strategy.instance.name,
        "status": strategy.status,
        "lower_bound": exact_number(bound),
        "bound_holds_for": scope,
        **({} if strategy.rules is None else {"rules": strategy.rules.described}),
        "strategies": {row.name: _object(row, bound, strategy) for row in rows},
        **_perfect(strategy, rows[0]),
    }


def _perfect(strategy: Strategy, found: Row) -> dict[str, Any]:
    """Return the longest of the lanes' totals, where transfers overlap."""
    if not strategy.instance.accelerator.overlaps:
        return {}
    return {"perfect_overlap": exact_number(overlap_of(found.books).perfect)}


def _object(row: Row, bound: Fraction, strategy: Strategy) -> Mapping[str, Any]:
    books = row.books
    decomposition = strategy.instance.decomposition
    if row.plan is not None:
        decomposition = row.plan.problem.decomposition
    return {
        "duration": exact_number(books.duration),
        "gap": float(gap(books.duration, bound)),
        "loaded": books.loads.total,
        "written": books.writes.total,
        "steps": books.compute_steps,
        "peak_memory": books.peak_memory,
        "decomposition": decomposition.model_dump(mode="json"),
    }


def _cells(row: Row, first: Row, strategy: Strategy, bound: Fraction) -> tuple[str, ...]:
    books = row.books
    duration = books.duration
    best = "optimal" if strategy.status == "optimal" else "best found"
    return (
        best if row.plan is None else BASELINES[row.name],
        mixed(duration),
        percent(_longer(duration, first.books.duration)),
        percent(gap(duration, bound)),
        str(books.loads.total),
        str(books.writes.total),
        str(books.compute_steps),
        str(books.peak_memory),
    )


def _longer(duration: Fraction, first: Fraction) -> Fraction:
    return (duration - first) / first if first else Fraction(0)
