"""Footprints of operations: the fewest bytes that n distinct operations can need.

Derivation: docs/bounds.md, section 3.
"""

import math
from functools import cached_property

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.bounds.geometry.footprint import spread
from offloadasp.bounds.geometry.profile import min_plus
from offloadasp.bounds.geometry.sizes import ChannelKind, Sizes

# Up to so many operations the least over all ways to divide them among the channel groups is exact.
_FOLD_LIMIT = 4096
# Larger numbers of kernel groups, and of operations of one channel group, are taken in ranges.
_DENSE_KERNELS = 512
_DENSE_OPERATIONS = 1024
_CHUNK = 2**21
_FAR = np.int64(2**62)


class OperationFootprint:
    """Lower bounds on the bytes of the blocks that n distinct operations of one layer need."""

    def __init__(self, sizes: Sizes):
        self.sizes = sizes
        self._tables: dict[int, tuple[IntArray, IntArray]] = {}

    def at(self, n: IntArray, output_bytes: int = 0) -> IntArray:
        """Bound the bytes that n distinct operations need, elementwise.

        Parameters
        ----------
        n
            Numbers of operations, 1 to `Sizes.operations`.
        output_bytes
            What each output block that the operations contribute to counts beside their pixel and
            kernel blocks, bytes.
        """
        sizes = self.sizes
        if sizes.channel_groups == 1:
            return self._channel(sizes.kinds[0], n) + output_bytes * n
        bound = self._by_ratio(n, output_bytes)
        if sizes.operations <= _FOLD_LIMIT:
            outputs = -(-n // sizes.depth)
            bound = np.maximum(bound, self._folded[n] + output_bytes * outputs)
        return bound

    def table(self, output_bytes: int) -> tuple[IntArray, IntArray]:
        """Return numbers of operations, ascending from 1 to all, and bounds for at least so many.

        Parameters
        ----------
        output_bytes
            As in `at`.
        """
        if output_bytes not in self._tables:
            first = spread(self.sizes.operations, _DENSE_OPERATIONS, 1.01)
            # What more operations need is never less.
            least = np.maximum.accumulate(self.at(first, output_bytes))
            self._tables[output_bytes] = first, least
        return self._tables[output_bytes]

    def in_step(self, operations: int) -> int:
        """Bound the bytes on chip while one step computes so many operations."""
        n = np.array([operations], dtype=np.int64)
        return int(self.at(n, self.sizes.computing_bytes)[0])

    def most_in_step(self, memory: int) -> int:
        """Find a number of operations such that one more does not fit into the memory in bytes.

        All of them if there is no such number.
        """
        low, high = 1, self.sizes.operations + 1
        while high - low > 1:
            middle = (low + high) // 2
            if self.in_step(middle) <= memory:
                low = middle
            else:
                high = middle
        return low

    def _channel(self, kind: ChannelKind, n: IntArray) -> IntArray:
        """Bound n operations of one channel group by the number b of their kernel groups.

        One of the kernel groups has ceil(n / b) operations at least. Ranges of b where there are
        many: the pixels of the last, the kernels of the first.
        """
        footprint, kernels = self.sizes.footprint, np.cumsum(kind.kernel_bytes)
        if len(kernels) == 1:
            exact: IntArray = kind.pixel_bytes * footprint.at(n) + kernels[0]
            return exact
        first = spread(len(kernels), _DENSE_KERNELS, 1.01)
        last = np.r_[first[1:] - 1, len(kernels)]
        out = np.full(len(n), _FAR)
        for low, high in zip(first, last, strict=True):
            positions = -(-n // high)
            possible = positions <= footprint.tiles
            pixels = footprint.below(np.where(possible, positions, 1))
            value = kind.pixel_bytes * pixels + kernels[low - 1]
            np.minimum(out, np.where(possible, value, _FAR), out=out)
        return out

    @cached_property
    def _folded(self) -> IntArray:
        """Exact least of the sum over channel groups: (operations + 1,)."""
        least = np.zeros(1, dtype=np.int64)
        for kind in self.sizes.kinds:
            count = len(kind.kernel_bytes) * self.sizes.tiles
            table = np.r_[np.int64(0), self._channel(kind, np.arange(1, count + 1))]
            for _ in range(kind.count):
                least = min_plus(least, table)
        return least

    @cached_property
    def _table(self) -> tuple[IntArray, IntArray, IntArray]:
        """Ranges first..last of numbers of operations of one channel group, and their bytes."""
        caps = [len(kind.kernel_bytes) * self.sizes.tiles for kind in self.sizes.kinds]
        first = spread(max(caps), _DENSE_OPERATIONS, 1.004)
        last = np.r_[first[1:] - 1, max(caps)]
        value = np.full(len(first), _FAR)
        for kind, cap in zip(self.sizes.kinds, caps, strict=True):
            inside = int(np.searchsorted(first, cap, side="right"))
            part = self._channel(kind, first[:inside])
            value[:inside] = np.minimum(value[:inside], part)
        return first, last, value

    def _by_ratio(self, n: IntArray, output_bytes: int) -> IntArray:
        """Bound by the channel group, with x operations, that has the least bytes an operation."""
        first, last, value = self._table
        out = np.empty(len(n), dtype=np.int64)
        chunk = max(1, _CHUNK // len(first))
        for begin in range(0, len(n), chunk):
            part = n[begin : begin + chunk, None]
            inputs = -(-part * value // np.minimum(last, part))
            outputs = np.maximum(first, -(-part // self.sizes.depth))
            total = np.where(first <= part, inputs + output_bytes * outputs, _FAR)
            out[begin : begin + chunk] = total.min(axis=1)
        return out


def input_capacity(sizes: Sizes, memory: int) -> int:
    """Bound the bytes of pixels and kernels on chip during any compute action.

    An output block takes its share, and blocks are whole: what is left holds a kernel block at
    least and some number of pixel blocks, or else a multiple of the common divisor of all sizes.
    """
    room = max(0, memory - sizes.computing_bytes)
    kernels = {size for kind in sizes.kinds for size in kind.kernel_bytes}
    pixels = {kind.pixel_bytes for kind in sizes.kinds}
    if sizes.channel_groups == 1 and len(kernels) == 1 and min(kernels) <= room:
        kernel, pixel = kernels.pop(), pixels.pop()
        blocks = range(1, min(sizes.kernel_groups, room // kernel) + 1)
        return max(b * kernel + (room - b * kernel) // pixel * pixel for b in blocks)
    unit = math.gcd(*kernels, *pixels)
    return room // unit * unit


def block_capacity(sizes: Sizes, memory: int) -> int:
    """Bound the bytes on chip when every output block counts its least bytes of partial sums.

    One output block, completed by the step that began it, may really take less than that: the
    block whose operations in that step lie on both sides of the cut.
    """
    least = sizes.partial_bytes
    unit = math.gcd(least, *(size for kind in sizes.kinds for size in kind.kernel_bytes))
    unit = math.gcd(unit, *(kind.pixel_bytes for kind in sizes.kinds))
    return (memory + max(0, least - sizes.computing_bytes)) // unit * unit
