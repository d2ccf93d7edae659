"""Plans of depthwise layers for overlap: channels one after the other, or positions.

A depthwise layer has little work beside its data, and so few compute actions: what the first one
needs is much of all. So the size of the first action is varied.
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

# Shares of a full compute action, the likely ones first, and channels of an operation.
_SHARES = [Fraction(share, 20) for share in (20, 10, 5, 14, 3, 7, 2, 17, 4, 12)]
_GROUPS = (1, 4, 16, 64)


@dataclass(frozen=True)
class Pass:
    """An order of a depthwise layer's operations.

    Attributes
    ----------
    group
        Channels of an operation.
    by_channel
        Whether all positions of a channel come first, or all channels of a position.
    first
        The share of a full compute action that the first one does.
    """

    group: int
    by_channel: bool
    first: Fraction


def is_depthwise(layer: Layer) -> bool:
    """Whether each channel has one kernel of its own."""
    return layer.group == layer.input[0] == layer.kernels


def passes(layer: Layer) -> Iterator[Pass]:
    """Yield orders that are worth trying."""
    groups = sorted({min(group, layer.kernels) for group in _GROUPS})
    for first, by_channel, group in product(_SHARES, (True, False), groups):
        yield Pass(group, by_channel, first)


def passed(problem: Problem, way: Pass) -> Plan | None:
    """Return the serial plan of a pass, or None where it does not fit.

    Parameters
    ----------
    problem
        Serial, of a depthwise layer, in any decomposition.
    """
    kernels = problem.layer.kernels
    spans = tuple((a, min(a + way.group, kernels)) for a in range(0, kernels, way.group))
    laid = problem.with_decomposition(
        Resolved(tile=(1, 1), kernel_groups=spans, channel_groups=spans)
    )
    groups, positions = np.arange(len(spans)), np.arange(problem.positions)
    if way.by_channel:
        n, at = (index.ravel() for index in np.meshgrid(groups, positions, indexing="ij"))
    else:
        at, n = (index.ravel() for index in np.meshgrid(positions, groups, indexing="ij"))
    macs, limit = laid.operation_macs[n, n], problem.accelerator.macs_per_step
    if macs.max() > limit:
        return None
    step, unit = cut(np.cumsum(macs), int(way.first * limit), limit), np.arange(len(n))
    order = Order(n, n, *np.divmod(at, problem.out_width), unit, unit, unit)
    found = schedule(laid, order, step, 0, patience=None)
    return None if found is None else plan_of(laid, found)


def words(way: Pass) -> str:
    """Return a pass in a reader's words."""
    each = plural(way.group, "channel")
    return f"{each} after {each}" if way.by_channel else f"position by position, {each} at a time"
