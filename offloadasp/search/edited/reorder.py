"""The operations of a plan in another order, with what is kept on chip decided anew.

A rule that asks for an order is often broken by the best plan as a whole, and kept by one that
computes a part of the layer first and goes on as before.
"""

from collections.abc import Iterator

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.plan import Plan
from offloadasp.search.construct.order import order_at
from offloadasp.search.construct.residency import plan_of, schedule

# Rows or columns of tiles that are computed first, at most.
_FIRST = 2


def reordered(plan: Plan) -> Iterator[Plan]:
    """Yield plans that compute the same operations together, as far as another order lets them.

    The first rows or columns of tiles come first, or all of them come one after the other, or the
    kernel groups, or the channel groups do. Orders that do not fit into the memory are left out.
    """
    height, width = plan.problem.decomposition.tile
    rows = plan.compute.copy()
    rows[:, 3] //= height
    rows[:, 4] //= width
    operations = np.unique(rows, axis=0)
    seen = {tuple(operations[:, 0].tolist())}
    for key in _keys(operations):
        turn = _ranks(np.column_stack([key, operations[:, 0]]))
        if tuple(turn.tolist()) in seen:
            continue
        seen.add(tuple(turn.tolist()))
        found = _scheduled(plan, operations, turn)
        if found is not None:
            yield found


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


def _scheduled(plan: Plan, operations: IntArray, turn: IntArray) -> Plan | None:
    first = np.argsort(turn, kind="stable")
    _, n, q, i, j = operations[first].T
    order = order_at(plan.problem, n, q, i, j)
    found = schedule(plan.problem, order, turn[first][order.unit], 0, patience=None)
    return None if found is None else plan_of(plan.problem, found)
