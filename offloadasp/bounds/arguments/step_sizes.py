"""The bound by sizes of steps: fewer steps hold more operations each, and load more.

For each number of steps from the least on, the loads of strategies of exactly that many steps are
bounded; the least cost of all is a bound. Derivation: docs/bounds.md, section 9.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated

import numpy as np

from offloadasp.base.errors import InputError
from offloadasp.bounds.argument import Floor, JointArgument
from offloadasp.bounds.geometry.compulsory import compulsory_loads
from offloadasp.bounds.geometry.lines import Steps, extra_loads
from offloadasp.bounds.geometry.operations import input_capacity
from offloadasp.bounds.geometry.relaxation import MOST_OPERATIONS, Windows, least_loads
from offloadasp.bounds.parameters import Pairs, Params, pairs
from offloadasp.bounds.view import View
from offloadasp.model.semantics import SERIAL

# Numbers of steps that are looked at. More steps than these load what any number of steps does.
_MOST_NUMBERS = 64
_MOST_SEARCHES = 8
_MOST_PROOFS = 16


class Proofs(Params):
    """What the size relaxation is to prove.

    Attributes
    ----------
    windows
        Pairs of a number of steps and the bytes loaded that are to be proved for it. More than the
        relaxation proves count as what it does.
    """

    windows: Annotated[Pairs, pairs("[steps, bytes]", 0, _MOST_PROOFS)]


def _propose(view: View, floor: Floor) -> Iterator[Proofs]:
    if view.problem.prices.compute and not view.inner:
        yield Proofs(windows=tuple(_relaxed(view, floor)))


def _value(view: View, proofs: Proofs, floor: Floor) -> Fraction:
    """Bound the cost of all loads and compute actions. The view must show all positions."""
    if view.inner:
        raise InputError("inner: must be false")
    prices, asked, windows = view.problem.prices, dict(proofs.windows), _windows(view)
    best: Fraction | None = None
    for steps in range(floor.steps, floor.steps + _MOST_NUMBERS):
        compute = prices.compute * steps
        if best is not None and compute + prices.load * floor.loads >= best:
            return best
        loads = max(floor.loads, _line_loads(view, steps))
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


def _relaxed(view: View, floor: Floor) -> Iterator[tuple[int, int]]:
    """Yield what the size relaxation proves for numbers of steps that can be the cheapest ones."""
    prices, windows = view.problem.prices, _windows(view)
    if windows is None:
        return
    for steps in range(floor.steps, floor.steps + _MOST_SEARCHES):
        loads = max(floor.loads, _line_loads(view, steps))
        proved = least_loads(windows, steps)
        if proved + view.sizes.apart_bytes > loads:
            yield steps, proved
            loads = proved + view.sizes.apart_bytes
        saved = prices.load * (loads - floor.loads)
        if saved <= prices.compute:
            return


def _line_loads(view: View, steps: int) -> int:
    """Bound the bytes loaded in so many steps, by full steps on lines."""
    problem, exactly = view.problem, Steps(view.group, steps)
    extra = extra_loads(problem.layer, problem.capacity, view.sizes, view.tile, exactly)
    return compulsory_loads(problem) + extra


def _windows(view: View) -> Windows | None:
    """Return what the size relaxation knows of the view; None if there are too many operations."""
    sizes = view.sizes
    if sizes.operations > MOST_OPERATIONS:
        return None
    need = view.footprint.at(np.arange(1, sizes.operations + 1))
    # With one channel group every operation of a step has an output block of its own.
    each = sizes.computing_bytes if sizes.depth == 1 else 0
    memory = view.problem.capacity
    capacity = tuple(input_capacity(sizes, memory - more * each) for more in range(view.group))
    return Windows(np.concatenate([[0], need]), capacity)


def _sentence(_: Proofs) -> str:
    return (
        "the fewer compute actions there are, the more each of them must do; that takes memory, "
        "and so more is loaded again"
    )


ARGUMENT = JointArgument(
    name="step_sizes",
    params=Proofs,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=frozenset({SERIAL}),
)
