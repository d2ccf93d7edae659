"""Complete search of tiny layers with overlap: A* over states, each move with a compute action.

States and moves are those of :mod:`.moves`, where it is proved that nothing is lost. When the
search ends early, the least cost that some state promises is a lower bound all the same: every
strategy that is not known goes on from some state that waits.
"""

import heapq
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.overlap.game import Game
from offloadasp.search.overlap.moves import Move, Moves, State
from offloadasp.search.overlap.remaining import Remaining
from offloadasp.search.overlap.replayed import replayed
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
        remaining = Remaining(moves)
        # Times below this are of interest.
        limit = -(-self.known // game.unit)
        start = moves.start
        best, parents = {start: 0}, dict[State, tuple[State, Move]]()
        queue = [(remaining(start) or 0, 0, start)]
        closed: defaultdict[tuple[int, int, tuple[int, ...]], list[tuple[int, int]]]
        closed = defaultdict(list)
        while queue:
            total, negative, state = queue[0]
            if self._over():
                self.bound = min(self.known, total * game.unit)
                return None
            heapq.heappop(queue)
            cost = -negative
            rivals = closed[state.done, state.sums, state.pending]
            if cost > best[state] or _no_better(cost, state.chip, rivals):
                continue
            if state.done == game.all:
                self.bound = total * game.unit
                return replayed(moves, state, parents)
            rivals.append((cost, state.chip))
            self.states += 1
            for time, after, move in moves.of(state, limit - 1 - cost):
                now = cost + time
                if now >= best.get(after, now + 1):
                    continue
                more = remaining(after)
                if more is not None and now + more < limit:
                    best[after], parents[after] = now, (state, move)
                    heapq.heappush(queue, (max(total, now + more), -now, after))
        self.bound = self.known
        return None

    def _over(self) -> bool:
        return self.states >= self.most or (self.states % _OFTEN == 0 and self.clock.expired())


def _no_better(cost: int, chip: int, rivals: list[tuple[int, int]]) -> bool:
    """Whether a state that was looked at cost no more and holds the same inputs or more."""
    return any(known <= cost and not chip & ~held for known, held in rivals)
