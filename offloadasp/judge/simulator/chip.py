"""The accelerator on tensors: a chip and a main memory in which absent data is poisoned."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from offloadasp.judge.simulator.account import Actions
from offloadasp.judge.simulator.blocks import Blocks, Box, Piece
from offloadasp.judge.simulator.tensors import Array, is_poison, poison

# A product of at most this many multiply-accumulates stays on one thread in OpenBLAS
# (interface/gemm.c, GEMM_MULTITHREAD_THRESHOLD 4), where starting threads costs more than it saves,
# and far more where other processes hold the cores.
_PRODUCT_LIMIT = 2**18
# Elements of the patches gathered at a time: they should stay in the cache.
_PATCH_LIMIT = 2**20
# Channels, and kernels, of a product at most; then 16 positions at a time stay within the limit.
_SIDE_LIMIT = 128
# Below this many weights a tap, BLAS's fixed cost a product is more than the product.
_SMALL_PRODUCT = 64


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """Weights on chip: what a range of input channels contributes to a range of kernels.

    Attributes
    ----------
    channels
        Of the input.
    kernels
        Counted from the first one of the kernel group.
    weights
        Shape (taps, convolution groups, channels, kernels).
    """

    channels: slice
    kernels: slice
    weights: Array

    def positions(self) -> int:
        """Return how many output positions to compute at a time."""
        taps, groups, channels, kernels = self.weights.shape
        most: int = min(
            _PRODUCT_LIMIT // (channels * kernels), _PATCH_LIMIT // (taps * groups * channels)
        )
        return max(16, most)

    def product(self, patches: Array) -> Array:
        """Multiply patches (rows, columns, Kh, Kw, C) with the weights.

        Returns shape (rows, columns, kernels).
        """
        rows, columns, height = patches.shape[:3]
        gathered = patches.reshape(rows * columns, -1)
        one = self.weights.shape[1] == 1
        product = self._one_group(gathered, height) if one else self._many_groups(gathered)
        return product.reshape(rows, columns, -1)

    def _one_group(self, patches: Array, height: int) -> Array:
        """Multiply at once if that is small, else row by row of taps, or tap by tap."""
        taps, _, channels, kernels = self.weights.shape
        work = len(patches) * channels * kernels
        parts = next((p for p in (1, height) if work * taps <= _PRODUCT_LIMIT * p), taps)
        if parts == 1:
            at_once: Array = patches @ self.weights.reshape(-1, kernels)
            return at_once
        cut = patches.reshape(len(patches), parts, -1).transpose(1, 0, 2)
        product: Array = (cut @ self.weights.reshape(parts, -1, kernels)).sum(axis=0)
        return product

    def _many_groups(self, patches: Array) -> Array:
        taps, groups, channels, kernels = self.weights.shape
        cut = patches.reshape(-1, taps, groups, channels)
        product: Array
        if channels * kernels < _SMALL_PRODUCT:
            product = np.einsum("ptgc,tgck->pgk", cut, self.weights)
        else:
            product = (cut.transpose(1, 2, 0, 3) @ self.weights).sum(axis=0).transpose(1, 0, 2)
        return product


class Chip:
    """Runs steps on one image.

    Absent pixels, partial sums and outputs are NaN, or the least int64 (`tensors.poison`), and
    absent kernels turn every result into that; using any of them cannot go unnoticed. Padding is
    zeros. Channels are the last axis of every array here: then patches are copied in long runs.

    Parameters
    ----------
    blocks
        The blocks of the strategy's instance.
    x
        Input in main memory, shape (C, H, W).
    w
        Weights in main memory, shape (M, C/G, Kh, Kw).
    bias
        Bias in main memory, shape (M,), or None.
    """

    def __init__(self, blocks: Blocks, x: Array, w: Array, bias: Array | None) -> None:
        self._blocks, layer = blocks, blocks.layer
        self._poison = poison(x.dtype)
        self._integer = x.dtype.kind == "i"
        self._x = np.ascontiguousarray(x.transpose(1, 2, 0))
        self._w = w.reshape(*w.shape[:2], -1).transpose(2, 1, 0)
        self._bias = bias
        self._top, self._left, bottom, right = layer.pads
        channels, height, width = layer.input
        padded = np.zeros(
            (self._top + height + bottom, self._left + width + right, channels), x.dtype
        )
        self._pixels = padded[self._top : self._top + height, self._left : self._left + width]
        self._pixels[...] = self._poison
        (sh, sw), (dh, dw), (kh, kw) = layer.strides, layer.dilations, layer.kernel_shape
        patches = np.lib.stride_tricks.sliding_window_view(
            padded, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), axis=(0, 1)
        )
        # (Ho, Wo, Kh, Kw, C), a view that follows the chip's pixels
        self._patches = patches[::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 3, 4, 2)
        self._kernels: dict[Box, list[Factor]] = {}
        shape = (blocks.out_height, blocks.out_width, layer.kernels)
        self._sums = np.full(shape, self._poison, x.dtype)
        self._stored = np.full(shape, self._poison, x.dtype)

    @property
    def result(self) -> Array:
        """What main memory holds of the output, shape (M, Ho, Wo)."""
        return self._stored.transpose(2, 0, 1)

    def run(self, actions: Actions, *, overlaps: bool = False) -> None:
        """Do one step. Loads that overlap the compute action bring nothing before its end."""
        for box in actions.free_pixels:
            self._pixels[self._pixel_part(box)] = self._poison
        for pair in actions.free_kernels:
            del self._kernels[pair]
        for box in (*actions.write_outputs, *actions.write_partial_sums):
            part = self._output_part(box)
            self._stored[part] = self._sums[part]
            self._sums[part] = self._poison
        if overlaps:
            self._create_and_compute(actions)
            self._load(actions)
        else:
            self._load(actions)
            self._create_and_compute(actions)

    def _load(self, actions: Actions) -> None:
        for box in actions.load_pixels:
            part = self._pixel_part(box)
            self._pixels[part] = self._x[part]
        for pair in actions.load_kernels:
            self._kernels[pair] = list(self._factors(pair))
        for box in actions.load_partial_sums:
            part = self._output_part(box)
            self._sums[part] = self._stored[part]
            self._stored[part] = self._poison

    def _create_and_compute(self, actions: Actions) -> None:
        for box in actions.create:
            self._sums[self._output_part(box)] = 0
        for box in actions.compute:
            self._compute(box)

    def _pixel_part(self, box: Box) -> tuple[slice, slice, slice]:
        q, r0, r1, c0, c1 = box
        return slice(r0, r1), slice(c0, c1), slice(*self._blocks.channel_groups[q])

    def _output_part(self, box: Box) -> tuple[slice, slice, slice]:
        n, i0, i1, j0, j1 = box
        return slice(i0, i1), slice(j0, j1), slice(*self._blocks.kernel_groups[n])

    def _factors(self, pair: Box) -> Iterator[Factor]:
        """Copy the weights of a kernel block from main memory."""
        start = self._blocks.kernel_groups[pair[0]][0]
        for piece in itertools.chain.from_iterable(map(_parts, self._blocks.pieces(*pair))):
            inputs, outputs = piece.groups * piece.channels, piece.groups * piece.kernels
            part = self._w[
                :,
                piece.offset : piece.offset + piece.channels,
                piece.kernel : piece.kernel + outputs,
            ]
            part = part.reshape(*part.shape[:2], piece.groups, piece.kernels)
            yield Factor(
                slice(piece.channel, piece.channel + inputs),
                slice(piece.kernel - start, piece.kernel - start + outputs),
                np.array(part.transpose(0, 2, 1, 3), order="C"),
            )

    def _compute(self, box: Box) -> None:
        """Multiply the patches of a box of output positions with a kernel block; accumulate."""
        n, q, i0, i1, j0, j1 = box
        blocks = self._blocks
        sums = self._sums[self._output_part((n, i0, i1, j0, j1))]
        if (n, q) not in self._kernels:
            sums[...] = self._poison
            return
        spoilt = sums == self._poison if self._integer else None
        for factor in self._kernels[n, q]:
            target = sums[..., factor.kernels]
            for rows, columns in _chunks(i1 - i0, j1 - j0, factor.positions()):
                patches = self._patches[i0:i1, j0:j1][rows, columns, :, :, factor.channels]
                target[rows, columns] += factor.product(patches)
        if self._bias is not None and q == blocks.first[n]:
            sums += self._bias[slice(*blocks.kernel_groups[n])]
        if spoilt is not None:
            # Integers have no NaN that spreads by itself.
            pixels = self._patches[i0:i1, j0:j1, ..., slice(*blocks.channel_groups[q])]
            absent = np.logical_or.reduce(is_poison(pixels), axis=(2, 3, 4))
            sums[spoilt | absent[..., None]] = self._poison


def _parts(piece: Piece) -> Iterator[Piece]:
    """Cut a piece into products of moderate size; many small convolution groups stay together."""
    if piece.groups > 1 and max(piece.channels, piece.kernels) <= _SIDE_LIMIT:
        yield piece
        return
    for group in range(piece.groups):
        kernel, channel = (
            piece.kernel + group * piece.kernels,
            piece.channel + group * piece.channels,
        )
        for k in range(0, piece.kernels, _SIDE_LIMIT):
            for c in range(0, piece.channels, _SIDE_LIMIT):
                yield Piece(
                    kernel + k,
                    min(_SIDE_LIMIT, piece.kernels - k),
                    channel + c,
                    min(_SIDE_LIMIT, piece.channels - c),
                    piece.offset + c,
                    1,
                )


def _chunks(height: int, width: int, positions: int) -> Iterator[tuple[slice, slice]]:
    """Cut a rectangle into pieces of so many positions, along its rows."""
    columns = min(width, positions)
    rows = max(1, positions // columns)
    for i in range(0, height, rows):
        for j in range(0, width, columns):
            yield slice(i, i + rows), slice(j, j + columns)
