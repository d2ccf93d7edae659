"""Finer plans that do the same: smaller kernel groups, and small compute actions at both ends.

A large block hides only beside a long compute action, and nothing hides what the first action
needs or what the last one leaves. With kernel groups cut in parts, the same plan moves smaller
blocks; its first and its last action, cut by kernels, need and leave less, at the price of more
actions.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.instance import Resolved, split_evenly
from offloadasp.model.plan import TABLES, Plan, renumbered, steps_in
from offloadasp.model.problem import Problem

Cut = Literal["kernels", "positions"]
# What has a part of its own where an action is cut, and the part of what none uses.
_IN_PARTS = ("compute", "load_kernels", "load_partial_sums", "load_pixels")
_NEVER = 2**30
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


def with_small_ends(plan: Plan, first: int, last: int, by: Cut = "kernels") -> Plan:
    """Return a serial plan with its first and its last compute action cut into parts.

    The first action becomes so many ones that grow, the last one so many that shrink: each is
    twice as large as its smaller neighbour. Each part loads what it needs and no part before it
    did. (A part holds no more than the whole action did, and does less.)

    Parameters
    ----------
    first, last
        Parts of each; 1 leaves the action as it is.
    by
        Whether the parts differ in kernel groups or in output positions.
    """
    computing = np.unique(plan.compute[:, 0])
    times = {name: (max(first, last) + 1) * steps_in(plan, name) for name in TABLES}
    ends = {int(computing[-1]): (last, True), int(computing[0]): (first, False)}
    for step, (parts, shrink) in ends.items():
        rows = {name: np.flatnonzero(steps_in(plan, name) == step) for name in _IN_PARTS}
        found = _parts(plan, rows, parts, by, shrink=shrink)
        for name, part in found.items():
            times[name][rows[name]] += part
    return renumbered(plan, plan.problem, times)


def _parts(
    plan: Plan, rows: dict[str, IntArray], parts: int, by: Cut, *, shrink: bool
) -> dict[str, IntArray]:
    """Return the part of each operation of a step, and the first part that uses each load."""
    _, n, q, i, j = plan.compute[rows["compute"]].T
    problem = plan.problem
    width = problem.out_width
    key = n if by == "kernels" else i * width + j
    values, place = np.unique(key, return_inverse=True)
    ends = np.ceil(len(values) / 2.0 ** np.arange(parts - 1, -1, -1))
    if shrink:
        ends = len(values) - np.append(ends[-2::-1], 0)
    part = np.searchsorted(ends, place.ravel(), side="right")
    groups, channels = len(problem.kernel_sizes), len(problem.channel_sizes)
    shape = problem.out_height, width
    kernels = _least((groups, channels), (n, q), part)
    sums = _least((groups, *shape), (n, i, j), part)
    reading = _least((channels, *shape), (q, i, j), part)
    _, kn, kq = plan.load_kernels[rows["load_kernels"]].T
    _, sn, si, sj = plan.load_partial_sums[rows["load_partial_sums"]].T
    _, pq, r, c = plan.load_pixels[rows["load_pixels"]].T
    found = {
        "compute": part,
        "load_kernels": kernels[kn, kq],
        "load_partial_sums": sums[sn, si, sj],
        "load_pixels": _first_reader(problem, reading, pq, r, c),
    }
    return {name: np.where(one == _NEVER, 0, one) for name, one in found.items()}


def _least(shape: tuple[int, ...], index: tuple[IntArray, ...], part: IntArray) -> IntArray:
    """Return the least part for each index, and `_NEVER` where there is none."""
    found = np.full(shape, _NEVER, dtype=np.int64)
    np.minimum.at(found, index, part)
    return found


def _first_reader(
    problem: Problem, reading: IntArray, q: IntArray, r: IntArray, c: IntArray
) -> IntArray:
    """Return the least part that reads each pixel, given those of channels and positions."""
    layer, found = problem.layer, np.full(len(q), _NEVER, dtype=np.int64)
    (tall, wide), (sh, sw), (dh, dw) = layer.kernel_shape, layer.strides, layer.dilations
    for a in range(tall):
        for b in range(wide):
            i, di = np.divmod(r + layer.pads[0] - a * dh, sh)
            j, dj = np.divmod(c + layer.pads[1] - b * dw, sw)
            inside = (di == 0) & (dj == 0) & (i >= 0) & (j >= 0)
            inside &= (i < problem.out_height) & (j < problem.out_width)
            found[inside] = np.minimum(found[inside], reading[q[inside], i[inside], j[inside]])
    return found
