"""The phase bound: cut the order of the operations into phases and count what each must load.

Derivation: docs/bounds.md, section 4.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.base.errors import InputError
from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.footprint import spread
from offloadasp.bounds.geometry.operations import block_capacity, input_capacity
from offloadasp.bounds.parameters import Flag, Pairs, Params, pairs
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY

EXACT_LIMIT = 4096

# Far more phases than any bound found has; keeps a forged certificate cheap to refuse.
_MOST_PHASES = 10_000

Footprint = Callable[[IntArray], IntArray]
Phases = list[tuple[int, int]]


class Cuts(Params):
    """How the order of the operations is cut into phases.

    Attributes
    ----------
    partial_sums
        Whether the partial sums that a phase needs are counted.
    phases
        Pairs ``(length, count)``: that many phases of that many operations each, in order.
    """

    partial_sums: Flag
    phases: Annotated[Pairs, pairs("[length, count]", 1, _MOST_PHASES)]


def _propose(view: View) -> Iterator[Cuts]:
    for partial_sums in _ways(view):
        need, capacity = _need(view, partial_sums), _capacity(view, partial_sums)
        phases = best_phases(need, capacity, view.sizes.operations)
        yield Cuts(partial_sums=partial_sums, phases=tuple(phases))


def _ways(view: View) -> tuple[bool, ...]:
    """Count partial sums or not: not counting them pays for small layers at most."""
    if view.sizes.depth == 1:
        return (False,)
    return (False, True) if view.sizes.operations <= EXACT_LIMIT else (True,)


def _value(view: View, cuts: Cuts) -> int:
    """Return the bytes of loads that phases prove.

    With partial sums, every output block counts as loaded when it is begun, and all of these
    loads are taken off again.
    """
    sizes, partial_sums = view.sizes, cuts.partial_sums
    if sum(length * count for length, count in cuts.phases) != sizes.operations:
        raise InputError(
            f"phases: lengths must add up to the number of operations, {sizes.operations}"
        )
    need, capacity = _need(view, partial_sums), _capacity(view, partial_sums)
    begun = sizes.partial_bytes * sizes.output_blocks if partial_sums else 0
    return phase_value(need, capacity, cuts.phases) - begun + sizes.apart_bytes


def _need(view: View, partial_sums: bool) -> partial[Any]:
    output_bytes = view.sizes.partial_bytes if partial_sums else 0
    return partial(view.footprint.at, output_bytes=output_bytes)


def _capacity(view: View, partial_sums: bool) -> int:
    capacity = block_capacity if partial_sums else input_capacity
    return capacity(view.sizes, view.problem.capacity)


def _sentence(cuts: Cuts) -> str:
    count = sum(count for _, count in cuts.phases)
    if count == 1:
        return "all operations together need at least this many bytes of different blocks"
    return (
        f"the computation is divided into {count} phases; what a phase needs and the memory cannot "
        "keep from the phase before is loaded in it"
    )


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


ARGUMENT = Argument(
    name="phases",
    quantity=Quantity.LOADS,
    params=Cuts,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
)
