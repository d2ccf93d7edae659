"""Tables of one loop of a nest: for each tile size, what tiles hold and what neighbours share."""

from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, fields, replace

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.search.nests.family import Operand


@dataclass(frozen=True)
class Measure:
    """What tiles hold of an operand along one loop; arrays with one entry a tile size.

    Attributes
    ----------
    total
        All tiles together, each counted apart.
    again
        The same, where it multiplies what is shared.
    first, last, most
        The first tile, the last one, and the largest one.
    even, odd
        What neighbours share, added up over pairs whose first one has an even (odd) index.
    """

    total: IntArray
    again: IntArray
    first: IntArray
    last: IntArray
    most: IntArray
    even: IntArray
    odd: IntArray

    def at(self, index: IntArray) -> "Measure":
        """Return the entries at indices."""
        return Measure(*(getattr(self, field.name)[index] for field in fields(self)))

    def hopeful(self, starts: IntArray) -> "Measure":
        """Return one entry a class of sizes: at least what is shared, at most what is held."""
        low = {name: np.minimum.reduceat(getattr(self, name), starts) for name in ("total", "most")}
        high = {
            name: np.maximum.reduceat(getattr(self, name), starts)
            for name in ("again", "first", "last", "even", "odd")
        }
        return Measure(**low, **high)


@dataclass(frozen=True)
class Axis:
    """Tile sizes along one loop, ascending.

    Attributes
    ----------
    size, rounds, rest
        Of a tile, number of tiles, and size of the last one; shape (sizes,).
    measures
        By operand.
    kept, fresh, reach
        Of rows or columns that a line buffer walks over: inputs along this axis that have to stay
        from one line of outputs to later ones within the tile, new ones that a line brings, and
        inputs between the first and the last one of a line; shape (sizes,).
    brings
        New ones that every line after the first brings, as far as it is not cut off by the edge:
        with gaps between taps some lines bring more than others.
    """

    size: IntArray
    rounds: IntArray
    rest: IntArray
    measures: ReadOnly[Operand, Measure]
    kept: IntArray
    fresh: IntArray
    reach: IntArray
    brings: IntArray

    @property
    def classes(self) -> IntArray:
        """Where sizes begin that give another number of tiles than the size before."""
        return np.flatnonzero(np.r_[True, self.rounds[1:] != self.rounds[:-1]])

    def hopeful(self) -> "Axis":
        """Return one entry a number of tiles, which costs and needs at most what its sizes do."""
        starts = self.classes
        rounds = self.rounds[starts]
        return replace(
            self,
            size=self.size[starts],
            rounds=rounds,
            rest=np.where(rounds > 1, 1, self.size[starts]),
            measures={name: one.hopeful(starts) for name, one in self.measures.items()},
            kept=np.minimum.reduceat(self.kept, starts),
            fresh=np.minimum.reduceat(self.fresh, starts),
            reach=np.minimum.reduceat(self.reach, starts),
            brings=np.maximum.reduceat(self.brings, starts),
        )


def plain_axis(total: int, *, channels: bool = False) -> Axis:
    """Return an axis of groups, kernels or channels, of which neighbours share nothing."""
    size = np.arange(1, total + 1)
    rounds = -(-total // size)
    rest = total - (rounds - 1) * size
    none, one = np.zeros_like(size), np.ones_like(size)
    all_ = np.full_like(size, total)
    count = Measure(all_, all_, size, rest, size, none, none)
    # A bias rides with the first channels of its kernel.
    first = Measure(one, one, one, (rounds == 1).astype(np.int64), one, none, none)
    measures: dict[Operand, Measure] = {"inputs": count, "weights": count, "outputs": count}
    return Axis(
        size,
        rounds,
        rest,
        {**measures, "biases": first if channels else count},
        *(none, none, none, none),
    )


def spatial_axis(taps: BoolArray) -> Axis:
    """Return an axis of output rows or columns.

    Parameters
    ----------
    taps
        Which input lines each output line uses, shape (outputs, inputs).
    """
    outputs = len(taps)
    size = np.arange(1, outputs + 1)
    rounds = -(-outputs // size)
    rest = outputs - (rounds - 1) * size
    none, all_ = np.zeros_like(size), np.full_like(size, outputs)
    inputs = np.array([_inputs(taps, s) for s in size.tolist()], dtype=np.int64).T
    kept, fresh, reach = np.array([_lines(taps, s) for s in size.tolist()], dtype=np.int64).T
    measures: dict[Operand, Measure] = {
        "inputs": Measure(*inputs),
        "outputs": Measure(all_, all_, size, rest, size, none, none),
    }
    gaps = reach > taps.sum(axis=1).max()
    brings = np.where(gaps, np.minimum(fresh, 1), fresh)
    return Axis(size, rounds, rest, measures, kept, fresh, reach, brings)


def _inputs(taps: BoolArray, size: int) -> tuple[int, ...]:
    masks = np.logical_or.reduceat(taps, np.arange(0, len(taps), size), axis=0)
    count = masks.sum(axis=1)
    shared = (masks[:-1] & masks[1:]).sum(axis=1)
    total = int(count.sum())
    sums = int(shared[::2].sum()), int(shared[1::2].sum())
    return total, total, int(count[0]), int(count[-1]), int(count.max()), *sums


def _lines(taps: BoolArray, size: int) -> tuple[int, int, int]:
    """Return what a line buffer keeps, what a line brings, and how far a line reaches."""
    kept = fresh = 0
    for start in range(0, len(taps), size):
        tile = taps[start : start + size]
        before = np.logical_or.accumulate(tile, axis=0)
        after = np.logical_or.accumulate(tile[::-1], axis=0)[::-1]
        kept = max(kept, int((before[:-1] & after[1:]).sum(axis=1).max(initial=0)))
        fresh = max(fresh, int((tile[1:] & ~before[:-1]).sum(axis=1).max(initial=0)))
    some = taps.any(axis=1)
    ends = taps.shape[1] - taps[:, ::-1].argmax(axis=1) - taps.argmax(axis=1)
    return kept, max(fresh, int(taps.sum(axis=1).max()) - kept), int(ends[some].max(initial=0))
