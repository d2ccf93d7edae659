"""The order of operations: a path over the output inside a nest of loops over the groups."""

from dataclasses import dataclass

import numpy as np

from offloadasp.problem import IntArray, Problem

# Loops from outermost to innermost: c over chunks of the path, n over kernel groups, q over
# channel groups; the tiles of a chunk are innermost. "nqc" is weight-stationary, "cnq" with one
# tile a chunk is output-stationary.
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
    """

    n: IntArray
    q: IntArray
    i: IntArray
    j: IntArray
    unit: IntArray


def order_of(problem: Problem, tiles: IntArray, nest: str, chunk: int) -> Order:
    """Walk all operations: tiles in the given order, in chunks, inside a nest of loops.

    Every loop turns round each time it starts anew, so that what was used last is used first.

    Parameters
    ----------
    problem
        Gives the groups, the tile and the output's shape.
    tiles
        Rows ``(I, J)`` in the order of their visit.
    nest
        One of :data:`NESTS`.
    chunk
        Tiles per chunk of the path.
    """
    kernel_groups, channel_groups = problem.exists.shape
    sizes = {"c": -(-len(tiles) // chunk), "n": kernel_groups, "q": channel_groups}
    total = int(np.prod(list(sizes.values()))) * chunk
    outer = np.arange(total)
    digits: dict[str, IntArray] = {}
    inner = total
    for loop, size in [*((loop, sizes[loop]) for loop in nest), ("tile", chunk)]:
        inner //= size
        count = outer // inner  # how often this loop's body has been entered
        digit, starts = count % size, count // size
        digits[loop] = np.where(starts % 2 == 0, digit, size - 1 - digit)
    place = digits["c"] * chunk + digits["tile"]
    valid = (place < len(tiles)) & problem.exists[digits["n"], digits["q"]]
    n, q, place = digits["n"][valid], digits["q"][valid], place[valid]
    return order_at(problem, n, q, tiles[place, 0], tiles[place, 1])


def order_at(problem: Problem, n: IntArray, q: IntArray, row: IntArray, column: IntArray) -> Order:
    """Return operations on tiles as an order; all arrays have the shape (operations,)."""
    height, width = problem.decomposition.tile
    unit = np.arange(len(n))
    if (height, width) == (1, 1):
        return Order(n, q, row, column, unit)
    i = row[:, None, None] * height + np.arange(height)[None, :, None]
    j = column[:, None, None] * width + np.arange(width)[None, None, :]
    i, j = np.broadcast_arrays(i, j)
    inside = (i < problem.out_height) & (j < problem.out_width)
    unit = np.broadcast_to(unit[:, None, None], i.shape)[inside]
    return Order(n[unit], q[unit], i[inside], j[inside], unit)
