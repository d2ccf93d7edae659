"""An order of operations cut into steps."""

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import Order


def steps_of_order(problem: Problem, order: Order, size: int, *, aligned: bool = False) -> IntArray:
    """Cut an order into steps of at most ``size`` operations that the processing unit can do.

    Parameters
    ----------
    aligned
        Cut it so that a step either lies in one run of the order or consists of whole ones, and
        these in one turn of the innermost loop, or of whole ones.

    Returns
    -------
    array of int, shape (operations at positions,)
        The step of each, from 1.
    """
    macs = np.bincount(order.unit, weights=problem.operation_macs[order.n, order.q])
    limit = problem.accelerator.macs_per_step
    size = min(size, int(limit // macs.max())) if aligned else size
    if aligned and size > 0:
        return _aligned_steps(order, size)[order.unit]
    if macs.max() * size <= limit:
        return order.unit // size + 1
    if macs.max() == macs.min():
        return order.unit // min(size, int(limit // macs[0])) + 1
    step, count, work = 1, 0, 0.0
    steps = np.empty(len(macs), dtype=np.int64)
    for unit, amount in enumerate(macs.tolist()):
        if count == size or work + amount > limit:
            step, count, work = step + 1, 0, 0.0
        steps[unit], count, work = step, count + 1, work + amount
    return steps[order.unit]


def _aligned_steps(order: Order, size: int) -> IntArray:
    """Return the step of each operation of the decomposition."""
    longest = int(_lengths(order.run).max())
    if size < longest:
        return _cut(order.run, size)
    first = np.flatnonzero(_begins(order.run))
    runs = size // longest
    per_turn = int(_lengths(order.turn[first]).max())
    if runs < per_turn:
        step = _cut(order.turn[first], runs)
    else:
        step = (np.cumsum(_begins(order.turn[first])) - 1) // (runs // per_turn) + 1
    found: IntArray = step[np.cumsum(_begins(order.run)) - 1]
    return found


def _begins(group: IntArray) -> BoolArray:
    """Mark where a sorted array of groups goes on to the next one."""
    begins: BoolArray = np.r_[True, group[1:] != group[:-1]]
    return begins


def _lengths(group: IntArray) -> IntArray:
    lengths: IntArray = np.diff(np.r_[np.flatnonzero(_begins(group)), len(group)])
    return lengths


def _cut(group: IntArray, size: int) -> IntArray:
    """Cut groups into pieces of at most so many members; return each one's piece, from 1."""
    begins = _begins(group)
    rank, length = np.cumsum(begins) - 1, _lengths(group)
    pieces = -(-length // size)
    inside = (np.arange(len(group)) - np.flatnonzero(begins)[rank]) // size
    found: IntArray = (np.cumsum(pieces) - pieces)[rank] + inside + 1
    return found
