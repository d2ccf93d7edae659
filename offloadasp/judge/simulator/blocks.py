"""Blocks and operations as the simulator reads them: which exist, what they are called and cost.

Derived here from layer, precision and groups alone, and on purpose from nothing that the search
uses, so that simulator and search cannot share a mistake.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.instance import ResolvedInstance
from offloadasp.model.strategy import boxes

# The indices of the groups, then rows and columns as half-open ranges: (key…, r0, r1, c0, c1).
Box = tuple[int, ...]
# Of an axis of an array; a slice where that is possible, because NumPy then copies nothing.
Index = slice | IntArray


def cells(box: Box) -> int:
    """Return the number of positions in a box."""
    *_, r0, r1, c0, c1 = box
    return (r1 - r0) * (c1 - c0)


def cut(box: Box, mask: BoolArray) -> list[Box]:
    """Return boxes of the cells of a box where the mask (rows, columns) of the box is true."""
    count = int(np.count_nonzero(mask))
    if count == mask.size:
        return [box]
    if count == 0:
        return []
    if len(mask) == 1:
        return list(_cut_row(box, mask[0].tolist()))
    places = np.argwhere(mask) + np.array([box[-4], box[-2]])
    keys = np.tile(np.array(box[:-4], dtype=np.int64), (count, 1))
    return [tuple(part) for part in boxes(np.column_stack([keys, places]))]


def _cut_row(box: Box, mask: list[bool]) -> Iterator[Box]:
    """Yield the runs of a box of one row; most boxes are small, and NumPy takes longer for them."""
    *key, row, below, left, right = box
    start = None
    for column, wanted in enumerate(mask, left):
        if wanted and start is None:
            start = column
        elif not wanted and start is not None:
            yield (*key, row, below, start, column)
            start = None
    if start is not None:
        yield (*key, row, below, start, right)


@dataclass(frozen=True)
class Piece:
    """Convolution groups that a kernel group and a channel group share, alike and consecutive.

    Attributes
    ----------
    kernel, channel
        First kernel and first input channel.
    kernels, channels
        Kernels and input channels in each of the convolution groups.
    offset
        First channel, counted inside its convolution group.
    groups
        Number of convolution groups.
    """

    kernel: int
    kernels: int
    channel: int
    channels: int
    offset: int
    groups: int


@dataclass(frozen=True)
class Grid:
    """All blocks, or operations, of one kind: a rectangle of positions for every key.

    Attributes
    ----------
    kind
        How a block is called, as in ``pixel(3,4,0)``: row, column, key.
    unknown
        The rule broken by naming what does not exist.
    existing
        The keys that exist.
    positions
        Mask (rows, columns) of the positions that exist, the same for every key.
    """

    kind: str
    unknown: str
    existing: frozenset[tuple[int, ...]]
    positions: BoolArray

    @cached_property
    def full(self) -> bool:
        """Whether every position exists."""
        return bool(self.positions.all())

    def name(self, row: int, column: int, key: tuple[int, ...]) -> str:
        """Return the block's name."""
        return f"{self.kind}({','.join(map(str, (row, column, *key)))})"


