"""Runs: consecutive rows, or columns, of tiles that share input rows with their neighbours.

The separator and the lines look at grids of them; docs/bounds.md, sections 5 and 8.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from offloadasp.bounds.geometry.profile import Part, parts
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


def runs_of_parts(layer: Layer, axis: int, tile: int) -> Counter[frozenset[Run]]:
    """Return the runs of every part of an axis, see `profile.parts`: equal parts are counted."""
    return Counter(frozenset(runs(part)) for part in parts(layer, axis, tile))


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
