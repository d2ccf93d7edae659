"""From constructive plans to better ones: the local search, in its place among the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from offloadasp.problem import Problem
from offloadasp.search.anneal import Annealer, anneal, preparation, within_reach
from offloadasp.search.clock import Clock
from offloadasp.search.construct import Best, Constructed
from offloadasp.search.keep import Schedule
from offloadasp.search.reach import operations

# Changes that one unit of a budget pays for.
_CHANGES_EACH = 25
# Changes for each operation, without gain, before a complete search is begun instead.
_PATIENCE = 1000


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
    words = f"{plan.traversal.text}, {plan.frame.text}"
    return Proposal(plan.frame.problem.with_memory(memory), plan.schedule, words)


@dataclass(frozen=True)
class Improver:
    """Improves proposals within limits.

    Attributes
    ----------
    clock
        Limits the search; its evaluations are not spent.
    seed
        Of the random numbers.
    enough
        A proven lower bound in units of the rules: a plan of this cost ends the search.
    tell
        Told of every better cost.
    """

    clock: Clock
    seed: int
    enough: int
    tell: Callable[[int], None] = lambda _: None

    def until(self, start: Proposal, share: float, *, patient: bool) -> Proposal:
        """Improve a proposal until a share of the clock's time is over.

        Parameters
        ----------
        patient
            Whether to go on for all that time even if there is no gain for long.
        """
        if not within_reach(start.problem) or start.cost <= self.enough:
            return start
        compiling = preparation()
        if compiling.is_alive():
            compiling.join(max(0.0, self.clock.seconds * share - self.clock.elapsed))
        if compiling.is_alive():
            return start
        patience = None if patient else _PATIENCE * operations(start.problem)
        return self._improve(start, share, patience=patience)

    def within(self, starts: list[tuple[Proposal, int]]) -> Proposal:
        """Improve each proposal by a number of changes, and return the best of all."""
        runs = [
            self._improve(start, 1.0, changes=changes)
            for start, changes in starts
            if within_reach(start.problem) and start.cost > self.enough
        ]
        return min([*(start for start, _ in starts), *runs], key=lambda run: run.cost)

    def _improve(
        self,
        start: Proposal,
        share: float,
        *,
        changes: int | None = None,
        patience: int | None = None,
    ) -> Proposal:
        annealer = Annealer(start.problem, start.schedule, self.seed)
        anneal(
            annealer,
            self.clock,
            share,
            changes=changes,
            patience=patience,
            enough=self.enough,
            tell=self.tell,
        )
        if annealer.cost == start.cost:
            return start
        return Proposal(start.problem, annealer.best, f"local search from {start.words}")


def starts_of(best: Best, memory: int, budget: int) -> list[tuple[Proposal, int]]:
    """Return the proposals from which to search within a budget, with numbers of changes.

    They are the best plans after 1, 2, 4, … evaluations, each with as many changes as these are
    worth. So a larger budget does all that a smaller one does, and its result is not worse.
    """
    found: dict[int, tuple[Proposal, int]] = {}
    for tried in _powers(budget):
        known = [plan for plan in best.history if plan.tried <= tried]
        if known:
            found[known[-1].tried] = proposal_of(known[-1], memory), tried * _CHANGES_EACH
    return list(found.values())


def _powers(limit: int) -> Iterator[int]:
    power = 1
    while power <= limit:
        yield power
        power *= 2
