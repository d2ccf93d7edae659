"""Which passes through a layer are the quickest, and with which compute actions: by estimates."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from offloadasp.base.arrays import IntArray
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.model.semantics import Semantics
from offloadasp.search.overlap.cuts import Curves
from offloadasp.search.overlap.passes import (
    MOST_OPERATIONS,
    Pass,
    Passing,
    has_room,
    passes,
    passing,
    size,
    variations,
)

# Operations of a pass at most that is not near the best one; passes whose cuts are looked for at
# most, and how often the best is varied.
_FEW, _CUT, _ROUNDS = 40_000, 24, 4
# Reads of input positions of all operations of a pass, at most.
_READS = 4_000_000
# The best passes are cut once more, with so many times as many places.
_AGAIN, _TIMES = 3, 4


@dataclass(frozen=True)
class Offer:
    """A pass cut into compute actions.

    Attributes
    ----------
    cycles
        Its duration, by estimate.
    step
        The action of each operation, from 1.
    """

    cycles: float
    way: Pass
    passing: Passing
    step: IntArray

    def plan(self) -> Plan | None:
        """Return the serial plan, or None if it is too large."""
        return self.passing.plan(self.step)


@dataclass(frozen=True)
class _Uncut:
    way: Pass
    passing: Passing
    curves: Curves
    least: float

    def cut(self) -> Offer:
        cycles, step = self.curves.cut(self.least)
        return Offer(cycles, self.way, self.passing, step)


def quickest(
    problem: Problem, semantics: Semantics, most: int, late: Callable[[], bool]
) -> list[Offer]:
    """Return cut passes, the quickest one first.

    Parameters
    ----------
    problem
        Serial, of a layer that `can_pass`, in any decomposition.
    semantics
        Of steps with overlap.
    most
        Passes that are looked at.
    late
        Asked now and then; True ends the search.
    """
    ways = list(islice(passes(problem.layer), most))
    search = _Search(problem, semantics, late)
    search.cut(search.look_at(ways, _FEW))
    search.vary(set(ways), most)
    search.cut(
        search.look_at([offer.way for offer in search.best(_AGAIN)], MOST_OPERATIONS, _TIMES)
    )
    return search.best()


@dataclass
class _Search:
    problem: Problem
    semantics: Semantics
    late: Callable[[], bool]
    offers: list[Offer] = field(default_factory=list)

    def best(self, most: int | None = None) -> list[Offer]:
        """Return the offers, the quickest one first."""
        return sorted(self.offers, key=lambda offer: offer.cycles)[:most]

    def look_at(self, ways: Iterable[Pass], operations: int, times: int = 1) -> list[_Uncut]:
        """Return the passes that memory and compute actions have room for, the best first."""
        found = []
        for way in ways:
            if self.late():
                break
            count = size(self.problem, way)
            if not has_room(self.problem, way) or count > min(operations, self._most):
                continue
            order = passing(self.problem, way)
            if order.fits:
                n, q, at = order.n, order.q, order.at
                curves = Curves.of(order.problem, self.semantics, n, q, at, times)
                found.append(_Uncut(way, order, curves, curves.least))
        possible = (one for one in found if math.isfinite(one.least))
        return sorted(possible, key=lambda one: one.least)

    @property
    def _most(self) -> int:
        """Operations whose reads are gone through in a moment."""
        return _READS // math.prod(self.problem.layer.kernel_shape)

    def cut(self, uncut: list[_Uncut]) -> None:
        """Cut the passes that may be among the quickest."""
        for number, one in enumerate(uncut[:_CUT]):
            hopeful = not self.offers or one.least < self.best(1)[0].cycles
            if self.late() or (number >= _AGAIN and not hopeful):
                return
            self.offers.append(one.cut())

    def vary(self, tried: set[Pass], most: int) -> None:
        """Cut passes near the best one, then near the new best one."""
        for _ in range(_ROUNDS):
            if not self.offers or len(tried) >= most:
                return
            best = self.best(1)[0]
            near = [one for one in variations(self.problem.layer, best.way) if one not in tried]
            tried.update(near)
            self.cut(
                [one for one in self.look_at(near, MOST_OPERATIONS) if one.least < best.cycles]
            )
            if self.best(1)[0] is best:
                return
