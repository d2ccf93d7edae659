"""The operations of a plan in another order, with what is kept on chip decided anew.

A rule that asks for an order is often broken by the best plan as a whole, and kept by one that
computes a part of the layer first and goes on as before. A rule that asks for kernels to stay is
kept by one that leaves them room.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import order_at
from offloadasp.search.construct.residency import plan_of, schedule

# Rows or columns of tiles that are computed first, at most.
_FIRST = 2
# Steps that may become one, where their work and what they need on chip let them.
_JOINED = (1, 2, 4, 1 << 30)


def reordered(plan: Plan) -> Iterator[Plan]:
    """Yield plans of the same operations in other orders, those that fit into the memory.

    Kernels stay on chip to the end; the first rows or columns of tiles come first; or all of them
    come one after the other, or the kernel groups, or the channel groups do. Operations are
    computed together as before, or those of several steps are where that is shorter.
    """
    height, width = plan.problem.decomposition.tile
    rows = plan.compute.copy()
    rows[:, 3] //= height
    rows[:, 4] //= width
    operations = np.unique(rows, axis=0)
    before = _ranks(operations[:, :1])
    found = _staying(plan, operations, before)
    if found is not None:
        yield found
    seen = {tuple(before.tolist())}
    for key in _keys(operations):
        turn = _ranks(np.column_stack([key, operations[:, 0]]))
        if tuple(turn.tolist()) in seen:
            continue
        seen.add(tuple(turn.tolist()))
        joined = (_joined(plan.problem, operations, turn, most) for most in _JOINED)
        made = [_scheduled(plan.problem, operations, one) for one in joined]
        fitting = [one for one in made if one is not None]
        if fitting:
            yield min(fitting, key=lambda one: one.cost)


def _keys(operations: IntArray) -> Iterator[IntArray]:
    """Yield what operations are sorted by before their steps, gentle ways first."""
    _, n, q, i, j = operations.T
    for count in range(1, _FIRST + 1):
        yield from (np.asarray(line >= count, dtype=np.int64) for line in (i, j))
    yield from (i, j, n, q)


def _ranks(keys: IntArray) -> IntArray:
    """Return the place of each row among the distinct rows, from 1."""
    places: IntArray = np.unique(keys, axis=0, return_inverse=True)[1]
    return places.reshape(-1) + 1


def _joined(problem: Problem, operations: IntArray, turn: IntArray, most: int) -> IntArray:
    """Return steps of which each is as many turns as the processing unit can do, at most so many.

    Parameters
    ----------
    turn
        Of each operation, from 1.
    """
    _, n, q, i, j = operations.T
    height, width = problem.decomposition.tile
    high = np.minimum(height, problem.out_height - i * height)
    wide = np.minimum(width, problem.out_width - j * width)
    work = np.bincount(turn, weights=problem.operation_macs[n, q] * high * wide)
    step, count, done = 0, most, 0.0
    steps = np.zeros(len(work), dtype=np.int64)
    for one, amount in enumerate(work[1:].tolist(), start=1):
        if count == most or done + amount > problem.accelerator.macs_per_step:
            step, count, done = step + 1, 0, 0.0
        steps[one], count, done = step, count + 1, done + amount
    return steps[turn]


def _scheduled(problem: Problem, operations: IntArray, step: IntArray) -> Plan | None:
    first = np.argsort(step, kind="stable")
    _, n, q, i, j = operations[first].T
    order = order_at(problem, n, q, i, j)
    found = schedule(problem, order, step[first][order.unit], 0, patience=None)
    return None if found is None else plan_of(problem, found)


def _staying(plan: Plan, operations: IntArray, step: IntArray) -> Plan | None:
    """Return a plan in which every kernel block is loaded once and freed at the end."""
    problem = plan.problem
    room = problem.memory - problem.kernel_total
    if room <= 0:
        return None
    found = _scheduled(problem.within(room), operations, step)
    if found is None:
        return None
    loads = found.load_kernels
    _, first = np.unique(loads[:, 1:], axis=0, return_index=True)
    once = loads[np.sort(first)]
    frees = once.copy()
    frees[:, 0] = found.steps
    return replace(
        found,
        problem=problem,
        load_kernels=once,
        free_kernels=frees[np.lexsort(frees.T[::-1])],
    )
