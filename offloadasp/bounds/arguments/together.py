"""Loads and compute actions bounded together: fewer steps hold more operations, and load more.

For each number of steps from the least on, the loads of strategies of exactly that many steps are
bounded; the least cost of all is a bound. Derivation: docs/bounds.md, "Loads and steps together".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from offloadasp.bounds.arguments.lines import Steps, extra_loads
from offloadasp.bounds.arguments.relaxation import MOST_OPERATIONS, Windows, least_loads
from offloadasp.bounds.geometry.operations import input_capacity
from offloadasp.bounds.view import View

# Numbers of steps that are looked at. More steps than these load what any number of steps does.
_MOST_NUMBERS = 64
_MOST_SEARCHES = 8

# Pairs of a number of steps and the bytes that the size relaxation proves for it.
Proofs = list[tuple[int, int]]


@dataclass(frozen=True)
class Floor:
    """What holds of any number of steps.

    Attributes
    ----------
    loads
        Least bytes loaded in all.
    compulsory
        Those of them that load every block once.
    steps
        Least number of compute actions.
    """

    loads: int
    compulsory: int
    steps: int


def together(view: View, floor: Floor, proofs: Sequence[tuple[int, int]]) -> Fraction:
    """Bound the cycles of all loads and compute actions.

    Parameters
    ----------
    view
        What to look at; with all of its positions.
    proofs
        For which numbers of steps to use the size relaxation, and the bytes that are to be proved
        by it. More than it proves count as what it does.
    """
    prices, group = view.problem.prices, view.group
    asked, windows = dict(proofs), _windows(view, group)
    best: Fraction | None = None
    for steps in range(floor.steps, floor.steps + _MOST_NUMBERS):
        compute = prices.compute * steps
        if best is not None and compute + prices.load * floor.loads >= best:
            return best
        loads = max(floor.loads, floor.compulsory + _extra(view, Steps(group, steps)))
        if windows is not None and steps in asked:
            proved = least_loads(windows, steps, asked[steps])
            loads = max(loads, proved + view.sizes.apart_bytes)
        cost = compute + prices.load * loads
        best = cost if best is None else min(best, cost)
        if loads == floor.loads:
            return best
    rest = prices.compute * (floor.steps + _MOST_NUMBERS)
    rest += prices.load * floor.loads
    return rest if best is None else min(best, rest)


def relaxed(view: View, floor: Floor) -> Proofs:
    """Find what the size relaxation proves for numbers of steps that can be the cheapest ones."""
    prices, group = view.problem.prices, view.group
    windows = _windows(view, group)
    proofs: Proofs = []
    if windows is None:
        return proofs
    for steps in range(floor.steps, floor.steps + _MOST_SEARCHES):
        loads = max(floor.loads, floor.compulsory + _extra(view, Steps(group, steps)))
        proved = least_loads(windows, steps)
        if proved + view.sizes.apart_bytes > loads:
            proofs.append((steps, proved))
            loads = proved + view.sizes.apart_bytes
        saved = prices.load * (loads - floor.loads)
        if saved <= prices.compute:
            break
    return proofs


def _extra(view: View, steps: Steps) -> int:
    problem = view.problem
    return extra_loads(problem.layer, problem.capacity, view.sizes, view.tile, steps)


def _windows(view: View, group: int) -> Windows | None:
    sizes = view.sizes
    if sizes.operations > MOST_OPERATIONS:
        return None
    need = view.footprint.at(np.arange(1, sizes.operations + 1))
    # With one channel group every operation of a step has an output block of its own.
    each = sizes.computing_bytes if sizes.depth == 1 else 0
    memory = view.problem.capacity
    capacity = tuple(input_capacity(sizes, memory - more * each) for more in range(group))
    return Windows(np.concatenate([[0], need]), capacity)
