"""Pairs of kernel groups and channel groups: which have operations, and how large they are.

Nothing here is as large as kernel groups times channel groups. Groups are ranges, and so are the
convolution's own groups: the channel groups with which a kernel group shares channels follow each
other, and all but those at the ends of ranges are shared in whole.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray, ranges
from offloadasp.model.instance import Layer, Resolved

# Beyond every number of groups, kernels or channels: two of them make one key.
_FAR = 2**20

Index = IntArray | np.integer[Any] | int


@dataclass(frozen=True)
class _Spans:
    """Groups of kernels, or of channels, as ranges.

    Attributes
    ----------
    start, stop
        Half-open ranges of kernels or channels, shape (groups,).
    each
        Kernels or channels of one of the convolution's own groups.
    """

    start: IntArray
    stop: IntArray
    each: int

    @cached_property
    def sizes(self) -> IntArray:
        """Kernels or channels of each group, shape (groups,)."""
        return self.stop - self.start

    @cached_property
    def first(self) -> IntArray:
        """The first convolution group that each touches, shape (groups,)."""
        return self.start // self.each

    @cached_property
    def last(self) -> IntArray:
        """The last convolution group that each touches, shape (groups,)."""
        return (self.stop - 1) // self.each

    @property
    def inside(self) -> BoolArray:
        """Which touch one convolution group only, shape (groups,)."""
        inside: BoolArray = self.first == self.last
        return inside

    def within(self, group: Index, convolution: IntArray) -> IntArray:
        """Count the kernels or channels of groups that lie in convolution groups, elementwise."""
        low = np.maximum(self.start[group], convolution * self.each)
        high = np.minimum(self.stop[group], (convolution + 1) * self.each)
        count: IntArray = np.maximum(high - low, 0)
        return count


def _spans(ranges_: tuple[tuple[int, int], ...], each: int) -> _Spans:
    limits = np.array(ranges_, dtype=np.int64)
    return _Spans(limits[:, 0].copy(), limits[:, 1].copy(), each)


class Pairs:
    """The pairs ``(n, q)`` of a kernel group and a channel group that have operations.

    They are numbered kernel group by kernel group, and of each channel group by channel group.

    Attributes
    ----------
    kernels, channels
        The groups as ranges.
    first, stop
        Kernel group n has operations with the channel groups ``first[n]`` to ``stop[n] - 1``:
        shape (N,).
    """

    def __init__(self, layer: Layer, decomposition: Resolved):
        self.kernels = _spans(decomposition.kernel_groups, layer.kernels // layer.group)
        self.channels = _spans(decomposition.channel_groups, layer.input[0] // layer.group)
        self.first, self.stop = _touching(self.kernels, self.channels)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of kernel groups and of channel groups."""
        return len(self.kernels.start), len(self.channels.start)

    @cached_property
    def depth(self) -> IntArray:
        """Channel groups that each kernel group has operations with, shape (N,)."""
        return self.stop - self.first

    @cached_property
    def breadth(self) -> IntArray:
        """Kernel groups that each channel group has operations with, shape (Q,)."""
        first, stop = self.of_channels
        return stop - first

    @cached_property
    def of_channels(self) -> tuple[IntArray, IntArray]:
        """Of each channel group its first kernel group and the one behind its last: (Q,) each."""
        return _touching(self.channels, self.kernels)

    @cached_property
    def count(self) -> int:
        """Number of pairs."""
        return int(self.depth.sum())

    @cached_property
    def _before(self) -> IntArray:
        """Pairs of all kernel groups before each, shape (N,)."""
        return np.cumsum(self.depth) - self.depth

    def number(self, n: Index, q: Index) -> IntArray:
        """Return the numbers of pairs that have operations, elementwise."""
        number: IntArray = self._before[n] + q - self.first[n]
        return number

    def every(self) -> tuple[IntArray, IntArray]:
        """Return the kernel group and the channel group of each pair: (pairs,) each."""
        return ranges(self.first, self.stop)

    def __getitem__(self, at: tuple[Index, Index]) -> BoolArray:
        """Return whether pairs have operations, elementwise."""
        n, q = at
        found: BoolArray = (self.first[n] <= q) & (q < self.stop[n])
        return found

    def shared(self, n: Index, q: Index) -> IntArray:
        """Count the channels that each kernel of n shares with q, summed over kernels: elementwise.

        0 where they have no operations.
        """
        kernels, channels = self.kernels, self.channels
        low = np.maximum(kernels.first[n], channels.first[q])
        high = np.minimum(kernels.last[n], channels.last[q])
        found = kernels.within(n, low) * channels.within(q, low)
        # What lies between the first and the last convolution group is shared in whole.
        last = kernels.within(n, high) * channels.within(q, high)
        between = np.maximum(high - low - 1, 0) * kernels.each * channels.each
        found = found + np.where(high > low, last + between, 0)
        return np.where(high < low, 0, found)

    @cached_property
    def distinct(self) -> tuple[IntArray, IntArray]:
        """Distinct values of `shared` of pairs that have operations, and how many have each."""
        kernels, channels = self.kernels, self.channels
        inner, outer = kernels.inside, channels.inside
        found = [_products(_kinds(kernels, inner), _kinds(channels, outer))]
        # Of the others, each touches few: the groups on the other side follow each other.
        wide = np.flatnonzero(~inner)
        owner, q = ranges(self.first[wide], self.stop[wide])
        found.append((self.shared(wide[owner], q), np.ones(len(q), dtype=np.int64)))
        wide = np.flatnonzero(~outer)
        start, stop = self.of_channels
        owner, n = ranges(start[wide], stop[wide])
        once = inner[n]
        found.append((self.shared(n, wide[owner])[once], np.ones(int(once.sum()), dtype=np.int64)))
        values, counts = (np.concatenate(part) for part in zip(*found, strict=True))
        return _summed(values, counts)

    @cached_property
    def outermost(self) -> tuple[IntArray, IntArray]:
        """Pairs among which are, of each kernel group, those of most and of least bytes.

        That is of bytes which, of two channel groups that lie within one convolution group and are
        not the first, are not less for the larger one. By kernel group: (chosen,) each.
        """
        inside = self.kernels.inside
        ends = np.stack([self.first, self.stop - 1])
        # Between the ends, channel groups lie within the kernel group's convolution group.
        spans, of_row = np.unique(
            (self.first[inside] + 1) * _FAR + self.stop[inside] - 1, return_inverse=True
        )
        largest, least = (
            _place_of_extreme(self.channels.sizes * sign, *np.divmod(spans, _FAR))[of_row.ravel()]
            for sign in (1, -1)
        )
        rows = np.flatnonzero(inside)
        between = np.stack([largest, least])
        valid = between >= 0
        wide = np.flatnonzero(~inside)
        owner, q = ranges(self.first[wide], self.stop[wide])
        n = np.concatenate(
            [
                np.tile(np.arange(self.shape[0]), 2),
                np.broadcast_to(rows, between.shape)[valid],
                wide[owner],
            ]
        )
        q = np.concatenate([ends.ravel(), between[valid], q])
        in_order = np.lexsort([q, n])
        return n[in_order], q[in_order]


