"""From constructive plans to better ones: the local search, in its place among the others."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from offloadasp.limits.abandonable import beside
from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem
from offloadasp.search.construct.construct import Best, Constructed
from offloadasp.search.construct.residency import Schedule
from offloadasp.search.size_limits import operations, within_reach

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


@dataclass(frozen=True)
class Proposal:
    """A schedule, and in words where it comes from."""

    problem: Problem
    schedule: Schedule
    words: str

    @property
    def cost(self) -> int:
        """In units of the rules."""
        return self.schedule.cost

    @property
    def method(self) -> str:
        """How the schedule was found, for readers."""
        keeping = "optimal" if self.schedule.exact else "a heuristic"
        return f"{self.words}; what to keep: {keeping} for this order"


def proposal_of(plan: Constructed, memory: int) -> Proposal:
    """Return a constructive plan as a proposal at a memory of so many bytes."""
    words = f"{plan.traversal.text}, {plan.blocking.text}"
    return Proposal(plan.blocking.problem.with_memory(memory), plan.schedule, words)


@dataclass
class Improver:
    """Improves a proposal, a moment at a time.

    Attributes
    ----------
    start
        The proposal.
    seed
        Of the random numbers.
    enough
        A cost in units of the rules that ends the search.
    tell
        Told of every better cost.
    """

    start: Proposal
    seed: int
    enough: int
    tell: Callable[[int], None] = lambda _: None
    _annealer: "Annealer | None" = field(default=None, init=False)

    @property
    def cost(self) -> int:
        """The least cost so far, in units of the rules."""
        return self.start.cost if self._annealer is None else self._annealer.cost

    @property
    def best(self) -> Proposal:
        """The best proposal so far."""
        if self._annealer is None or self.cost == self.start.cost:
            return self.start
        words = f"local search from {self.start.words}"
        return Proposal(self.start.problem, self._annealer.best, words)

    def hopeful(self, *, late: bool = False) -> bool:
        """Return whether to go on: soon it gives up if another search is to follow, else late."""
        if not within_reach(self.start.problem) or self.cost <= self.enough:
            return False
        patience = (_LATE if late else _SOON) * operations(self.start.problem)
        return self._annealer is None or self._annealer.patient(patience)

    def go_on(self) -> None:
        """Search for a moment; wait for one if the search is still being compiled."""
        if self._annealer is None:
            preparation().join(_WAIT_SECONDS)
            if preparation().is_alive():
                return
            self._annealer = _annealer(self.start, self.seed)
        before = self.cost
        self._annealer.run_for_a_moment()
        self._tell_if_below(before)

    def until(self, clock: Clock, share: float, *, late: bool = False) -> None:
        """Search until a share of the clock's time is over, or there is no hope of a gain."""
        while self.hopeful(late=late):
            if clock.halted or clock.elapsed >= clock.seconds * share:
                return
            self.go_on()

    def within(self, changes: int, clock: Clock) -> None:
        """Try so many changes at most."""
        while changes > 0 and not clock.halted and self.hopeful(late=True):
            self._annealer = self._annealer or _annealer(self.start, self.seed)
            portion, before = min(changes, _PORTION), self.cost
            self._annealer.run(portion)
            self._tell_if_below(before)
            changes -= portion

    def _tell_if_below(self, before: int) -> None:
        if self.cost < before:
            self.tell(self.cost)


@cache
def preparation() -> threading.Thread:
    """Return a thread that loads the search, compiled; the first one on a machine compiles it."""

    def load() -> None:
        from offloadasp.search.anneal.annealing import compile_all

        compile_all()

    return beside(load)


def _annealer(start: Proposal, seed: int) -> "Annealer":
    # Loading numba takes a while, and many runs do not need it.
    from offloadasp.search.anneal.annealing import Annealer

    return Annealer(start.problem, start.schedule, seed)


def starts_of(best: Best, memory: int, budget: int) -> list[tuple[Proposal, int]]:
    """Return the proposals from which to search within a budget, with numbers of changes.

    They are the best plans after 16, 128, 1024, … evaluations, each with as many changes as these
    are worth. So a larger budget does all that a smaller one does, and its result is not worse.
    """
    found: dict[int, tuple[Proposal, int]] = {}
    tried = _FIRST
    while tried <= budget:
        known = [plan for plan in best.history if plan.tried <= tried]
        if known:
            found[known[-1].tried] = proposal_of(known[-1], memory), tried * _CHANGES_EACH
        tried *= _FACTOR
    return list(found.values())
