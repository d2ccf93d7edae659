"""Which passes through a layer are the quickest, and with which compute actions: by estimates."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from offloadasp.base.arrays import IntArray
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.model.semantics import Semantics
from offloadasp.search.overlap.cuts import Curves
from offloadasp.search.overlap.passes import Pass, Passing, passes, passing, variations

# Operations of a pass at most; passes whose cuts are looked for, and how often the best is varied.
_OPERATIONS, _CUT, _ROUNDS = 120_000, 24, 4
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

    @staticmethod
    def of(problem: Problem, semantics: Semantics, way: Pass, times: int = 1) -> "_Uncut | None":
        """Return a pass that compute actions can do, or None."""
        order = passing(problem, way)
        if len(order.n) > _OPERATIONS or not order.fits:
            return None
        curves = Curves.of(order.problem, semantics, order.n, order.q, order.at, times)
        least = curves.least
        return _Uncut(way, order, curves, least) if math.isfinite(least) else None

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
    uncut = []
    for way in ways:
        if late():
            break
        found = _Uncut.of(problem, semantics, way)
        if found is not None:
            uncut.append(found)
    offers = [one.cut() for one in sorted(uncut, key=lambda one: one.least)[:_CUT]]
    tried = set(ways)
    for _ in range(_ROUNDS):
        best = min(offers, key=lambda offer: offer.cycles, default=None)
        if best is None or late():
            break
        near = [way for way in variations(problem.layer, best.way) if way not in tried]
        near = near[: max(0, most - len(tried))]
        tried.update(near)
        for way in near:
            found = _Uncut.of(problem, semantics, way)
            if found is not None and found.least < best.cycles:
                offers.append(found.cut())
    offers.sort(key=lambda offer: offer.cycles)
    for offer in offers[:_AGAIN]:
        found = None if late() else _Uncut.of(problem, semantics, offer.way, _TIMES)
        if found is not None:
            offers.append(found.cut())
    return sorted(offers, key=lambda offer: offer.cycles)
