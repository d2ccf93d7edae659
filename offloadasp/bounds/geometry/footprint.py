"""Footprints: the fewest input pixels that n output positions can use.

From the profiles of rows and columns, for any stride, padding and dilation. Derivation:
docs/bounds.md, section 2.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.bounds.geometry.profile import Axis

# Profiles that bend often, and grids with many rows, are handled in this many pieces at most.
_MAX_PIECES = 12
_MAX_STRIPES = 512
_TABLE_DENSE = 2048
_CHUNK = 2**20


@dataclass(frozen=True)
class _Line:
    """The supporting line ``g(r) >= (slope * r + offset) / scale`` of a profile."""

    slope: int
    offset: int
    scale: int


@dataclass(frozen=True)
class _Piece:
    """Lines that support a profile on 1..stop; to be used for numbers from start to stop."""

    start: int
    stop: int
    lines: tuple[_Line, ...]


def _line(profile: IntArray, left: int, right: int) -> _Line:
    scale, slope = right - left, int(profile[right] - profile[left])
    return _Line(slope, int(profile[left]) * scale - slope * left, scale)


def _hull_lines(profile: IntArray, hull: list[int]) -> tuple[_Line, ...]:
    first = int(profile[1])
    lines = [_line(profile, a, b) for a, b in itertools.pairwise(hull)]
    if len(hull) == 1:
        lines.append(_Line(first, 0, 1))
    return (*lines, _Line(0, first, 1))


def supporting_pieces(profile: IntArray) -> tuple[_Piece, ...]:
    """Cut 1..T where the lower convex hull of ``profile[1..stop]`` loses an edge as stop grows.

    Where it only gains edges, the hull of the longer range serves the shorter ones as well.
    """
    pieces: list[_Piece] = []
    hull: list[int] = []
    start = 1
    for r in range(1, len(profile)):
        keep = len(hull)
        while keep > 1 and _above(profile, hull[keep - 2], hull[keep - 1], r) > 0:
            keep -= 1
        if keep < len(hull):
            pieces.append(_Piece(start, r - 1, _hull_lines(profile, hull)))
            start = r
        while keep > 1 and _above(profile, hull[keep - 2], hull[keep - 1], r) >= 0:
            keep -= 1
        hull[keep:] = [r]
    pieces.append(_Piece(start, len(profile) - 1, _hull_lines(profile, hull)))
    return _merged(pieces)


def _above(profile: IntArray, a: int, b: int, c: int) -> int:
    """Tell how far point b lies above the chord from a to c (scaled; 0 on it)."""
    return int(profile[b] - profile[a]) * (c - a) - int(profile[c] - profile[a]) * (b - a)


def _merged(pieces: list[_Piece]) -> tuple[_Piece, ...]:
    """Join neighbours; the lines of the last one support the profile on all of their range."""
    each = -(-len(pieces) // _MAX_PIECES)
    groups = (pieces[k : k + each] for k in range(0, len(pieces), each))
    return tuple(_Piece(group[0].start, group[-1].stop, group[-1].lines) for group in groups)


def spread(limit: int, dense: int, ratio: float) -> IntArray:
    """Return ``1..dense`` and then about a geometric sequence up to ``limit``, sorted, distinct."""
    if limit <= dense:
        return np.arange(1, limit + 1)
    count = int(np.log(limit / dense) / np.log(ratio)) + 2
    tail = np.geomspace(dense, limit, count).astype(np.int64)
    return np.unique(np.concatenate([np.arange(1, dense + 1), tail, [limit]]))


@dataclass(frozen=True)
class PixelFootprint:
    """Lower bounds on the number of real input pixels that n distinct tiles of positions use.

    Attributes
    ----------
    rows, columns
        The two axes of the grid of tiles.
    """

    rows: Axis
    columns: Axis

    @property
    def tiles(self) -> int:
        """Number of tiles of output positions."""
        return self.rows.count * self.columns.count

    @property
    def used(self) -> int:
        """Pixels that all of the tiles use."""
        return self.rows.used * self.columns.used

    def at(self, n: IntArray) -> IntArray:
        """Bound the pixels of n distinct tiles, 1 <= n <= tiles, elementwise."""
        rows, columns = self._pieces
        by_rows = _grown(n, rows, columns, self.columns)
        return np.maximum(by_rows, _grown(n, columns, rows, self.rows))

    @cached_property
    def _pieces(self) -> tuple[tuple[_Piece, ...], tuple[_Piece, ...]]:
        return supporting_pieces(self.rows.least), supporting_pieces(self.columns.least)

    @cached_property
    def _table(self) -> tuple[IntArray, IntArray]:
        arguments = spread(self.tiles, _TABLE_DENSE, 1.004)
        return arguments, np.maximum.accumulate(self.at(arguments))

    def below(self, n: IntArray) -> IntArray:
        """Bound like `at`, from a table: many arguments at once, at most 0.4 per cent coarser."""
        arguments, values = self._table
        found: IntArray = values[np.searchsorted(arguments, n, side="right") - 1]
        return found


def _grown(
    n: IntArray, row_pieces: tuple[_Piece, ...], column_pieces: tuple[_Piece, ...], columns: Axis
) -> IntArray:
    """Let each row grow along the columns first, then each column along the rows."""
    out = np.full(len(n), np.iinfo(np.int64).max)
    stripes = [_stripes(piece) for piece in row_pieces]
    chunk = max(1, _CHUNK // max(len(low) for low, _ in stripes))
    for begin in range(0, len(n), chunk):
        part = slice(begin, begin + chunk)
        for piece, stripe in zip(row_pieces, stripes, strict=True):
            for other in column_pieces:
                value = _piece_bound(n[part, None], stripe, piece.lines, other, columns)
                np.minimum(out[part], value.min(axis=1), out=out[part])
    return out


def _stripes(piece: _Piece) -> tuple[IntArray, IntArray]:
    """Ranges of numbers of non-empty rows, ends inclusive: single numbers if they are few."""
    count = min(piece.stop - piece.start + 1, _MAX_STRIPES)
    ends = np.linspace(piece.start - 1, piece.stop, count + 1).astype(np.int64)
    return ends[:-1] + 1, ends[1:]


def _piece_bound(
    n: IntArray,
    stripe: tuple[IntArray, IntArray],
    row_lines: tuple[_Line, ...],
    piece: _Piece,
    columns: Axis,
) -> IntArray:
    """Bound sets of n cells by the number of non-empty rows and the cells in the fullest row.

    Shape (len(n), stripes). Rows: from ``stripe``; cells in the fullest row: from ``piece``.
    """
    low, high = stripe
    fullest = np.maximum(-(-n // high), piece.start)
    possible = (fullest <= piece.stop) & (fullest + low - 1 <= n)
    fullest = np.minimum(fullest, piece.stop)
    cells = np.zeros(possible.shape, dtype=np.int64)
    for line in piece.lines:
        rows = low if line.offset >= 0 else high
        value = -((-line.slope * n - line.offset * rows) // line.scale)
        np.maximum(cells, value, out=cells)
    pixels = np.zeros(possible.shape, dtype=np.int64)
    for line in row_lines:
        if line.offset >= 0:
            width = columns.least[fullest]
        elif line.slope + line.offset >= 0:
            width = np.minimum(cells, columns.used)
        else:
            width = np.full_like(cells, columns.used)
        value = -((-line.slope * cells - line.offset * width) // line.scale)
        np.maximum(pixels, value, out=pixels)
    return np.where(possible, pixels, np.iinfo(np.int64).max)
