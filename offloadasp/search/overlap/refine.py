"""Finer plans that do the same: smaller kernel groups, and small compute actions at both ends.

A large block hides only beside a long compute action, and nothing hides what the first action
needs or what the last one leaves. With kernel groups cut in parts, the same plan moves smaller
blocks; its first and its last action, cut by kernels, need and leave less, at the price of more
actions.
"""

from dataclasses import replace

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.instance import Resolved, split_evenly
from offloadasp.model.plan import TABLES, Plan
from offloadasp.search.overlap.split import renumbered, steps_in

_OF_KERNELS = tuple(name for name in TABLES if not name.endswith("pixels"))


def refined(plan: Plan, parts: int) -> Plan:
    """Return a plan with each kernel group cut evenly in so many parts, or in single kernels.

    Parameters
    ----------
    plan
        Of a layer without convolution groups, so that all pairs of groups have operations.
    """
    groups = plan.problem.decomposition
    cuts = [
        [(first + a, first + b) for a, b in split_evenly(end - first, min(parts, end - first))]
        for first, end in groups.kernel_groups
    ]
    counts = np.array([len(cut) for cut in cuts])
    start = np.cumsum(counts) - counts
    tables = {name: _cut(getattr(plan, name), start, counts) for name in _OF_KERNELS}
    resolved = Resolved(
        tile=groups.tile,
        kernel_groups=tuple(span for cut in cuts for span in cut),
        channel_groups=groups.channel_groups,
    )
    return replace(plan, problem=plan.problem.with_decomposition(resolved), **tables)


def _cut(rows: IntArray, start: IntArray, counts: IntArray) -> IntArray:
    """Repeat rows ``(step, n, …)`` for each part of their kernel group."""
    times = counts[rows[:, 1]]
    found = np.repeat(rows, times, axis=0)
    before = np.repeat(np.cumsum(times) - times, times)
    found[:, 1] = start[found[:, 1]] + np.arange(len(found)) - before
    return found[np.lexsort(found.T[::-1])]


def with_small_ends(plan: Plan, parts: int) -> Plan:
    """Return a serial plan with its first and its last compute action cut by kernel groups.

    Each part loads the kernels that it needs, when it needs them. (A part holds no more than the
    whole action did, and does less.)
    """
    computing = np.unique(plan.compute[:, 0])
    ends = computing[[0, -1]]
    times = {name: (parts + 1) * steps_in(plan, name) for name in TABLES}
    for name in ("compute", "load_kernels", "load_partial_sums"):
        rows = getattr(plan, name)
        times[name] = times[name] + np.where(
            np.isin(rows[:, 0], ends), _parts(plan, rows, ends, parts), 0
        )
    return renumbered(plan, plan.problem, times)


def _parts(plan: Plan, rows: IntArray, ends: IntArray, parts: int) -> IntArray:
    """Return the part of each row's kernel group among those that its step computes with."""
    found = np.zeros(len(rows), dtype=np.int64)
    for step in ends:
        groups = np.unique(plan.compute[plan.compute[:, 0] == step, 1])
        at = np.searchsorted(groups, rows[:, 1]) * min(parts, len(groups)) // len(groups)
        found = np.where(rows[:, 0] == step, at, found)
    return found
