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
from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem
from offloadasp.search.nests.actions import Light, actions
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
_NEVER = np.iinfo(np.int64).max
_ANY = Light()


@dataclass
class Ranking:
    """The cheapest members of the family that were found.

    Attributes
    ----------
    few
        How many to keep.
    first
        The cheapest mapping with its cost in units of the rules, however large its plan.
    best
        Those whose plans are light, cheapest first.
    complete
        Whether the enumeration ended: then nothing in the family costs less than the first one.
    tried
        Members looked at: tiles with a mode, in all orders.
    """

    few: int
    first: tuple[int, Mapping] | None = None
    best: list[tuple[int, Mapping]] = field(default_factory=list)
    complete: bool = False
    tried: int = 0

    def limit(self, *, light: bool) -> int:
        """Return a cost that is of no use any more, for light plans or for others."""
        if light:
            return self.best[-1][0] if len(self.best) >= self.few else _NEVER
        return _NEVER if self.first is None else self.first[0]

    def add(self, cost: int, mapping: Mapping, *, light: bool) -> None:
        """Take a mapping in, if it is one of the best."""
        if cost < self.limit(light=False):
            self.first = cost, mapping
        if light and cost < self.limit(light=True):
            self.best = sorted([*self.best, (cost, mapping)], key=lambda one: one[0])[: self.few]


def enumerate_nests(problem: Problem, clock: Clock, few: int = 1, light: Light = _ANY) -> Ranking:
    """Return the cheapest loop nests of a layer, at the prices of a problem.

    Parameters
    ----------
    problem
        Gives layer, memory and prices; its decomposition is of no matter.
    clock
        Its time ends the enumeration early. Within a budget the work is limited by its own count.
    few
        How many light ones to return.
    light
        What their plans may take; by default anything.

    Returns
    -------
    Ranking
        Empty and not complete where the layer has too many tile sizes.
    """
    ranking = Ranking(few)
    if math.prod(len(axis.classes) for axis in axes_of(problem).values()) > _CLASSES:
        return ranking
    _Enumeration(problem, clock, ranking, light).run()
    return ranking


@dataclass
class _Enumeration:
    """An enumeration under way."""

    problem: Problem
    clock: Clock
    ranking: Ranking
    light: Light
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
        rough, tiles, modes, light = self._classes()
        close = np.full(len(rough), _NEVER)
        # The most hopeful ones of each batch are opened at once, so that later ones are cut off.
        for start in range(0, len(rough), _BATCH):
            if rough[start] >= self.ranking.limit(light=True):
                break
            if self.clock.expired():
                return
            at = np.arange(start, min(start + _BATCH, len(rough)))
            at = at[rough[at] < self._limits(light[at])]
            for mode in np.unique(modes[at]).tolist():
                some = at[modes[at] == mode]
                close[some] = self._costs(tiles.at(some), MODES[mode])[0]
            best = at[np.argsort(close[at], kind="stable")[:_AT_ONCE]]
            if not self._open_all(tiles, modes, close, light, best):
                return
            close[best] = _NEVER
        left = np.argsort(close, kind="stable")[: int((close < _NEVER).sum())]
        every = self._open_all(tiles, modes, close, light, left)
        self.ranking.complete = every and not self.thinned

    def _limits(self, light: BoolArray) -> IntArray:
        """Return costs that are of no use any more in classes with and without light plans."""
        return np.where(light, self.ranking.limit(light=True), self.ranking.limit(light=False))

    def _open_all(
        self, tiles: Tiles, modes: IntArray, close: IntArray, light: BoolArray, chosen: IntArray
    ) -> bool:
        """Open classes in the given order, that of their bounds.

        Returns
        -------
        bool
            Whether all were that can hold a member as cheap as the first one.
        """
        for start in range(0, len(chosen), _AT_ONCE):
            part = chosen[start : start + _AT_ONCE]
            if close[part[0]] >= self.ranking.limit(light=True):
                break
            if self.clock.expired() or self.ranking.tried > _MOST:
                return bool(close[part[0]] >= self.ranking.limit(light=False))
            for mode in np.unique(modes[part]).tolist():
                some = part[modes[part] == mode]
                self._open(tiles.at(some[close[some] < self._limits(light[some])]), MODES[mode])
        return True

    def _classes(self) -> tuple[IntArray, Tiles, IntArray, BoolArray]:
        """Return rough bounds of all classes that fit, ascending, with their tiles and modes.

        The last array says which of them may have light plans.
        """
        hopeful = {loop: axis.hopeful() for loop, axis in self.axes.items()}
        grid = np.meshgrid(*(np.arange(len(hopeful[loop].size)) for loop in LOOPS), indexing="ij")
        index = {loop: part.ravel() for loop, part in zip(LOOPS, grid, strict=True)}
        tiles = Tiles(sizes_of(self.problem), hopeful, index)
        rough = self._rough(tiles)
        found = []
        for k, mode in enumerate(MODES):
            fits = self._fitting(tiles, mode)
            some = tiles.at(fits)
            light = self.light.may_be(some, mode, needs(some, mode))
            cost = rough[mode.inputs, mode.weights, mode.outputs][fits]
            found.append((cost, fits, np.full(len(fits), k), light))
        bound, chosen, modes, light = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(bound, kind="stable")
        return bound[order], tiles.at(chosen[order]), modes[order], light[order]

    def _fitting(self, tiles: Tiles, mode: Mode) -> IntArray:
        """Return the tiles that fit the memory and a compute action."""
        fits = needs(tiles, mode).least <= tiles.sizes.memory
        return np.flatnonzero(fits & (tiles.size("c") <= tiles.sizes.windows))

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
        by_cost = np.argsort(cost, kind="stable")
        by_cost = by_cost[cost[by_cost] < self.ranking.limit(light=True)]
        some = tiles.at(by_cost)
        light = self.light.is_met(some, mode, needs(some, mode))
        few = np.flatnonzero(light)[: self.ranking.few]
        for k in sorted({*range(min(1, len(by_cost))), *few.tolist()}):
            tile, order = some.at(np.array([k])), self.orders[which[by_cost[k]]]
            mapping = mapping_of(tile, mode, order)
            self.ranking.add(int(cost[by_cost[k]]), mapping, light=bool(light[k]))


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