class Blocks:
    """The blocks of a resolved instance.

    Attributes
    ----------
    kernel_groups, channel_groups
        Half-open ranges of kernels and of input channels.
    kernel_counts
        Kernels of each kernel group.
    channel_counts
        Channels of each channel group.
    pairs
        Kernel group and channel group of every pair that shares channels, in order.
    first
        The first channel group of each kernel group's pairs, with which the bias rides.
    needed
        Channel groups that each kernel group's outputs need.
    rows, columns
        The input rows (columns) that a half-open range of output rows (columns) reads, padding
        excluded, as an index.
    pixels, outputs, operations
        The grids of pixel blocks, output blocks and operations.
    pieces
        What a kernel group shares with a channel group.
    macs
        Multiply-accumulates of one operation of a pair of groups, padded taps included.
    kernel_bytes
        Bytes of the kernel block of a pair of groups, the bias included where it rides.
    """

    def __init__(self, instance: ResolvedInstance) -> None:
        self.layer, self.precision = instance.layer, instance.precision
        self.kernel_groups = instance.decomposition.kernel_groups
        self.channel_groups = instance.decomposition.channel_groups
        self.kernel_counts = [stop - start for start, stop in self.kernel_groups]
        self.channel_counts = [stop - start for start, stop in self.channel_groups]
        layer = self.layer
        in_channels, self.height, self.width = layer.input
        self.out_height, self.out_width = layer.output_shape[1:]
        self._kernels_each = layer.kernels // layer.group
        self._channels_each = in_channels // layer.group
        # A kernel group meets consecutive convolution groups, which see consecutive channels.
        kernels, channels = np.array(self.kernel_groups), np.array(self.channel_groups)
        low = kernels[:, 0] // self._kernels_each * self._channels_each
        high = ((kernels[:, 1] - 1) // self._kernels_each + 1) * self._channels_each
        self.first = np.searchsorted(channels[:, 1], low, side="right").tolist()
        behind = np.searchsorted(channels[:, 0], high, side="left").tolist()
        self.needed = [stop - start for start, stop in zip(self.first, behind, strict=True)]
        spans = enumerate(zip(self.first, behind, strict=True))
        self.pairs = [(n, q) for n, (start, stop) in spans for q in range(start, stop)]
        self.rows = cache(lambda start, stop: _index(self._inputs(0, start, stop)))
        self.columns = cache(lambda start, stop: _index(self._inputs(1, start, stop)))
        used_rows = np.isin(np.arange(self.height), self._inputs(0, 0, self.out_height))
        used_columns = np.isin(np.arange(self.width), self._inputs(1, 0, self.out_width))
        everywhere = np.ones((self.out_height, self.out_width), dtype=bool)
        some_q, some_n = (frozenset((k,) for k in range(len(g))) for g in (channels, kernels))
        self.pixels = Grid("pixel", "not_a_block", some_q, np.outer(used_rows, used_columns))
        self.outputs = Grid("output", "not_a_block", some_n, everywhere)
        self.operations = Grid("op", "not_an_operation", frozenset(self.pairs), everywhere)
        self.pieces = cache(self._pieces)
        self.macs = cache(self._macs)
        self.kernel_bytes = cache(self._kernel_bytes)

    def _inputs(self, axis: int, start: int, stop: int) -> IntArray:
        """Input rows (axis 0) or columns (1) that a range of output ones reads, sorted."""
        layer = self.layer
        taps = np.arange(layer.kernel_shape[axis]) * layer.dilations[axis]
        origins = np.arange(start, stop) * layer.strides[axis] - layer.pads[axis]
        found = (origins[:, None] + taps).ravel()
        read = np.zeros(layer.input[1 + axis], dtype=bool)
        read[found[(found >= 0) & (found < len(read))]] = True
        return np.flatnonzero(read)

    def _pieces(self, n: int, q: int) -> tuple[Piece, ...]:
        """Return the shared channels, by runs of convolution groups that are alike."""
        (k0, k1), (c0, c1) = self.kernel_groups[n], self.channel_groups[q]
        kernels, channels = self._kernels_each, self._channels_each
        first = max(k0 // kernels, c0 // channels)
        last = min((k1 - 1) // kernels, (c1 - 1) // channels)
        pieces: list[Piece] = []
        for g in range(first, last + 1):
            k, c = max(k0, g * kernels), max(c0, g * channels)
            sizes = min(k1, (g + 1) * kernels) - k, min(c1, (g + 1) * channels) - c
            piece = Piece(k, sizes[0], c, sizes[1], c - g * channels, 1)
            if pieces and _alike(pieces[-1], piece):
                k, c, groups = pieces[-1].kernel, pieces[-1].channel, pieces[-1].groups + 1
                pieces[-1] = Piece(k, sizes[0], c, sizes[1], piece.offset, groups)
            else:
                pieces.append(piece)
        return tuple(pieces)

    def windows(self, n: int, q: int) -> int:
        """Pairs of a kernel and an input channel that one operation multiplies."""
        return sum(p.groups * p.kernels * p.channels for p in self.pieces(n, q))

    def _macs(self, n: int, q: int) -> int:
        height, width = self.layer.kernel_shape
        return self.windows(n, q) * height * width

    def pixel_bytes(self, q: int) -> int:
        """Bytes of one pixel block."""
        return self.channel_counts[q] * self.precision.input

    def _kernel_bytes(self, n: int, q: int) -> int:
        size = self.macs(n, q) * self.precision.weight
        if self.layer.bias and q == self.first[n]:
            size += self.kernel_counts[n] * self.precision.partial_sum
        return size

    def output_bytes(self, n: int) -> int:
        """Bytes of one complete output block."""
        return self.kernel_counts[n] * self.precision.output

    def partial_bytes(self, n: int) -> int:
        """Bytes of one output block of partial sums."""
        return self.kernel_counts[n] * self.precision.partial_sum


def _index(numbers: IntArray) -> Index:
    """Return sorted numbers as a slice if they are evenly spaced."""
    if len(numbers) == 0:
        return slice(0, 0)
    gaps = np.diff(numbers)
    if len(gaps) == 0:
        return slice(int(numbers[0]), int(numbers[0]) + 1)
    even = (gaps == gaps[0]).all()
    return slice(int(numbers[0]), int(numbers[-1]) + 1, int(gaps[0])) if even else numbers


def _alike(left: Piece, right: Piece) -> bool:
    """Whether a piece continues the one before it, so that both are one array of equal groups."""
    return (left.kernels, left.channels, left.offset) == (
        right.kernels,
        right.channels,
        right.offset,
    )
