"""The best members of the family, by complete enumeration with pruning.

Tile sizes that give the same numbers of tiles form a class. Classes are bounded from below twice:
roughly, by what the innermost loop lets each operand keep, and closely, by the costs of the best
sizes that a class could have at once. They are opened in the order of the rough bounds, until no
other one can hold a member as cheap as those found.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from offloadasp.asp.facts import Scale, scale_of
from offloadasp.base.arrays import IntArray
from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem
from offloadasp.search.nests.actions import actions, operations
from offloadasp.search.nests.axes import Axis
from offloadasp.search.nests.cost import Tiles, axes_of, needs, product, sizes_of
from offloadasp.search.nests.family import LOOPS, MODES, REACHED, Loop, Mapping, Mode, Operand

# Classes and tiles that are looked at together; tiles of one class that are; and in all.
_BATCH, _CLASS, _MOST = 1 << 12, 1 << 13, 1 << 18
# Classes at most: a pass over them takes memory, about a kilobyte each.
_CLASSES = 1 << 19
# Sizes of a loop that are looked at in larger classes.
_THIN = 4
# Classes that are opened before the bounds of others are known.
_AT_ONCE = 1 << 5
_WHOLE = tuple((i, w, o) for i in (False, True) for w in (False, True) for o in (False, True))
_OPERANDS: tuple[Operand, ...] = ("inputs", "weights", "outputs")


@dataclass
class Ranking:
    """The cheapest members of the family that were found.

    Attributes
    ----------
    few
        How many to keep.
    best
        Mappings with their costs in units of the rules, cheapest first.
    complete
        Whether the enumeration ended: then nothing in the family costs less than the first one.
    tried
        Members looked at: tiles with a mode, in all orders.
    """

    few: int
    best: list[tuple[int, Mapping]] = field(default_factory=list)
    complete: bool = False
    tried: int = 0

    @property
    def limit(self) -> float:
        """A cost that is of no use any more."""
        return self.best[-1][0] if len(self.best) >= self.few else np.inf

    def add(self, cost: int, mapping: Mapping) -> None:
        """Take a mapping in, as one of the best."""
        self.best = sorted([*self.best, (cost, mapping)], key=lambda one: one[0])[: self.few]


def enumerate_nests(
    problem: Problem, clock: Clock, few: int = 1, most: int | None = None
) -> Ranking:
    """Return the cheapest loop nests of a layer, at the prices of a problem.

    Parameters
    ----------
    problem
        Gives layer, memory and prices; its decomposition is of no matter.
    clock
        Its time ends the enumeration early. Within a budget the work is limited by its own count.
    few
        How many to return.
    most
        Operations at positions that their plans may have; None: any number.

    Returns
    -------
    Ranking
        Empty and not complete where the layer has too many tile sizes.
    """
    ranking = Ranking(few)
    if math.prod(len(axis.classes) for axis in axes_of(problem).values()) > _CLASSES:
        return ranking
    _Enumeration(problem, clock, ranking, most).run()
    return ranking


@dataclass
class _Enumeration:
    """An enumeration under way."""

    problem: Problem
    clock: Clock
    ranking: Ranking
    most: int | None
    thinned: bool = False

    @cached_property
    def axes(self) -> dict[Loop, Axis]:
        """Every tile size of every loop."""
        return axes_of(self.problem)

    @cached_property
    def scale(self) -> Scale:
        """The prices as integers."""
        return scale_of(self.problem)

    @cached_property
    def orders(self) -> list[tuple[Loop, ...]]:
        """The orders of the loops that can go round more than once, inside all others."""
        turning = [loop for loop in LOOPS if len(self.axes[loop].size) > 1]
        still = tuple(loop for loop in LOOPS if loop not in turning)
        return [(*still, *order) for order in itertools.permutations(turning)]

    def run(self) -> None:
        """Open classes until no other one is of use, or the limits are reached."""
        rough, tiles, modes = self._classes()
        close = np.full(len(rough), _NEVER)
        # The most hopeful ones of each batch are opened at once, so that later ones are cut off.
        for start in range(0, len(rough), _BATCH):
            if rough[start] >= self.ranking.limit:
                break
            if self.clock.expired():
                return
            at = np.arange(start, min(start + _BATCH, len(rough)))
            for mode in np.unique(modes[at]).tolist():
                some = at[modes[at] == mode]
                close[some] = self._costs(tiles.at(some), MODES[mode])[0]
            best = at[np.argsort(close[at], kind="stable")[:_AT_ONCE]]
            self._open_all(tiles, modes, close, best)
            close[best] = _NEVER
        self.ranking.complete = self._open_all(
            tiles, modes, close, np.argsort(close, kind="stable")[: int((close < _NEVER).sum())]
        )

    def _open_all(self, tiles: Tiles, modes: IntArray, close: IntArray, chosen: IntArray) -> bool:
        """Open classes in the given order, that of their bounds; return whether all were."""
        for start in range(0, len(chosen), _AT_ONCE):
            part = chosen[start : start + _AT_ONCE]
            if close[part[0]] >= self.ranking.limit:
                break
            if self.clock.expired() or self.ranking.tried > _MOST:
                return False
            for mode in np.unique(modes[part]).tolist():
                some = part[(modes[part] == mode) & (close[part] < self.ranking.limit)]
                self._open(tiles.at(some), MODES[mode])
        return not self.thinned

    def _classes(self) -> tuple[IntArray, Tiles, IntArray]:
        """Return rough bounds of all classes that fit, ascending, with their tiles and modes."""
        hopeful = {loop: axis.hopeful() for loop, axis in self.axes.items()}
        grid = np.meshgrid(*(np.arange(len(hopeful[loop].size)) for loop in LOOPS), indexing="ij")
        index = {loop: part.ravel() for loop, part in zip(LOOPS, grid, strict=True)}
        tiles = Tiles(sizes_of(self.problem), hopeful, index)
        rough = self._rough(tiles)
        found = []
        for k, mode in enumerate(MODES):
            fits = self._fitting(tiles, mode)
            cost = rough[mode.inputs, mode.weights, mode.outputs][fits]
            found.append((cost, fits, np.full(len(fits), k)))
        bound, chosen, modes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(bound, kind="stable")
        return bound[order], tiles.at(chosen[order]), modes[order]

    def _fitting(self, tiles: Tiles, mode: Mode) -> IntArray:
        """Return the tiles that fit the memory, a compute action, and the operations allowed."""
        need = needs(tiles, mode)
        fits = (need.least <= tiles.sizes.memory) & (tiles.size("c") <= tiles.sizes.windows)
        if self.most is not None:
            fits &= operations(tiles, mode, need) <= self.most
        return np.flatnonzero(fits)

    def _rough(self, tiles: Tiles) -> dict[tuple[bool, bool, bool], IntArray]:
        """Bound the costs of tiles from below, by which operands are whole.

        An operand that the innermost loop leads to other data of is kept at turns only.
        """
        sizes, scale = tiles.sizes, self.scale
        each = {
            "inputs": scale.load * sizes.input,
            "weights": scale.load * sizes.weight * sizes.taps,
            "outputs": (scale.load + scale.write) * sizes.partial,
        }
        count = product(tiles.rounds(loop) for loop in LOOPS)
        windows = sizes.outputs * int(self.axes["c"].size[-1])
        fixed = scale.write * sizes.output * sizes.outputs + scale.compute * np.maximum(
            count, -(-windows // sizes.windows)
        )
        apart = {name: tiles.visited(name) for name in _OPERANDS}
        once = {
            "inputs": self.problem.input_total // sizes.input,
            "weights": self.problem.layer.macs // self.problem.positions // sizes.taps,
            "outputs": sizes.outputs,
        }
        least = {pair: self._kept_inside(tiles, pair, count) for pair in self._innermost}
        turning = sum((tiles.rounds(loop) > 1).astype(np.int64) for loop in LOOPS)
        bounds = {}
        for whole in _WHOLE:
            best: IntArray = np.full(len(tiles), _NEVER)
            for pair, kept in least.items():
                cost = fixed - each["outputs"] * sizes.outputs
                for name, stays in zip(_OPERANDS, whole, strict=True):
                    loads = np.maximum(kept[name], once[name]) if stays else apart[name]
                    cost = cost + each[name] * loads
                # A loop that goes round once is inside no other, unless hardly any goes on.
                inside = np.minimum(tiles.rounds(pair[0]), tiles.rounds(pair[1])) > 1
                best = np.where(inside | (turning < 2), np.minimum(best, cost), best)
            bounds[whole] = best
        return bounds

    @property
    def _innermost(self) -> list[tuple[Loop, Loop]]:
        """The pairs of loops that may be the two innermost ones, the inner one last."""
        loops = self.orders[0]
        return list(itertools.permutations(loops[-2:] if len(self.orders) == 1 else loops, 2))

    def _kept_inside(
        self, tiles: Tiles, pair: tuple[Loop, Loop], count: IntArray
    ) -> dict[Operand, IntArray]:
        """Bound from below how many elements of operands are moved, by the two innermost loops."""
        found = {}
        for name in _OPERANDS:
            around = np.ones(len(tiles), dtype=np.int64)
            least = np.zeros_like(around)
            for loop in reversed(pair):
                rounds = tiles.rounds(loop)
                if loop in REACHED[name]:
                    apart = tiles.visited(name)
                    if name == "inputs" and loop in ("p", "q"):
                        apart = apart - tiles.beside(loop)
                    turns = count // (around * rounds) - 1
                    least = np.asarray(
                        apart // around - turns * tiles.largest(name), dtype=np.int64
                    )
                    break
                around = around * rounds
            found[name] = least
        return found

    def _open(self, classes: Tiles, mode: Mode) -> None:
        """Look at all sizes of classes."""
        for tiles in self._members(classes):
            fitting = tiles.at(self._fitting(tiles, mode))
            if len(fitting):
                self.ranking.tried += len(fitting)
                self._take(fitting, mode)

    def _costs(self, tiles: Tiles, mode: Mode) -> tuple[IntArray, IntArray, IntArray]:
        """Return costs in the best order, which order that is, and compute actions."""
        best, which = np.full(len(tiles), _NEVER), np.zeros(len(tiles), dtype=np.int64)
        scale = self.scale
        for at, order in enumerate(self.orders):
            loaded, written = tiles.transfers(mode, order)
            cost = scale.load * loaded + scale.write * written
            less = cost < best
            best, which = np.where(less, cost, best), np.where(less, at, which)
        acts = np.zeros(len(tiles), dtype=np.int64)
        if scale.compute:
            acts = actions(tiles, mode, needs(tiles, mode))
        return best + scale.compute * acts, which, acts

    def _members(self, classes: Tiles) -> Iterator[Tiles]:
        """Yield the tiles of classes, in batches."""
        starts = {loop: np.r_[axis.classes, len(axis.size)] for loop, axis in self.axes.items()}
        batch: list[list[IntArray]] = []
        count = 0
        for row in zip(*(classes.index[loop].tolist() for loop in LOOPS), strict=True):
            spans = [
                np.arange(*starts[loop][k : k + 2]) for loop, k in zip(LOOPS, row, strict=True)
            ]
            if np.prod([len(span) for span in spans]) > _CLASS:
                self.thinned = True
                spans = [_thinned(span) for span in spans]
            batch.append([part.ravel() for part in np.meshgrid(*spans, indexing="ij")])
            count += len(batch[-1][0])
            if count >= _BATCH:
                yield self._joined(batch)
                batch, count = [], 0
        if batch:
            yield self._joined(batch)

    def _joined(self, batch: list[list[IntArray]]) -> Tiles:
        columns = [np.concatenate(parts) for parts in zip(*batch, strict=True)]
        return Tiles(sizes_of(self.problem), self.axes, dict(zip(LOOPS, columns, strict=True)))

    def _take(self, tiles: Tiles, mode: Mode) -> None:
        """Rank tiles that fit."""
        cost, which, _ = self._costs(tiles, mode)
        for k in np.argsort(cost, kind="stable")[: self.ranking.few].tolist():
            if cost[k] < self.ranking.limit:
                tile = tiles.at(np.array([k]))
                self.ranking.add(int(cost[k]), mapping_of(tile, mode, self.orders[which[k]]))


_NEVER = np.iinfo(np.int64).max


def _thinned(span: IntArray) -> IntArray:
    """Return a few sizes of a range, its ends included."""
    return span[np.unique(np.linspace(0, len(span) - 1, _THIN).astype(np.int64))]


def mapping_of(tile: Tiles, mode: Mode, order: tuple[Loop, ...]) -> Mapping:
    """Return one tile as a mapping with its exact costs."""
    loaded, written = tile.transfers(mode, order)
    g, p, q, m, c = (int(tile.size(loop)[0]) for loop in LOOPS)
    rounds = [int(tile.rounds(loop)[0]) for loop in LOOPS]
    return Mapping(
        (g, p, q, m, c),
        (rounds[0], rounds[1], rounds[2], rounds[3], rounds[4]),
        order,
        mode,
        int(loaded[0]),
        int(written[0]),
        int(actions(tile, mode, needs(tile, mode))[0]),
    )
