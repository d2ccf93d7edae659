"""From constructive plans to better ones: the local search, in its place among the others."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from offloadasp.asp.facts import scale_of
from offloadasp.limits.abandonable import beside, of_no_use
from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan
from offloadasp.search.construct.candidate import Best
from offloadasp.search.construct.residency import plan_of, schedule_from
from offloadasp.search.pool import Offer
from offloadasp.search.size_limits import operations, within_reach
from offloadasp.search.source import Annealed

if TYPE_CHECKING:
    from offloadasp.search.anneal.annealing import Annealer

# Changes that one unit of a budget pays for, and that are tried at a time.
_CHANGES_EACH, _PORTION = 25, 10_000
# Within a budget the local search begins after so many evaluations, so many times as many, ….
_FIRST, _FACTOR = 16, 8
# Changes for each operation, without gain, before another search takes over, and before the end.
_SOON, _LATE = 10_000, 50_000
# How long to wait at a time for the search to be compiled.
_WAIT_SECONDS = 0.05


@dataclass
class Improver:
    """Improves a plan, a moment at a time.

    Attributes
    ----------
    start
        The plan.
    seed
        Of the random numbers.
    enough
        A cost in units of the rules that ends the search.
    tell
        Told of every better cost.
    """

    start: Offer
    seed: int
    enough: int
    tell: Callable[[int], None] = lambda _: None
    _annealer: "Annealer | None" = field(default=None, init=False)
    _unfit: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.problem = self.start.plan.problem
        self._first = units(self.start.plan)

    @property
    def cost(self) -> int:
        """The least cost so far, in units of the rules."""
        return self._first if self._annealer is None else self._annealer.cost

    @property
    def best(self) -> Offer:
        """The best plan so far."""
        if self._annealer is None or self.cost == self._first:
            return self.start
        plan = plan_of(self.problem, self._annealer.best)
        return Offer(plan, Annealed(self.start.source))

    def hopeful(self, *, late: bool = False) -> bool:
        """Return whether to go on: soon it gives up if another search is to follow, else late."""
        if self._unfit or not within_reach(self.problem) or self.cost <= self.enough:
            return False
        patience = (_LATE if late else _SOON) * operations(self.problem)
        return self._annealer is None or self._annealer.patient(patience)

    def go_on(self) -> None:
        """Search for a moment; wait for one if the search is still being compiled."""
        if self._annealer is None:
            preparation().join(_WAIT_SECONDS)
            if preparation().is_alive():
                return
            self._begin()
        if self._annealer is None:
            return
        before = self.cost
        self._annealer.run_for_a_moment()
        self._tell_if_below(before)

    def until(self, clock: Clock, share: float, *, late: bool = False) -> None:
        """Search until a share of the clock's time is over, or there is no hope of a gain."""
        while self.hopeful(late=late):
            if clock.halted or clock.elapsed >= clock.searching * share:
                return
            self.go_on()

    def within(self, changes: int, clock: Clock) -> None:
        """Try so many changes at most."""
        while changes > 0 and not clock.halted and self.hopeful(late=True):
            self._begin()
            if self._annealer is None:
                return
            portion, before = min(changes, _PORTION), self.cost
            self._annealer.run(portion)
            self._tell_if_below(before)
            changes -= portion

    def _begin(self) -> None:
        if self._annealer is None:
            self._annealer = _annealer(self.start, self.seed)
            self._unfit = self._annealer is None

    def _tell_if_below(self, before: int) -> None:
        if self.cost < before:
            self.tell(self.cost)


@cache
def preparation() -> threading.Thread:
    """Return a thread that loads the search, compiled; the first one on a machine compiles it."""

    def load() -> None:
        from offloadasp.search.anneal.annealing import compile_all
        from offloadasp.search.anneal.numba_or_python import unkept

        if unkept:
            of_no_use()
        compile_all()

    def load_if_possible() -> None:
        with suppress(MemoryError):  # raised again where the search is used
            load()

    return beside(load_if_possible)


def _annealer(start: Offer, seed: int) -> "Annealer | None":
    # Loading numba takes a while, and many runs do not need it.
    from offloadasp.search.anneal.annealing import Annealer
    from offloadasp.search.anneal.arrangement import UnfitError

    try:
        return Annealer(start.plan.problem, schedule_from(start.plan), seed)
    except UnfitError:
        return None


def units(plan: Plan) -> int:
    """Return the cost of a plan in units of the rules."""
    problem = plan.problem
    return int((plan.cost - problem.prices.fixed) / scale_of(problem).unit)


def starts_of(best: Best, budget: int) -> list[tuple[Offer, int]]:
    """Return the plans from which to search within a budget, with numbers of changes.

    They are the best plans after 16, 128, 1024, … evaluations, each with as many changes as these
    are worth. So a larger budget does all that a smaller one does, and its result is not worse.
    """
    found: dict[int, tuple[Offer, int]] = {}
    tried = _FIRST
    while tried <= budget:
        known = [entry for entry in best.in_reach if entry[0] <= tried]
        if known:
            number, candidate = known[-1]
            found[number] = candidate.offer(number), tried * _CHANGES_EACH
        tried *= _FACTOR
    return list(found.values())
