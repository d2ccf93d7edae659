"""Constructive plans: traversals by rules inside loops over the groups, with the best to keep.

First every *frame* (decomposition, loops, step size, resident kernels) is tried with a few
numbers of strips, then the best frames with every number. The baselines get the best frames, and
every frame of the decomposition that won.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from offloadasp.problem import IntArray, Problem
from offloadasp.search.clock import Clock
from offloadasp.search.frame import Frame, estimate, frames, sizes
from offloadasp.search.keep import Schedule, schedule, steps_of_order
from offloadasp.search.order import order_of
from offloadasp.search.strips import even, trials, walk
from offloadasp.search.traversal import ROW_BY_ROW, ZIGZAG, Traversal, Traversals

# Frames of each decomposition that are tried at all, and numbers of operations per step of each.
_FRAMES_EACH = 8
_SIZES_EACH = 4
# Frames that the second stage refines, and the first stage's share of the time of both.
_REFINED = 6
_FIRST_STAGE = 0.6
# Even strips with which a frame is tried first.
_PROBES = (1, 2, 4)


@dataclass(frozen=True)
class Constructed:
    """A constructive plan: where it comes from and what it costs.

    Attributes
    ----------
    frame, traversal, schedule
        The loops, the way through the output, and the steps.
    tried
        How many plans had been tried when it was found.
    """

    frame: Frame
    traversal: Traversal
    schedule: Schedule
    tried: int = 0

    @property
    def cost(self) -> int:
        """In units of the rules."""
        return self.schedule.cost


@dataclass
class Best:
    """The best plan so far, the best of every kind of traversal, and every plan once the best."""

    overall: Constructed | None = None
    by_name: dict[str, Constructed] = field(default_factory=dict)
    history: list[Constructed] = field(default_factory=list)

    def add(self, found: Constructed) -> bool:
        """Take a plan in; return whether it is the best of all."""
        name = found.traversal.name
        if self.improved_by(found, name):
            self.by_name[name] = found
        if self.improved_by(found):
            self.overall = found
            self.history.append(found)
            return True
        return False

    def improved_by(self, found: Constructed, name: str | None = None) -> bool:
        """Return whether a plan is better than the best of one kind of traversal, or of all."""
        cost = self.cost(name)
        return cost is None or found.cost < cost

    def cost(self, name: str | None = None) -> int | None:
        """Return the cost to beat: of one kind of traversal, or of all."""
        known = self.overall if name is None else self.by_name.get(name)
        return None if known is None else known.cost


def evaluate(
    tiles: IntArray, frame: Frame, traversal: Traversal, best: int | None = None
) -> Constructed | None:
    """Walk a frame along a traversal; None where it does not fit or cannot beat ``best``."""
    order = order_of(frame.problem, tiles, frame.nest, frame.chunk)
    step = steps_of_order(frame.problem, order, frame.size)
    found = schedule(frame.problem, order, step, frame.residents, best)
    return None if found is None else Constructed(frame, traversal, found)


@dataclass
class Constructor:
    """Searches the constructive plans of a layer in some decompositions.

    Attributes
    ----------
    known
        Gives the traversals.
    problems
        The layer in different decompositions, in the order in which to try them.
    clock
        Limits the search.
    enough
        A proven lower bound in units of the rules: a plan of this cost ends the search.
    on_better
        Told of every plan that is the best so far.
    share
        Of the clock's time, what this search may use.
    """

    known: Traversals
    problems: Sequence[Problem]
    clock: Clock
    enough: int
    on_better: Callable[[Constructed], None] = lambda _: None
    share: float = 0.9
    best: Best = field(default_factory=Best)
    tried: int = 0

    def run(self) -> Best:
        """Search, and return the best plans found."""
        promising = self._screen()
        self._baselines(promising)
        for frame in promising:
            self._refine(frame)
        if self.best.overall is not None:
            problem = self.best.overall.frame.problem
            every = itertools.product(frames(problem), sizes(problem))
            self._baselines(replace(frame, size=size) for frame, size in every)
        return self.best

    def _screen(self) -> list[Frame]:
        """Try frames, promising ones first, with a few numbers of strips; return the best."""
        candidates = _promising(self.problems)
        ranked: list[tuple[int, int, Frame]] = []
        for frame in candidates:
            fitting = 0
            for size in (size for size in sizes(frame.problem) if size <= frame.size):
                # Without any plan yet the search goes on: some plan comes first.
                if self.best.overall is not None and (
                    self._satisfied() or not self.clock.spend(self.share * _FIRST_STAGE)
                ):
                    break
                if self.clock.interrupted or fitting == _SIZES_EACH:
                    break
                cost = self._probe(replace(frame, size=size))
                if cost is not None:
                    ranked.append((cost, len(ranked), replace(frame, size=size)))
                    fitting += 1
        return [frame for _, _, frame in sorted(ranked, key=lambda entry: entry[:2])[:_REFINED]]

    def _probe(self, frame: Frame) -> int | None:
        """Try a frame with a few numbers of strips; None if no plan fits or comes near the best."""
        best = self.best.cost()
        beat = None if best is None else best + best // 20
        found = [self._attempt(frame, probe, beat) for probe in _probes(frame.problem.tile_grid)]
        return min((plan.cost for plan in found if plan is not None), default=None)

    def _refine(self, frame: Frame) -> None:
        """Search the strips of a frame."""
        following = trials(frame.problem.tile_grid)
        strips = next(following, None)
        while strips and not self._satisfied() and self.clock.spend(self.share):
            found = self._attempt(frame, strips, self.best.cost())
            try:
                strips = following.send(None if found is None else found.cost)
            except StopIteration:
                return

    def _baselines(self, among: Iterable[Frame]) -> None:
        """Find the best plan of each baseline among some frames; some plan comes first."""
        for frame in among:
            for baseline in (ROW_BY_ROW, ZIGZAG):
                known = baseline.name in self.best.by_name
                if not self.clock.spend(self.share if known else 1.0):
                    return
                self._attempt(frame, baseline, self.best.cost(baseline.name))

    def _satisfied(self) -> bool:
        return self.best.overall is not None and self.best.overall.cost <= self.enough

    def _attempt(self, frame: Frame, traversal: Traversal, best: int | None) -> Constructed | None:
        self.tried += 1
        grid = frame.problem.tile_grid
        if traversal.name == "strips":
            found = evaluate(walk(grid, traversal), frame, traversal, best)
            if found is None or not self.best.improved_by(found, traversal.name):
                return found
        found = evaluate(self.known.visits(grid, traversal), frame, traversal, best)
        if found is not None and self.best.add(replace(found, tried=self.tried)):
            self.on_better(found)
        return found


def _promising(problems: Sequence[Problem]) -> list[Frame]:
    """Return the best frames of each decomposition by their estimates, the best of all first."""
    found: list[tuple[float, int, int, Frame]] = []
    for number, problem in enumerate(problems):
        estimated = [(estimate(frame), number, k, frame) for k, frame in enumerate(frames(problem))]
        found += heapq.nsmallest(_FRAMES_EACH, estimated, key=lambda entry: entry[:3])
    return [frame for *_, frame in sorted(found, key=lambda entry: entry[:3])]


def _probes(grid: tuple[int, int]) -> list[Traversal]:
    """Return a few numbers of strips, along and across."""
    found = [
        even(grid, count, transposed=transposed)
        for count in _PROBES
        for transposed in (False, True)
    ]
    return [strips for strips in found if strips]
