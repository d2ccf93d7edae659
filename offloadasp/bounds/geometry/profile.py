"""One-dimensional profiles: the fewest input rows that r output rows can use.

``g[r]`` is the least number of distinct real input rows that r rows of output tiles use, padding
not counted; columns alike. Derivations: docs/bounds.md, section 1.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.instance import Layer

# The dynamic program takes time and memory quadratic in the number of rows of tiles.
EXACT_LIMIT = 4096

_NEVER = np.int64(2**40)


@dataclass(frozen=True)
class Part:
    """Rows of tiles that share input rows with no others.

    Their input rows are numbered anew, so that each row of tiles uses an interval of them.

    Attributes
    ----------
    low, high
        Half-open intervals, shape (rows of tiles,), both monotone; empty in the padding.
    """

    low: IntArray
    high: IntArray

    @property
    def inner(self) -> "Part":
        """The rows from the first to the last one that uses the most input rows.

        Those before and after it lose taps to the padding.
        """
        size = self.high - self.low
        whole = np.flatnonzero(size == size.max())
        return self.run(int(whole[0]), int(whole[-1]) + 1)

    def run(self, begin: int, end: int) -> "Part":
        """Return consecutive rows of tiles as a part of its own."""
        return Part(self.low[begin:end], self.high[begin:end])

    @property
    def used(self) -> int:
        """Input rows that the whole part uses."""
        before = np.r_[self.low[:1], np.maximum.accumulate(self.high)[:-1]]
        return int(np.maximum(0, self.high - np.maximum(self.low, before)).sum())


def parts(layer: Layer, axis: int, tile: int = 1) -> list[Part]:
    """Divide the rows (axis 0) or columns (axis 1) of tiles into parts that share no input.

    With single rows these are the residue classes modulo the dilation, each of which is a layer
    without dilation. Empty where a row of tiles may use no interval: tiles of more than one row
    with a dilation, or with a stride larger than the kernel.
    """
    outputs, size = layer.output_shape[1 + axis], layer.input[1 + axis]
    stride, taps = layer.strides[axis], layer.kernel_shape[axis]
    dilation = layer.dilations[axis] if taps > 1 else 1
    if tile > 1 and (dilation > 1 or stride > taps):
        return []
    found: list[Part] = []
    classes = dilation // math.gcd(stride, dilation)
    for k in range(min(classes, outputs)):
        start = np.arange(k, outputs, classes) * stride - layer.pads[axis]
        residue = int(start[0]) % dilation
        rows = max(0, -(-(size - residue) // dilation))
        at = (start - residue) // dilation
        first = np.arange(0, len(at), tile)
        last = np.minimum(first + tile, len(at)) - 1
        found.append(Part(np.clip(at[first], 0, rows), np.clip(at[last] + taps, 0, rows)))
    return found


@lru_cache(maxsize=64)
def used_inputs(layer: Layer, axis: int) -> int:
    """Count the input rows (axis 0) or columns (axis 1) that some output uses."""
    return sum(part.used for part in parts(layer, axis))


@dataclass(frozen=True)
class Axis:
    """The rows (or columns) of tiles, or those of them that padding does not shorten.

    Attributes
    ----------
    least
        For r = 0 to the number T of rows of tiles: a lower bound on the number of distinct real
        input rows in the union of any r of them, shape (T + 1,). Monotone.
    used
        Input rows that all of them use.
    """

    least: IntArray
    used: int

    @property
    def count(self) -> int:
        """Number of rows of tiles."""
        return len(self.least) - 1


def axis_of(layer: Layer, axis: int, tile: int = 1, *, inner: bool = False) -> Axis:
    """Bound the input rows (axis 0) or columns (axis 1) that r rows of tiles use.

    Parameters
    ----------
    layer
        The convolution.
    axis
        0 for rows, 1 for columns.
    tile
        Output rows in one row of tiles; the last row of tiles may hold fewer.
    inner
        Whether to leave out rows of tiles at the borders that lose taps to the padding, where
        `parts` can tell; see `Part.inner`.

    Returns
    -------
    Axis
        Its profile is the minimum itself where T is at most `EXACT_LIMIT` and either ``tile`` or
        the dilation is 1.
    """
    divided = [part.inner if inner else part for part in parts(layer, axis, tile)]
    if divided:
        return Axis(_profile(divided), sum(part.used for part in divided))
    single = axis_of(layer, axis)
    if layer.dilations[axis] > 1 and layer.kernel_shape[axis] > 1:
        return Axis(_by_tiles(single.least, tile), single.used)
    (rows,) = parts(layer, axis)  # no two output rows share an input row
    sizes = np.add.reduceat(rows.high - rows.low, np.arange(0, len(rows.low), tile))
    return Axis(np.concatenate([[0], np.cumsum(np.sort(sizes))]), single.used)


def _profile(divided: list[Part]) -> IntArray:
    if sum(len(part.low) for part in divided) > EXACT_LIMIT:
        return _closed_profile(divided)
    least = np.zeros(1, dtype=np.int64)
    for part in divided:
        least = min_plus(least, _interval_profile(part))
    return least


def _interval_profile(part: Part) -> IntArray:
    """Choose r of the intervals with the least union, for all r.

    What interval i adds to a chosen set depends only on its predecessor i' in it: the lesser of
    ``high[i] - low[i]`` and ``high[i] - high[i']``. So two prefix minima make one row of the
    dynamic program over (number chosen, last one chosen).
    """
    high, size = part.high, part.high - part.low
    least = np.zeros(len(size) + 1, dtype=np.int64)
    union = size
    for r in range(1, len(size) + 1):
        if r > 1:
            apart = np.minimum.accumulate(union)[:-1]
            joined = np.minimum.accumulate(union - high)[:-1]
            union = np.r_[_NEVER, np.minimum(apart + size[1:], joined + high[1:])]
        least[r] = union.min()
    return least


def min_plus(left: IntArray, right: IntArray) -> IntArray:
    """Return ``c[n] = min over a + b = n of left[a] + right[b]``: (len(left) + len(right) - 1,)."""
    if len(left) < len(right):
        left, right = right, left
    out = np.full(len(left) + len(right) - 1, _NEVER)
    for shift, value in enumerate(right):
        part = out[shift : shift + len(left)]
        np.minimum(part, left + value, out=part)
    return out


def _closed_profile(divided: list[Part]) -> IntArray:
    """Bound the profile by the inner rows alone: each one adds at least so many input rows."""
    inner = [part.inner for part in divided]
    size = min(int((part.high - part.low).min()) for part in inner)
    new = min((int(np.diff(part.high).min()) for part in inner if len(part.high) > 1), default=size)
    new = min(new, size)
    outer = sum(len(part.low) for part in divided) - sum(len(part.low) for part in inner)
    counted = np.arange(sum(len(part.low) for part in divided) + 1) - outer
    return np.where(counted > 0, new * counted + size - new, 0)


def _by_tiles(least: IntArray, tile: int) -> IntArray:
    """Bound r rows of tiles by the least number of output rows that they hold."""
    outputs = len(least) - 1
    tiles = -(-outputs // tile)
    held = np.arange(tiles + 1) * tile - (tiles * tile - outputs)
    held[0] = 0
    return least[held]
