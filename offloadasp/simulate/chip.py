"""The accelerator on tensors: a chip and a main memory in which absent data is poisoned."""

import numpy as np

from offloadasp.simulate.account import Actions
from offloadasp.simulate.blocks import Blocks, Box, Piece
from offloadasp.simulate.tensors import Array, is_poison, poison

# A product of at most this many multiply-accumulates stays on one thread in OpenBLAS
# (interface/gemm.c, GEMM_MULTITHREAD_THRESHOLD 4), where starting threads costs more than it saves.
_PRODUCT_LIMIT = 2**18
# Elements of the patches gathered at a time: they should stay in the cache.
_PATCH_LIMIT = 2**20
# Below this many weights a tap, BLAS's fixed cost a product is more than the product.
_SMALL_PRODUCT = 64


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
        self._w = np.ascontiguousarray(w.reshape(*w.shape[:2], -1).transpose(2, 1, 0))
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
        # (Kh, Kw, Ho, Wo, C), a view that follows the chip's pixels
        self._patches = patches[::sh, ::sw, :, ::dh, ::dw].transpose(3, 4, 0, 1, 2)
        self._kernels: dict[Box, list[tuple[Piece, Array]]] = {}
        shape = (blocks.out_height, blocks.out_width, layer.kernels)
        self._sums = np.full(shape, self._poison, x.dtype)
        self._stored = np.full(shape, self._poison, x.dtype)

    @property
    def result(self) -> Array:
        """What main memory holds of the output, shape (M, Ho, Wo)."""
        return self._stored.transpose(2, 0, 1)

    def run(self, actions: Actions) -> None:
        """Do one step."""
        for box in actions.free_pixels:
            self._pixels[self._pixel_part(box)] = self._poison
        for pair in actions.free_kernels:
            del self._kernels[pair]
        for box in (*actions.write_outputs, *actions.write_partial_sums):
            part = self._output_part(box)
            self._stored[part] = self._sums[part]
            self._sums[part] = self._poison
        for box in actions.load_pixels:
            part = self._pixel_part(box)
            self._pixels[part] = self._x[part]
        for pair in actions.load_kernels:
            self._kernels[pair] = [(p, self._weights(p)) for p in self._blocks.pieces(*pair)]
        for box in actions.load_partial_sums:
            part = self._output_part(box)
            self._sums[part] = self._stored[part]
            self._stored[part] = self._poison
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

    def _weights(self, piece: Piece) -> Array:
        """Weights (taps, groups, channels, kernels) of a piece, copied from main memory."""
        channels = slice(piece.offset, piece.offset + piece.channels)
        kernels = slice(piece.kernel, piece.kernel + piece.groups * piece.kernels)
        part = self._w[:, channels, kernels]
        part = part.reshape(*part.shape[:2], piece.groups, piece.kernels)
        return np.array(part.transpose(0, 2, 1, 3), order="C")

    def _compute(self, box: Box) -> None:
        """Multiply the patches of a box of output positions with a kernel block; accumulate."""
        n, q, i0, i1, j0, j1 = box
        blocks = self._blocks
        sums = self._sums[self._output_part((n, i0, i1, j0, j1))]
        if (n, q) not in self._kernels:
            sums[...] = self._poison
            return
        start = blocks.kernel_groups[n][0]
        spoilt = sums == self._poison if self._integer else None
        for piece, weights in self._kernels[n, q]:
            channels = slice(piece.channel, piece.channel + piece.groups * piece.channels)
            first = piece.kernel - start
            target = sums[..., first : first + piece.groups * piece.kernels]
            rows, columns = _chunk(weights.shape, j1 - j0)
            for i in range(i0, i1, rows):
                for j in range(j0, j1, columns):
                    here = slice(i, min(i + rows, i1)), slice(j, min(j + columns, j1))
                    part = self._patches[:, :, here[0], here[1], channels]
                    there = target[i - i0 : i - i0 + rows, j - j0 : j - j0 + columns]
                    there += _product(part, weights).reshape(there.shape)
        if self._bias is not None and q == blocks.first[n]:
            sums += self._bias[slice(*blocks.kernel_groups[n])]
        if spoilt is not None:
            # Integers have no NaN that spreads by itself.
            pixels = self._patches[:, :, i0:i1, j0:j1, slice(*blocks.channel_groups[q])]
            absent = np.logical_or.reduce(is_poison(pixels), axis=(0, 1, 4))
            sums[spoilt | absent[..., None]] = self._poison


def _chunk(shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """Rows and columns of output positions to compute at a time, for boxes of a width."""
    taps, groups, channels, kernels = shape
    positions = max(
        16, min(_PRODUCT_LIMIT // (channels * kernels), _PATCH_LIMIT // (taps * groups * channels))
    )
    columns = min(width, positions)
    return max(1, positions // columns), columns


def _product(patches: Array, weights: Array) -> Array:
    """Multiply patches (Kh, Kw, rows, columns, C) with weights (taps, groups, C/groups, kernels).

    Returns shape (positions, groups, kernels): one matrix product a tap, summed over the taps.
    """
    taps, groups, channels, kernels = weights.shape
    gathered = patches.reshape(taps, -1, groups, channels)
    product: Array
    if groups > 1 and channels * kernels < _SMALL_PRODUCT:
        product = np.einsum("tpgc,tgck->pgk", gathered, weights)
    else:
        product = (gathered.transpose(0, 2, 1, 3) @ weights).sum(axis=0).transpose(1, 0, 2)
    return product
