"""The least time that no compute action hides, at both ends of an overlapped strategy.

Derivation: docs/bounds.md, section 12, "Ends".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.bounds.view import View

# Up to so many compute actions, all divisions of the operations among them are looked at, in cells.
MOST_DIVIDED = 3
_CELLS = {1: 1, 2: 2048, 3: 320}
# Otherwise so many actions at each end, and waits before the first one in so many ranges.
_MOST_AT_ONE_END = 12
_RANGES = 256
# For any number of actions: ranges of what the first ones do, more of them near both ends, and how
# often the range of the duration is halved.
_EVEN, _NEAR_ENDS, _HALVED = 240, 60, 14
# What arrays of 64 bits hold, with room for sums.
_LIMIT = 2**60


@dataclass(frozen=True)
class Ends:
    """What the first compute actions must have loaded, and what the last ones leave to be written.

    Times are whole numbers of ``unit`` cycles.

    Attributes
    ----------
    view
        Must show all positions.
    loads, writes
        Bytes loaded and written by every strategy, at least.
    """

    view: View
    loads: int
    writes: int

    @cached_property
    def unit(self) -> Fraction:
        """The time of which all others are multiples."""
        rates = self.view.problem.accelerator
        each = (rates.load_cycles, rates.write_cycles, rates.compute_cycles, rates.mac_cycles)
        return Fraction(1, math.lcm(*(rate.denominator for rate in each)))

    @cached_property
    def _rates(self) -> tuple[int, int, int, int]:
        """Times of a byte loaded, a byte written, a compute action, a multiply-accumulate."""
        rates = self.view.problem.accelerator
        each = (rates.load_cycles, rates.write_cycles, rates.compute_cycles, rates.mac_cycles)
        load, write, call, mac = (int(rate / self.unit) for rate in each)
        return load, write, call, mac

    @property
    def known(self) -> bool:
        """Whether times are so small that arrays hold them."""
        return self._longest(MOST_DIVIDED + 2 * _MOST_AT_ONE_END) < _LIMIT

    def _longest(self, actions: int) -> int:
        """Return a time that is longer than all sums of the times of so many actions."""
        load, write, call, mac = self._rates
        everything = load * self.loads + write * self.writes + mac * self._macs
        return everything + actions * call + 2 * load * int(self._bytes[1][-1])

    @property
    def _macs(self) -> int:
        return self.view.problem.total_macs

    @property
    def _operations(self) -> int:
        return self.view.sizes.operations

    @cached_property
    def _most_macs(self) -> int:
        """Multiply-accumulates of the largest operation."""
        return max(macs for macs, _ in self.view.sizes.operation_macs)

    @cached_property
    def _bytes(self) -> tuple[IntArray, IntArray]:
        """Numbers of operations, ascending, and the bytes that at least so many of them need."""
        return self.view.footprint.table(0)

    def wait(self, actions: int) -> int | None:
        """Bound the waits of a strategy of so many compute actions; None if there is none."""
        if actions > MOST_DIVIDED:
            return self._at_both_ends(actions)
        busy = self._rates[2] * actions + self._rates[3] * self._macs
        least = self._divided(actions)
        return None if least is None else max(0, least - busy)

    @property
    def always(self) -> int:
        """The wait of any strategy: an operation's inputs come first, and an output is last."""
        load, write, _, _ = self._rates
        return load * int(self._bytes[1][0]) + write * self.view.sizes.output_bytes

    # --- Few compute actions ---

    def _divided(self, actions: int) -> int | None:
        """Bound the duration over all ways to divide the operations among so many actions."""
        load, write, call, mac = self._rates
        low, high, possible = self._cells(actions)
        if not possible.any():
            return None
        least = np.zeros(possible.shape, dtype=np.int64)
        for i in range(1, actions + 1):
            start = load * (self._needed(low[i]) if i < actions else np.int64(self.loads))
            for j in range(i, actions + 1):
                end = write * (self._left(high[j - 1]) if j > 1 else np.int64(self.writes))
                others = self._most_macs * (high[i - 1] + self._operations - low[j])
                work = np.maximum(0, self._macs - others)
                np.maximum(least, start + (j - i + 1) * call + mac * work + end, out=least)
        return int(least[possible].min())

    def _cells(self, actions: int) -> tuple[list[IntArray], list[IntArray], BoolArray]:
        """Return least and most operations of the first i actions, by i and cell, and which can be.

        Cells are boxes of these numbers, for i from 1 to all but one of the actions.
        """
        total, group = self._operations, self.view.group
        edges = np.unique(np.linspace(1, total + 1, _CELLS[actions] + 1).astype(np.int64))
        grids = np.meshgrid(*[np.arange(len(edges) - 1)] * (actions - 1), indexing="ij")
        shape = grids[0].shape if grids else ()
        low = [np.zeros(shape, dtype=np.int64), *(edges[grid] for grid in grids)]
        high = [np.zeros(shape, dtype=np.int64), *(edges[grid + 1] - 1 for grid in grids)]
        low.append(np.full(shape, total))
        high.append(np.full(shape, total))
        possible = np.ones(shape, dtype=np.bool_)
        for i in range(actions):
            possible &= (high[i + 1] - low[i] >= 1) & (low[i + 1] - high[i] <= group)
        return low, high, possible

    def _needed(self, operations: IntArray) -> IntArray:
        """Bound the bytes that at least so many operations need, elementwise."""
        first, least = self._bytes
        found: IntArray = least[np.searchsorted(first, operations, side="right") - 1]
        return found

    def _left(self, operations: IntArray) -> IntArray:
        """Bound the bytes of the outputs that all but so many operations contribute to."""
        sizes = self.view.sizes
        blocks = -(-(self._operations - operations) // sizes.depth)
        left: IntArray = sizes.output_bytes * blocks
        return left

    # --- Many compute actions ---

    def _at_both_ends(self, actions: int) -> int | None:
        """Bound the waits before the first actions and after the last ones together."""
        slack = actions * self.view.group - self._operations
        if slack < 0:
            return None
        count = min(actions // 2, _MOST_AT_ONE_END)
        best = None
        before, after = self._ranges(count, first=True), self._ranges(count, first=False)
        ends = [*after]
        k = len(ends) - 1
        for wait, lacking in before:
            # The longer the wait before, the less is lacking there, and the more may be lacking
            # after the last one.
            while k > 0 and ends[k - 1][1] <= slack - lacking:
                k -= 1
            if ends[k][1] <= slack - lacking:
                total = wait + ends[k][0]
                best = total if best is None else min(best, total)
        return best

    def _ranges(self, count: int, *, first: bool) -> Iterator[tuple[int, int]]:
        """Yield waits, ascending, and what so many actions at one end lack at least of being full.

        A wait stands for all up to the next one. The last one stands for all longer ones.
        """
        longest = (
            self._rates[0] * int(self._bytes[1][-1]) if first else self._rates[1] * self.writes
        )
        least, low = self._lacking(longest, count, first=first), -1
        while longest - low > 1:
            middle = (low + longest) // 2
            if self._lacking(middle, count, first=first) > least:
                low = middle
            else:
                longest = middle
        waits = sorted({longest * k // _RANGES for k in range(_RANGES + 1)})
        for k, wait in enumerate(waits):
            upper = waits[k + 1] - 1 if k + 1 < len(waits) else wait
            yield wait, self._lacking(upper, count, first=first)

    def _lacking(self, wait: int, count: int, *, first: bool) -> int:
        """Bound what actions at one end lack of full ones, in operations, for a wait there."""
        group, done, lacking = self.view.group, 0, 0
        _, _, call, mac = self._rates
        limit = self.view.problem.accelerator.macs_per_step
        for i in range(count):
            time = wait + i * call + mac * min(self._most_macs * done, i * limit)
            most = self._loaded_for(time) if first else self._written_of(time)
            done = min(done + group, most)
            lacking = max(lacking, (i + 1) * group - done)
        return lacking

    # --- Any number of compute actions ---

    @cached_property
    def chain(self) -> int:
        """Bound compute actions and waits together, without the time of multiply-accumulates."""
        # Of a chain, each action ends in another range.
        most = self._longest(len(self._spans[0]))
        if 2 * (most + self._rates[3] * self._most_macs * self._operations) >= _LIMIT:
            return 0
        low, high = -1, max(1, self._rates[0] * self.loads + self._rates[1] * self.writes)
        while not self._possible(high):
            low, high = high, 2 * high
        for _ in range(_HALVED):
            middle = (low + high) // 2
            if middle == low:
                break
            if self._possible(middle):
                high = middle
            else:
                low = middle
        return low + 1

    @cached_property
    def _spans(self) -> tuple[IntArray, IntArray]:
        """Least and most operations of the first actions, by range, shape (ranges,)."""
        total = self._operations
        near = np.geomspace(1, total, _NEAR_ENDS).astype(np.int64)
        even = np.linspace(1, total, _EVEN).astype(np.int64)
        low = np.unique(np.r_[0, even, near, total + 1 - near, total])
        return low, np.append(low[1:] - 1, total)

    def _possible(self, time: int) -> bool:
        """Whether a chain of actions may be that short, not counting multiply-accumulates.

        The earliest end of the actions so far, less the time of the multiply-accumulates in them,
        is found for each range of what they have done.
        """
        load, write, call, mac = self._rates
        low, high = self._spans
        work = mac * self._most_macs
        needed = self._needed(np.maximum(low, 1))
        loaded = load * (needed + self._biases(low, load * needed, time + work * self._operations))
        loaded[-1] = max(loaded[-1], load * self.loads)
        left = write * self._left(high)
        left[0] = max(left[0], write * self.writes)
        never = _LIMIT
        end = np.full(len(low), never)
        end[0] = 0
        for k in range(1, len(low)):
            first = int(np.searchsorted(high[:k], low[k] - self.view.group))
            before = slice(first, k)
            ends = np.maximum(end[before], loaded[k] - work * high[before]) + call
            after = ends + left[before] - work * (self._operations - int(low[k]))
            end[k] = np.where(after <= time, ends, never).min(initial=never)
        return bool(end[-1] < never)

    def _biases(self, operations: IntArray, earliest: IntArray, duration: int) -> IntArray:
        """Bound the bytes of biases that are loaded with what so many operations need.

        Of a layer with one channel a kernel. A kernel group may have its biases in a block that
        some of its operations do not need. Until it is loaded, all outputs of the group are
        incomplete: another action follows, and they are written after that. So the time that is
        left bounds the number of its kernels.

        Parameters
        ----------
        earliest
            When the last of these operations can begin, at the earliest.
        """
        problem, sizes = self.view.problem, self.view.sizes
        _, write, call, _ = self._rates
        each = write * sizes.output_bytes * sizes.tiles
        single = problem.layer.group > 1 and sizes.depth == 1
        if not single or not problem.layer.bias or not self.view.finest or each == 0:
            return np.zeros(len(operations), dtype=np.int64)
        without = np.maximum(0, duration - earliest - 2 * call) // each
        begun = -(-operations // sizes.tiles)
        biases: IntArray = problem.precision.partial_sum * np.maximum(0, begun - without)
        return biases

    def _loaded_for(self, time: int) -> int:
        """Return how many operations' inputs can be loaded in a time, at most."""
        first, least = self._bytes
        load = self._rates[0]
        if load == 0:
            return self._operations
        k = int(np.searchsorted(least, time // load, side="right"))
        return int(first[k]) - 1 if k < len(first) else self._operations

    def _written_of(self, time: int) -> int:
        """Return how many operations can contribute to outputs that are written in a time."""
        sizes, write = self.view.sizes, self._rates[1]
        each = write * sizes.output_bytes
        return self._operations if each == 0 else time // each * sizes.depth
