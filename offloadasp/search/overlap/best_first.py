"""Complete search of tiny layers with overlap: A* over states, each move with a compute action.

States and moves are those of :mod:`.moves`, where it is proved that nothing is lost; of mirror
images (:mod:`.symmetry`) one is looked at. When the search ends early, the least cost that some
state promises is a lower bound all the same: every strategy that is not known goes on from some
state that waits.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from operator import gt

from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.overlap.game import Game, minus
from offloadasp.search.overlap.moves import Moves, State
from offloadasp.search.overlap.remaining import Remaining
from offloadasp.search.overlap.replayed import replayed
from offloadasp.search.overlap.symmetry import Symmetry
from offloadasp.search.size_limits import operations

# Operations at most: all sets of them are looked at.
_MOST = 10
# How often the clock is asked, in states.
_OFTEN = 16


def in_reach(problem: Problem) -> bool:
    """Whether all sets of operations may be looked at."""
    return operations(problem) <= _MOST


@dataclass
class BestFirst:
    """A search for the shortest strategy, or for the proof that nothing is shorter than is known.

    Attributes
    ----------
    problem
        With overlap, in the decomposition that contains all others.
    known
        Cycles of the best plan.
    most
        States that are looked at, at most.
    bound
        Every strategy takes so many cycles or more.
    states
        How many states were looked at.
    """

    problem: Problem
    known: Fraction
    clock: Clock
    most: int
    bound: Fraction = field(default=Fraction(0), init=False)
    states: int = field(default=0, init=False)

    def run(self) -> Plan | None:
        """Search; return a plan shorter than the known one, or None."""
        game = Game(self.problem)
        moves = Moves(game)
        remaining, symmetry = Remaining(moves), Symmetry(game, moves.sides)
        # Times below this are of interest.
        limit = -(-self.known // game.unit)
        start = moves.start
        best, parents = {start: 0}, dict[State, tuple[State, int]]()
        queue = [(remaining(start) or 0, 0, start)]
        closed = defaultdict[tuple[int, int], list[tuple[int, State]]](list)
        while queue:
            total, negative, state = queue[0]
            if self._over():
                self.bound = min(self.known, total * game.unit)
                return None
            heapq.heappop(queue)
            cost = -negative
            rivals = closed[state.done, state.sums]
            if cost > best[state] or self._no_better(game, cost, state, rivals):
                continue
            if state.done == game.all:
                self.bound = total * game.unit
                return replayed(moves, symmetry, _path(state, parents))
            rivals.append((cost, state))
            self.states += 1
            for time, reached, _ in moves.of(state, limit - 1 - cost):
                more, now = remaining(reached), cost + time
                if more is None or now + more >= limit:
                    continue
                after = symmetry.canonical(reached)
                if now < best.get(after, now + 1):
                    best[after], parents[after] = now, (state, time)
                    heapq.heappush(queue, (max(total, now + more), -now, after))
        self.bound = self.known
        return None

    def _no_better(
        self, game: Game, cost: int, state: State, rivals: list[tuple[int, State]]
    ) -> bool:
        """Whether a state that was looked at cost no more and does no worse."""
        for known, rival in rivals:
            if known > cost or any(map(gt, rival.pending, state.pending)):
                continue
            spare = minus(rival.ahead, state.ahead)
            if min(spare) < 0:
                continue
            lacking = state.chip & ~rival.chip
            if not lacking or min(minus(spare, game.inputs_by_size(lacking))) >= 0:
                return True
        return False

    def _over(self) -> bool:
        return self.states >= self.most or (self.states % _OFTEN == 0 and self.clock.expired())


def _path(end: State, parents: Mapping[State, tuple[State, int]]) -> list[tuple[int, State]]:
    """Return the states after the start that lead to one, with the time of each move."""
    path, state = list[tuple[int, State]](), end
    while state in parents:
        before, time = parents[state]
        path.append((time, state))
        state = before
    return path[::-1]
