"""Plans of small layers for overlap: kernel groups one after the other, or positions.

Where there is little work beside the data, few compute actions do it all, and what the first one
needs and the last one leaves is much of the data. So the size of the first action is varied, and
the rest is also divided into more actions than it takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from offloadasp.base.messages import plural
from offloadasp.model.instance import Layer, Resolved
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import Order
from offloadasp.search.construct.residency import plan_of, schedule
from offloadasp.search.overlap.streaming import cut

# Compute actions, as few as can be first, and shares of one for the first of them; the likely ones
# first. Kernels of an operation.
_SHARES = [Fraction(share, 20) for share in (20, 10, 5, 14, 3, 7, 2, 17, 4, 12)]
_ACTIONS, _SHARES_OF_MANY = (8, 12, 16, 24, 32, 48), _SHARES[:2]
_GROUPS = (1, 4, 16, 64)


@dataclass(frozen=True)
class Pass:
    """An order of a layer's operations.

    Attributes
    ----------
    group
        Kernels of an operation; of a depthwise layer channels, too.
    by_kernel
        Whether all positions of a kernel group come first, or all kernels of a position.
    actions
        Compute actions that share the work; 0: as few as can be.
    first
        The share of such an action that the first one does.
    """

    group: int
    by_kernel: bool
    actions: int
    first: Fraction


def can_pass(layer: Layer) -> bool:
    """Whether a layer has one convolution group, or each of its channels a kernel of its own."""
    return layer.group == 1 or _is_depthwise(layer)


def _is_depthwise(layer: Layer) -> bool:
    return layer.group == layer.input[0] == layer.kernels


def passes(layer: Layer) -> Iterator[Pass]:
    """Yield orders that are worth trying, one with as few actions as can be among three."""
    groups = sorted({min(group, layer.kernels) for group in _GROUPS})
    few = [
        Pass(group, by_kernel, 0, first)
        for first, by_kernel, group in product(_SHARES, (True, False), groups)
    ]
    many = [
        Pass(group, by_kernel, actions, first)
        for first, actions, by_kernel, group in product(
            _SHARES_OF_MANY, _ACTIONS, (True, False), groups
        )
    ]
    while few or many:
        yield from few[:1] + many[:2]
        few, many = few[1:], many[2:]


def passed(problem: Problem, way: Pass) -> Plan | None:
    """Return the serial plan of a pass, or None where it does not fit.

    Parameters
    ----------
    problem
        Serial, of a layer that `can_pass`, in any decomposition.
    """
    layer, limit = problem.layer, problem.accelerator.macs_per_step
    kernels = layer.kernels
    spans = tuple((a, min(a + way.group, kernels)) for a in range(0, kernels, way.group))
    channels = spans if _is_depthwise(layer) else ((0, layer.input[0]),)
    laid = problem.with_decomposition(
        Resolved(tile=(1, 1), kernel_groups=spans, channel_groups=channels)
    )
    groups, positions = np.arange(len(spans)), np.arange(problem.positions)
    if way.by_kernel:
        n, at = (index.ravel() for index in np.meshgrid(groups, positions, indexing="ij"))
    else:
        at, n = (index.ravel() for index in np.meshgrid(positions, groups, indexing="ij"))
    q = n if _is_depthwise(layer) else np.zeros_like(n)
    macs = laid.operation_macs[n, q]
    if macs.max() > limit:
        return None
    work = min(limit, -(-int(macs.sum()) // way.actions)) if way.actions else limit
    step, unit = cut(np.cumsum(macs), int(way.first * work), work), np.arange(len(n))
    order = Order(n, q, *np.divmod(at, problem.out_width), unit, unit, unit)
    found = schedule(laid, order, step, 0, patience=None)
    return None if found is None else plan_of(laid, found)


def words(way: Pass) -> str:
    """Return a pass in a reader's words."""
    each = plural(way.group, "kernel")
    return f"{each} after {each}" if way.by_kernel else f"position by position, {each} at a time"
