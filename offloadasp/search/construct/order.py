"""The order of operations: a path over the output inside a nest of loops over the groups."""

from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import IntArray
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
    kernel_groups, channel_groups = problem.exists.shape
    table = {
        "s": _padded(np.arange(sets + 1) * kernel_groups // sets),
        "c": _padded(np.r_[regions, len(tiles)]),
    }
    sizes = {"s": sets, "c": len(regions), "n": table["s"].shape[1], "q": channel_groups}
    loops = [*((loop, sizes[loop]) for loop in f"s{nest}"), ("tile", table["c"].shape[1])]
    digits = _boustrophedon(loops)
    n = table["s"][digits["s"], digits["n"]]
    place = table["c"][digits["c"], digits["tile"]]
    q = digits["q"]
    valid = (place >= 0) & (n >= 0)
    valid[valid] = problem.exists[n[valid], q[valid]]
    n, q, place = n[valid], q[valid], place[valid]
    run = (np.arange(len(valid)) // table["c"].shape[1])[valid]
    order = Order(
        n, q, tiles[place, 0], tiles[place, 1], np.arange(len(n)), run, run // sizes[nest[-1]]
    )
    return _positions(problem, order)


def order_at(problem: Problem, n: IntArray, q: IntArray, row: IntArray, column: IntArray) -> Order:
    """Return operations on tiles as an order, each a run by itself; arrays of shape (units,)."""
    units = np.arange(len(n))
    return _positions(problem, Order(n, q, row, column, units, units, units))


def _padded(bounds: IntArray) -> IntArray:
    """List the members of consecutive ranges, a row a range, padded with −1."""
    size = np.diff(bounds)
    members = bounds[:-1, None] + np.arange(size.max())
    return np.where(members < bounds[1:, None], members, -1)


def _boustrophedon(loops: list[tuple[str, int]]) -> dict[str, IntArray]:
    """Count through a nest of loops, outermost first, each of which turns round every time.

    The tiles of a region first go the way of the loop over regions, so that the path goes on.
    """
    total = int(np.prod([size for _, size in loops]))
    outer = np.arange(total)
    digits: dict[str, IntArray] = {}
    inner = region = total
    turns = np.zeros_like(outer)
    for loop, size in loops:
        inner //= size
        starts, digit = np.divmod(outer // inner, size)
        if loop == "c":
            turns, region = starts, inner
        if loop == "tile":
            starts = turns + starts % (region // size)
        digits[loop] = np.where(starts % 2 == 0, digit, size - 1 - digit)
    return digits


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
