"""The cut bound: what is live when a row or column of outputs is first complete.

Derivation: docs/bounds.md, section 5.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from offloadasp.bounds.geometry.profile import Part, parts
from offloadasp.bounds.geometry.sizes import Sizes
from offloadasp.model.instance import Layer

# At most so many numbers of rows are tried to be left out at either border.
_MAX_TRIMS = 6


@dataclass(frozen=True)
class Run:
    """Consecutive rows (or columns) of tiles within one part, see `profile.Part`.

    Attributes
    ----------
    count
        Rows of tiles.
    used
        Input rows that they use.
    least
        Least input rows that one of them uses.
    shared
        Least input rows that two neighbours share.
    growth
        Least input rows that a row of tiles uses beyond those before it, at most ``least``.
    """

    count: int
    used: int
    least: int
    shared: int
    growth: int


def live_pixels(layer: Layer, tile: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Bound the pixels live at some moment of every order, for parts that share no pixels.

    Returns
    -------
    tuple of (live, parts)
        So many parts have at least so many live pixel blocks of every channel group, each at a
        moment of its own: needed both up to and from some operation on.
    """
    rows, columns = (
        Counter(frozenset(runs(part)) for part in parts(layer, axis, tile[axis])) for axis in (0, 1)
    )
    found: Counter[int] = Counter()
    for down, across in itertools.product(rows, columns):
        live = max((_live(*pair) for pair in itertools.product(down, across)), default=0)
        found[live] += rows[down] * columns[across]
    return tuple(sorted(found.items()))


def _live(row: Run, column: Run) -> int:
    full_row = column.used * row.shared + (row.least - row.shared) * column.least
    full_column = row.used * column.shared + (column.least - column.shared) * row.least
    return min(full_row, full_column)


def runs(part: Part) -> Iterator[Run]:
    """Leave out rows at the borders that use fewer input rows, for their padding."""
    size = part.high - part.low
    whole = np.flatnonzero(size == size.max())
    before, after = int(whole[0]), int(len(size) - 1 - whole[-1])
    for above, below in itertools.product(_trims(before), _trims(after)):
        run = part.run(above, len(size) - below)
        if len(run.low) > 1:
            yield run_of(run)


def run_of(part: Part) -> Run:
    """Sum up consecutive rows of tiles, two at least."""
    size, shared = part.high - part.low, np.maximum(0, part.high[:-1] - part.low[1:])
    least, growth = int(size.min()), int(np.diff(part.high).min())
    return Run(len(size), part.used, least, int(shared.min()), min(least, growth))


def _trims(most: int) -> list[int]:
    return sorted(set(np.linspace(0, most, min(most + 1, _MAX_TRIMS)).astype(int).tolist()))


def extra_loads(layer: Layer, memory: int, sizes: Sizes, tile: tuple[int, int]) -> int:
    """Bound the bytes of pixels loaded beyond the first time, by one cut for every part.

    Of a channel group's live pixel blocks, those that fit beside the kernel block and the output
    block of the operation at the cut are kept at best; every other one is loaded twice.

    Parameters
    ----------
    layer, memory
        The layer and the bytes on chip.
    sizes, tile
        The decomposition that is cut.
    """
    total = 0
    for live, count in live_pixels(layer, tile):
        for kind in sizes.kinds:
            beside = kind.kernel_bytes[-1] + sizes.computing_bytes
            room = max(0, memory - beside) // kind.pixel_bytes
            total += count * kind.count * max(0, live - room) * kind.pixel_bytes
    return total
