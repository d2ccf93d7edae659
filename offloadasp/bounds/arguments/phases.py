"""The phase bound: cut the order of the operations into phases and count what each must load.

Derivation: docs/bounds.md, section 4. A certificate is a list of ``[length, count]``: that many
phases of that many operations each, in order.
"""

from collections.abc import Callable, Sequence

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.bounds.geometry.footprint import spread

EXACT_LIMIT = 4096

Footprint = Callable[[IntArray], IntArray]
Phases = list[tuple[int, int]]


def phase_value(need: Footprint, capacity: int, phases: Sequence[tuple[int, int]]) -> int:
    """Return the bytes that the given phases prove.

    Parameters
    ----------
    need
        Lower bound on the bytes that n distinct operations need.
    capacity
        Upper bound on the bytes of such blocks on chip during any compute action.
    phases
        Lengths in operations and counts; their products add up to the number of operations.
    """
    lengths = np.array([length for length, _ in phases], dtype=np.int64)
    counts = [count for _, count in phases]
    opening = int(need(lengths[:1])[0])
    counts[0] -= 1
    used = [k for k, count in enumerate(counts) if count]
    if not used:
        return opening
    gains = np.maximum(0, need(lengths[used] + 1) - capacity)
    return opening + sum(int(gain) * counts[k] for gain, k in zip(gains, used, strict=True))


def best_phases(need: Footprint, capacity: int, operations: int) -> Phases:
    """Choose phases that prove many bytes: the best ones for up to `EXACT_LIMIT` operations."""
    if operations == 1:
        return [(1, 1)]
    if operations <= EXACT_LIMIT:
        return _optimal(need, capacity, operations)
    return _equal(need, capacity, operations)


def _optimal(need: Footprint, capacity: int, operations: int) -> Phases:
    values = np.r_[np.int64(0), need(np.arange(1, operations + 1))]
    gain = np.r_[np.int64(0), np.maximum(0, values[2:] - capacity)]  # by length, to operations - 1
    best = np.zeros(operations, dtype=np.int64)  # by number of operations left
    choice = np.zeros(operations, dtype=np.int64)
    for left in range(1, operations):
        total = gain[1 : left + 1] + best[left - 1 :: -1]
        # The longest phase among equals keeps certificates short.
        choice[left] = left - int(total[::-1].argmax())
        best[left] = total[choice[left] - 1]
    opening = operations - int((values[1:] + best[::-1])[::-1].argmax())
    lengths, left = [opening], operations - opening
    while left:
        lengths.append(int(choice[left]))
        left -= lengths[-1]
    return _runs([lengths[0], *sorted(lengths[1:])])


def _runs(lengths: list[int]) -> Phases:
    runs: Phases = []
    for length in lengths:
        if runs and runs[-1][0] == length:
            runs[-1] = (length, runs[-1][1] + 1)
        else:
            runs.append((length, 1))
    return runs


def _equal(need: Footprint, capacity: int, operations: int) -> Phases:
    """Try phases of one length, the first one with what is left over."""
    lengths = spread(operations - 1, 64, 1.05)
    best = _best_of(need, capacity, operations, lengths)
    near = int(np.searchsorted(lengths, best[-1][0]))
    low, high = lengths[max(0, near - 1)], lengths[min(near + 1, len(lengths) - 1)]
    fine = np.unique(np.linspace(low, high, 200).astype(np.int64))
    found = [best, _best_of(need, capacity, operations, fine), [(operations, 1)]]
    return max(found, key=lambda phases: phase_value(need, capacity, phases))


def _best_of(need: Footprint, capacity: int, operations: int, lengths: IntArray) -> Phases:
    count = (operations - 1) // lengths
    opening = operations - count * lengths
    gain = np.maximum(0, need(lengths + 1) - capacity)
    short = need(opening) + count * gain
    long = need(opening + lengths) + (count - 1) * gain
    k = int(np.maximum(short, long).argmax())
    length, times, first = int(lengths[k]), int(count[k]), int(opening[k])
    if short[k] >= long[k]:
        return [(first, 1), (length, times)]
    return [(first + length, 1), (length, times - 1)] if times > 1 else [(operations, 1)]