def _touching(groups: _Spans, others: _Spans) -> tuple[IntArray, IntArray]:
    """Return for each group the range of the others that touch one of its convolution groups."""
    first = np.searchsorted(others.last, groups.first, side="left")
    stop = np.searchsorted(others.first, groups.last, side="right")
    return first.astype(np.int64), stop.astype(np.int64)


def _kinds(spans: _Spans, chosen: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return convolution group, size and number of groups that are alike, by convolution group."""
    kinds, counts = np.unique(spans.first[chosen] * _FAR + spans.sizes[chosen], return_counts=True)
    group, size = np.divmod(kinds, _FAR)
    return group, size, counts


def _products(
    kernels: tuple[IntArray, IntArray, IntArray], channels: tuple[IntArray, IntArray, IntArray]
) -> tuple[IntArray, IntArray]:
    """Multiply sizes and numbers of all kinds that have their convolution group in common."""
    start = np.searchsorted(channels[0], kernels[0], side="left")
    stop = np.searchsorted(channels[0], kernels[0], side="right")
    n, q = ranges(start, stop)
    return kernels[1][n] * channels[1][q], kernels[2][n] * channels[2][q]


def _summed(values: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    distinct, which = np.unique(values, return_inverse=True)
    total = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(total, which.ravel(), counts)
    return distinct, total


def _place_of_extreme(sizes: IntArray, start: IntArray, stop: IntArray) -> IntArray:
    """Return where the largest of each range of sizes is, −1 for empty ranges."""
    places = np.full(len(start), -1)
    for k in np.flatnonzero(start < stop).tolist():
        places[k] = start[k] + sizes[start[k] : stop[k]].argmax()
    return places


@dataclass(frozen=True)
class PairTable:
    """A quantity of each pair that has operations: a multiple of the channels that it shares.

    Attributes
    ----------
    pairs
        The pairs.
    factor
        The quantity for one kernel and one channel.
    beside
        What the first pair of each kernel group has beside it, shape (N,); None: nothing.
    """

    pairs: Pairs
    factor: int
    beside: IntArray | None = None

    def __getitem__(self, at: tuple[Index, Index]) -> IntArray:
        """Return the quantities of pairs, elementwise; 0 where they have no operations."""
        n, q = at
        found = self.pairs.shared(n, q) * self.factor
        if self.beside is None:
            return found
        first: IntArray = found + np.where(q == self.pairs.first[n], self.beside[n], 0)
        return first

    @cached_property
    def by_kernel_group(self) -> IntArray:
        """The sum of each kernel group, shape (N,)."""
        # Every kernel shares all channels of its convolution group.
        kernels, channels = self.pairs.kernels, self.pairs.channels
        return kernels.sizes * channels.each * self.factor + (
            0 if self.beside is None else self.beside
        )

    def sum(self) -> int:
        """Return the sum of all."""
        return int(self.by_kernel_group.sum())

    @cached_property
    def distinct(self) -> tuple[IntArray, IntArray]:
        """Distinct values, ascending, and how many pairs have each."""
        values, counts = self.pairs.distinct
        values = values * self.factor
        if self.beside is None:
            return values, counts
        n = np.arange(self.pairs.shape[0])
        bare = self.pairs.shared(n, self.pairs.first) * self.factor
        counts = counts.copy()
        np.subtract.at(counts, np.searchsorted(values, bare), 1)
        once = np.ones_like(bare)
        values, counts = _summed(
            np.concatenate([values, bare + self.beside]), np.concatenate([counts, once])
        )
        return values[counts > 0], counts[counts > 0]

    def max(self) -> int:
        """Return the largest."""
        return int(self.distinct[0][-1])

    def min(self) -> int:
        """Return the least of the pairs that have operations."""
        return int(self.distinct[0][0])
