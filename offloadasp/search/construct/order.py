"""The order of operations: a path over the output inside a nest of loops over the groups."""

import math
from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import IntArray, ranges
from offloadasp.model.pairs import Pairs
from offloadasp.model.problem import Problem

# Loops from outermost to innermost: c over regions of the path, n over kernel groups, q over
# channel groups; the tiles of a region are innermost. "nqc" is weight-stationary, "cnq" is
# output-stationary. A loop over sets of kernel groups may go around all of them.
NESTS = ("cnq", "cqn", "ncq", "nqc", "qcn", "qnc")


@dataclass(frozen=True)
class Order:
    """Operations at output positions, in the order of their computation.

    Attributes
    ----------
    n, q, i, j
        Kernel group, channel group and output position of each, shape (operations,).
    unit
        Which operation of the decomposition each belongs to, counted in this order: with tiles,
        all positions of a tile form one.
    run
        Counts the runs of operations on one region with one pair of groups, shape (units,).
    turn
        Counts the turns of the innermost loop over such runs, shape (units,).
    """

    n: IntArray
    q: IntArray
    i: IntArray
    j: IntArray
    unit: IntArray
    run: IntArray
    turn: IntArray


def order_of(
    problem: Problem, tiles: IntArray, regions: IntArray, nest: str, sets: int = 1
) -> Order:
    """Walk all operations: tiles in the given order, in regions, inside a nest of loops.

    Every loop turns round each time it starts anew, so that what was used last is used first.

    Parameters
    ----------
    problem
        Gives the groups, the tile and the output's shape.
    tiles
        Rows ``(I, J)`` in the order of their visit.
    regions
        Where in that order each region begins, ascending from 0.
    nest
        One of :data:`NESTS`.
    sets
        Number of sets of consecutive kernel groups, of about equal size, in the outermost loop.
    """
    walk = _Walk(problem.exists, np.r_[regions, len(tiles)], nest, sets)
    for loop in f"s{nest}":
        walk.enter(loop)
    run = walk.index
    walk.enter("tile")
    run = run[walk.owner]
    turn = run // walk.sizes[nest[-1]]
    place = walk.at["tile"]
    order = Order(
        walk.at["n"], walk.at["q"], tiles[place, 0], tiles[place, 1], np.arange(len(run)), run, turn
    )
    return _positions(problem, order)


def order_at(problem: Problem, n: IntArray, q: IntArray, row: IntArray, column: IntArray) -> Order:
    """Return operations on tiles as an order, each a run by itself; arrays of shape (units,)."""
    units = np.arange(len(n))
    return _positions(problem, Order(n, q, row, column, units, units, units))


class _Walk:
    """Counts through a nest of loops, outermost first, each of which turns round every time.

    The tiles of a region first go the way of the loop over regions, so that the path goes on.
    Every loop counts as if all ranges were as long as the longest and all pairs of groups existed,
    but what does not exist is left out as soon as that is known.

    Attributes
    ----------
    sizes
        How often each loop goes round at most.
    at
        Of each loop entered so far the member that it is at, shape (turns,).
    index
        The turns so far, as they are counted, shape (turns,).
    owner
        Of each turn the one of the loop around it, shape (turns,).
    """

    def __init__(self, pairs: Pairs, regions: IntArray, nest: str, sets: int):
        kernel_groups, channel_groups = pairs.shape
        self._pairs, self._nest = pairs, nest
        self._sets = np.arange(sets + 1) * kernel_groups // sets
        self._regions = regions
        self.sizes = {
            "s": sets,
            "c": len(regions) - 1,
            "n": int(np.diff(self._sets).max()),
            "q": channel_groups,
            "tile": int(np.diff(regions).max()),
        }
        self.at: dict[str, IntArray] = {}
        self.index = np.zeros(1, dtype=np.int64)
        self.owner = self.index

    def enter(self, loop: str) -> None:
        """Go round one loop more inside those entered so far."""
        size, starts = self.sizes[loop], self.index
        if loop == "tile":
            inside = math.prod(self.sizes[k] for k in self._nest[self._nest.index("c") + 1 :])
            starts = starts // (inside * self.sizes["c"]) + starts % inside
        first, low, high = self._range(loop)
        forwards = starts % 2 == 0
        begin, end = np.where(forwards, low, size - high), np.where(forwards, high, size - low)
        owner, count = ranges(begin, end)
        digit = np.where(forwards[owner], count, size - 1 - count)
        self.at = {known: places[owner] for known, places in self.at.items()}
        self.at[loop] = first[owner] + digit
        self.index, self.owner = self.index[owner] * size + count, owner

    def _range(self, loop: str) -> tuple[IntArray, IntArray, IntArray]:
        """Return the member to count from, and from which to which count members exist."""
        none = np.zeros_like(self.index)
        if loop in ("s", "c"):
            return none, none, none + self.sizes[loop]
        if loop == "tile":
            region = self.at["c"]
            return self._regions[region], none, np.diff(self._regions)[region]
        if loop == "n":
            first, stop = self._sets[self.at["s"]], self._sets[self.at["s"] + 1]
            if "q" not in self.at:
                return first, none, stop - first
            low, high = (side[self.at["q"]] for side in self._pairs.of_channels)
            return first, np.maximum(low - first, 0), np.minimum(high, stop) - first
        if "n" not in self.at:
            return none, none, none + self.sizes["q"]
        return none, self._pairs.first[self.at["n"]], self._pairs.stop[self.at["n"]]


def _positions(problem: Problem, order: Order) -> Order:
    """Replace every tile by its output positions."""
    height, width = problem.decomposition.tile
    if (height, width) == (1, 1):
        return order
    i = order.i[:, None, None] * height + np.arange(height)[None, :, None]
    j = order.j[:, None, None] * width + np.arange(width)[None, None, :]
    i, j = np.broadcast_arrays(i, j)
    inside = (i < problem.out_height) & (j < problem.out_width)
    unit = np.broadcast_to(order.unit[:, None, None], i.shape)[inside]
    return Order(order.n[unit], order.q[unit], i[inside], j[inside], unit, order.run, order.turn)
