"""The blockings that are compared: all regions, strips and step sizes at once, as arrays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.instance import Layer
from offloadasp.model.problem import Problem
from offloadasp.model.reads import reads_of

FloatArray = NDArray[np.float64]

# Operations per step that are tried, as divisors of the most that the processing unit does.
_DIVISORS = (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 8.0, 32.0, 256.0)
# Positions in a region that is a part of one line.
_PIECES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Axis:
    """One axis of the output in tiles.

    Attributes
    ----------
    reach
        Most input lines between the first and the last one that l consecutive lines of tiles
        use, for l from 0; lines that no tile uses do not count.
    used
        Input lines that all of them use.
    """

    reach: IntArray
    used: int

    @property
    def lines(self) -> int:
        """Number of lines of tiles."""
        return len(self.reach) - 1

    @property
    def bands(self) -> IntArray:
        """Lines of a band, each once that cutting into equal bands gives."""
        counts = np.arange(1, self.lines + 1)
        return np.unique(-(-self.lines // counts))

    def inputs(self, lines: IntArray) -> IntArray:
        """Bound the input lines of all bands of so many lines, each band counted apart."""
        count = -(-self.lines // lines)
        last = self.lines - (count - 1) * lines
        total: IntArray = (count - 1) * self.reach[lines] + self.reach[last]
        return total


def axis_of(problem: Problem, axis: int) -> Axis:
    """Return the rows (0) or columns (1) of a problem's output."""
    return _axis(problem.layer, axis, problem.decomposition.tile[axis])


@lru_cache(maxsize=64)
def _axis(layer: Layer, axis: int, tile: int) -> Axis:
    reads = reads_of(layer, axis)
    tiles = np.arange(0, len(reads.low), tile)
    count = int(reads.used.sum())
    # Lines over padding only use nothing: wherever others lie, they add nothing to their span.
    rank = np.cumsum(np.r_[reads.used, False])
    low = rank[np.minimum.reduceat(reads.first, tiles)] - 1
    high = np.maximum.reduceat(reads.last, tiles)
    low, high = np.where(high < 0, count, low), np.where(high < 0, 0, rank[high])
    # With dilation, a line may use inputs on both sides of what the next one uses.
    reach, first, last = [0], low, high
    for k in range(1, len(tiles) + 1):
        reach.append(max(0, int((last - first).max())))
        first, last = np.minimum(first[:-1], low[k:]), np.maximum(last[:-1], high[k:])
    return Axis(np.array(reach, dtype=np.int64), count)


@dataclass(frozen=True)
class Grid:
    """Blockings that differ in regions, strips and step size; arrays broadcast to one shape.

    Axes: lines of a region, or positions of a part of a line; strips; step sizes.

    Attributes
    ----------
    lines, width, cells
        Of a region; ``cells`` in all.
    regions
        Their number.
    size, aligned
        Operations per step, and whether steps end with regions.
    uniform
        Whether all regions are alike.
    footprint
        Pixels of a region.
    apart, joined
        Pixels of all regions, each region counted apart, and with what neighbours in a strip
        share counted once.
    shared
        Pixels that have to stay for that.
    window, sliding
        Pixels of a step within a region, and those that have to stay beside it so that the
        region's pixels are read once.
    again
        How often pixels of a region are read if they do not stay.
    patch
        Pixels of one tile.
    """

    lines: IntArray
    width: IntArray
    cells: IntArray
    regions: IntArray
    size: IntArray
    aligned: BoolArray
    uniform: BoolArray
    footprint: IntArray
    apart: IntArray
    joined: IntArray
    shared: IntArray
    window: IntArray
    sliding: IntArray
    again: FloatArray
    patch: int


def grid_of(along: Axis, across: Axis, most: int) -> Grid:
    """Return the blockings with regions along one axis in strips across it.

    Parameters
    ----------
    along, across
        The axis along the strips, and the one across them.
    most
        Operations that the processing unit does in a step.
    """
    pieces = np.array([piece for piece in _PIECES if piece < across.lines], dtype=np.int64)
    lines = np.r_[along.bands, np.ones_like(pieces)][:, None, None]
    limit = np.r_[np.full(len(along.bands), 2**40), pieces][:, None, None]
    width = across.bands[None, :, None]
    piece = np.minimum(limit, width)
    cells = np.minimum(lines * width, limit)
    regions = -(-along.lines // lines) * -(-across.lines // width) * -(-width // piece)
    size, aligned = _sizes(most, cells, width)
    even = across.lines % width == 0
    uniform = even & (along.lines % lines == 0) & (width % piece == 0)
    tall, wide = along.reach[lines], across.reach[width]
    footprint = tall * across.reach[piece]
    apart = along.inputs(lines) * np.where(
        piece < width, -(-across.lines // piece) * across.reach[piece], across.inputs(width)
    )
    joined = np.broadcast_to(along.used * across.inputs(width), apart.shape)
    rows = np.minimum(lines, -(-size // width) + (size % width > 0) * (size > width))
    inside = np.minimum(size, cells)
    straight = along.reach[1] * across.reach[np.minimum(inside, piece)]
    # Where steps do not end with lines, some lie around the end of one.
    turn = (
        along.reach[np.minimum(2, lines)]
        * across.reach[np.minimum(np.maximum(1, inside - 1), width)]
    )
    turns = (lines > 1) & ((width % inside > 0) | ~even)
    window = np.where(
        inside <= width,
        np.where(turns, np.maximum(straight, turn), straight),
        along.reach[rows] * wide,
    )
    window = np.minimum(window, footprint)
    step = max(1, along.reach[min(2, along.lines)] - along.reach[1])
    halo = np.maximum(0, along.reach[1] - step) * wide
    beside = np.maximum(0, along.reach[1] - step) * (wide - across.reach[np.minimum(inside, width)])
    sliding = np.minimum(footprint - window, np.where(inside < width, beside, 0))
    again = lines * along.reach[1] / np.maximum(1, tall)  # both 0 where no pixel is used
    patch = int(along.reach[1] * across.reach[1])
    return Grid(
        lines=lines,
        width=width,
        cells=cells,
        regions=regions,
        size=size,
        aligned=aligned,
        uniform=uniform,
        footprint=footprint,
        apart=apart,
        joined=joined,
        shared=halo,
        window=window,
        sliding=sliding,
        again=again,
        patch=patch,
    )


def _sizes(most: int, cells: IntArray, width: IntArray) -> tuple[IntArray, BoolArray]:
    """Return step sizes to try, and which of them end with regions.

    Divisors of the most, whole lines of them, and regions or equal parts of these.
    """
    plain = np.unique([max(1, int(most / divisor)) for divisor in _DIVISORS])[None, None, :]
    parts = -(-cells // plain)
    whole = np.where(plain >= cells, plain // cells * cells, -(-cells // parts))
    lines = np.where((plain < cells) & (plain >= width), plain // width * width, plain)
    shape = np.broadcast_shapes(whole.shape, lines.shape)
    sizes = [np.broadcast_to(x, shape) for x in (plain, lines, whole)]
    aligned = np.repeat([False, False, True], plain.size)
    return np.concatenate(sizes, axis=2), aligned[None, None, :]
