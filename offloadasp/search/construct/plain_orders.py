"""Baselines: plans along plain orders, with loops that a constructive search looks at."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from offloadasp.limits.clock import Clock
from offloadasp.search.construct.blocking import Blocking, most_operations
from offloadasp.search.construct.candidate import Best, Candidate
from offloadasp.search.construct.traversal import ROW_BY_ROW, ZIGZAG, Traversal
from offloadasp.search.construct.variations import smaller

# An estimate, a number that keeps the order of equal ones, and the blocking.
Ranked = tuple[float, int, Blocking]

# Baselines are tried with so many blockings each, and with so many step sizes.
_BLOCKINGS, _SIZES = 12, 4


@dataclass(frozen=True)
class PlainOrders:
    """Plans row by row and zigzag.

    Attributes
    ----------
    best
        The best candidates, which hold the best one along each order.
    clock
        Limits the search.
    attempt
        Schedules a blocking along an order, and takes it in; None where it cannot beat a cost.
    share
        The share of the clock's time that may be used.
    """

    best: Best
    clock: Clock
    attempt: Callable[[Blocking, Traversal, int | None], Candidate | None]
    share: Callable[[], float]

    def among(self, ranked: Iterable[Ranked]) -> None:
        """Find a plan of each baseline, and better ones among the first few that may be."""
        straight = (entry[2] for entry in ranked if entry[2].straight)
        for tried, blocking in enumerate(straight):
            for baseline in (ROW_BY_ROW, ZIGZAG):
                known = baseline.name in self.best.by_name
                if known and tried >= _BLOCKINGS:
                    return
                left = self._fit(blocking, baseline, _SIZES)
                if not left and {ROW_BY_ROW.name, ZIGZAG.name} <= self.best.by_name.keys():
                    return

    def complete(self, winner: Candidate, rank: Callable[[], Iterable[Ranked]]) -> None:
        """Find one plan along each baseline that has none yet."""
        for baseline in (ROW_BY_ROW, ZIGZAG):
            if baseline.name not in self.best.by_name and not self.clock.halted:
                self.attempt(winner.blocking.straightened(), baseline, None)
        if not {ROW_BY_ROW.name, ZIGZAG.name} <= self.best.by_name.keys():
            self.first_of(rank())

    def first_of(self, ranked: Iterable[Ranked]) -> None:
        """Find one plan along each baseline, however little time is left."""
        straight = (entry[2] for entry in ranked if entry[2].straight)
        few = itertools.islice(straight, _BLOCKINGS)
        for blocking, baseline in itertools.product(few, (ROW_BY_ROW, ZIGZAG)):
            for size in smaller(blocking.size):
                if baseline.name in self.best.by_name or self.clock.halted:
                    break
                self.attempt(replace(blocking, size=size), baseline, None)

    def with_loops_of(self, winner: Candidate) -> None:
        """Give the baselines the loops that won, with every step size."""
        blocking = winner.blocking.straightened()
        blocking = replace(blocking, size=most_operations(blocking.problem))
        for baseline in (ROW_BY_ROW, ZIGZAG):
            if not self._fit(blocking, baseline):
                return

    def _fit(self, blocking: Blocking, baseline: Traversal, fitting: int | None = None) -> bool:
        """Try ever smaller steps along a baseline, until some fit; return whether time is left.

        A path that is not the one of the estimate may need more memory for the same steps.
        """
        for size in smaller(blocking.size) if blocking.coarse is None else (1,):
            best = self.best.cost(baseline.name)
            # The first plan of each is free: it is to be shown beside what is found.
            if self.clock.expired() if best is None else not self.clock.spend(self.share()):
                return False
            found = self.attempt(replace(blocking, size=size), baseline, best)
            if found is not None and fitting is not None:
                fitting -= 1
                if fitting == 0:
                    break
        return True
