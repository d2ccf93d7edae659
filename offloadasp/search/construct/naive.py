"""Plans that reuse nothing: every step loads all that it needs and keeps none of it.

What a host does that treats every compute action by itself. A reference to compare with: it shows
what keeping data on chip is worth at all.
"""

from itertools import islice

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.construct.blocking import most_operations
from offloadasp.search.construct.order import Order, order_of
from offloadasp.search.construct.steps import steps_of_order
from offloadasp.search.construct.traversal import ROW_BY_ROW, visits
from offloadasp.search.construct.variations import smaller

# Of the step sizes that fit, so many of the largest are compared.
_FITTING = 4


def without_reuse(problem: Problem) -> Plan | None:
    """Return the shortest plan without any reuse that fits, row by row; None if none was found.

    Operations on one output position follow each other, kernel group by kernel group. The larger
    the steps, the less is loaded twice; the largest that fit are tried. The last plan computes an
    output in one step where that fits, and in single operations elsewhere.
    """
    tiles = visits(problem.tile_grid, ROW_BY_ROW)
    order = order_of(problem, tiles, np.arange(len(tiles)), "cnq")
    plans = (
        _plan(problem, order, steps_of_order(problem, order, size))
        for size in smaller(most_operations(problem, smallest=True))
    )
    fitting = (plan for plan in plans if plan.counts.peak <= problem.memory)
    by_outputs = _plan(problem, order, _steps_by_outputs(problem, order))
    found = list(islice(fitting, _FITTING))
    if by_outputs.counts.peak <= problem.memory:
        found.append(by_outputs)
    return min(found, key=lambda plan: plan.cost, default=None)


def _steps_by_outputs(problem: Problem, order: Order) -> IntArray:
    """Return steps of whole outputs, or of single operations where a whole output does not fit."""
    _, first, unit = np.unique(order.unit, return_index=True, return_inverse=True)
    tile = problem.decomposition.tile
    place = np.column_stack([order.n, order.i // tile[0], order.j // tile[1]])[first]
    output = np.cumsum(np.r_[True, (place[1:] != place[:-1]).any(axis=1)])
    macs = np.bincount(output[unit], weights=problem.operation_macs[order.n, order.q])
    taken = _plan(problem, order, output[unit]).on_chip_bytes()[: len(macs)]
    fits = (macs <= problem.accelerator.macs_per_step) & (taken <= problem.memory)
    begins = np.r_[True, output[1:] != output[:-1]] | ~fits[output]
    steps: IntArray = np.cumsum(begins)[unit]
    return steps


def _plan(problem: Problem, order: Order, step: IntArray) -> Plan:
    """Load what each step needs, and write or free all of it in the next one."""
    pixels = _pixels(problem, order, step)
    kernels = _distinct((step, order.n, order.q), problem.exists.shape)
    outputs, begun, complete = _outputs(problem, order, step)
    later = np.array([1, 0, 0, 0])
    return Plan(
        problem,
        free_pixels=pixels + later,
        free_kernels=kernels + later[:3],
        write_outputs=outputs[complete] + later,
        write_partial_sums=outputs[~complete] + later,
        load_pixels=pixels,
        load_kernels=kernels,
        load_partial_sums=outputs[~begun],
        compute=np.column_stack([step, order.n, order.q, order.i, order.j]),
    )


def _pixels(problem: Problem, order: Order, step: IntArray) -> IntArray:
    """Return the pixel blocks that each step needs: rows (step, q, r, c), each once."""
    layer = problem.layer
    channels, height, width = len(problem.channel_sizes), *layer.input[1:]
    (sh, sw), (dh, dw), (top, left) = layer.strides, layer.dilations, layer.pads[:2]
    shape = (channels, height, width)
    found = []
    for a in range(layer.kernel_shape[0]):
        for b in range(layer.kernel_shape[1]):
            r, c = order.i * sh + a * dh - top, order.j * sw + b * dw - left
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            at = (step[inside], order.q[inside], r[inside], c[inside])
            found.append(_distinct(at, shape))
    return _distinct(tuple(np.concatenate(found).T), shape)


def _outputs(
    problem: Problem, order: Order, step: IntArray
) -> tuple[IntArray, BoolArray, BoolArray]:
    """Return the outputs that each step touches, rows (step, n, i, j), begun and ended ones."""
    shape = (len(problem.kernel_sizes), problem.out_height, problem.out_width)
    rows = _distinct((step, order.n, order.i, order.j), shape)
    block = np.ravel_multi_index(tuple(rows.T[1:]), shape)
    begun, complete = np.zeros((2, len(rows)), dtype=bool)
    begun[np.unique(block, return_index=True)[1]] = True
    complete[len(rows) - 1 - np.unique(block[::-1], return_index=True)[1]] = True
    return rows, begun, complete


def _distinct(columns: tuple[IntArray, ...], shape: tuple[int, ...]) -> IntArray:
    """Return the distinct rows of columns, the first of which is a step, sorted."""
    whole = (int(columns[0].max(initial=0)) + 1, *shape)
    flat = np.unique(np.ravel_multi_index(columns, whole))
    return np.column_stack(np.unravel_index(flat, whole))
