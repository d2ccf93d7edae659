"""A plan for the least memory: one output after the other, in steps that need the least each.

It follows the derivation of :func:`offloadasp.bounds.least_memory`, so that wherever a strategy
exists at all one is found. It is used only where no traversal in loops fits.
"""

import itertools

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import Order


def careful_order(problem: Problem, tiles: IntArray) -> tuple[Order, IntArray]:
    """Return an order and the step of each of its operations.

    Each tile of outputs is computed either in one step with all its channel groups, if that needs
    less memory, or in one step a channel group, the least demanding one last.

    Parameters
    ----------
    tiles
        Rows ``(I, J)`` in the order of their visit.
    """
    rows: list[tuple[int, int, int, int, int, int]] = []
    step = unit = 0
    for (row, column), n in itertools.product(tiles.tolist(), range(len(problem.kernel_sizes))):
        positions, pixels = _tile(problem, row, column)
        groups = np.arange(problem.exists.first[n], problem.exists.stop[n])
        demand = pixels * problem.pixel_bytes[groups] + problem.kernel_bytes[n, groups]
        partial = int(problem.partial_bytes[n]) * len(positions)
        output = int(problem.output_bytes[n]) * len(positions)
        groups, demand = groups[np.argsort(-demand)], np.sort(demand)[::-1]
        apart = max(
            int(demand[:-1].max(initial=0)) + partial if len(groups) > 1 else 0,
            int(demand[-1]) + (max(partial, output) if len(groups) > 1 else output),
        )
        macs = int(problem.operation_macs[n, groups].sum()) * len(positions)
        fits = macs <= problem.accelerator.macs_per_step
        together = fits and int(demand.sum()) + output <= apart
        for k, q in enumerate(groups.tolist()):
            step += 1 if k == 0 or not together else 0
            rows += [(n, q, i, j, unit, step) for i, j in positions]
            unit += 1
    table = np.array(rows, dtype=np.int64)
    units = np.arange(int(table[-1, 4]) + 1)
    n, q, i, j, unit, at = table.T
    return Order(n, q, i, j, unit, units, units), at


def _tile(problem: Problem, row: int, column: int) -> tuple[list[tuple[int, int]], int]:
    """Return a tile's output positions and how many input positions they read."""
    height, width = problem.decomposition.tile
    i = range(row * height, min((row + 1) * height, problem.out_height))
    j = range(column * width, min((column + 1) * width, problem.out_width))
    rows, columns = problem.reads
    pixels = rows.distinct(height)[row] * columns.distinct(width)[column]
    return list(itertools.product(i, j)), int(pixels)
