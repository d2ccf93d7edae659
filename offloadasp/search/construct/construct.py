"""Constructive plans: regions of traversals by rules inside loops over the groups.

All blockings of all decompositions are ranked by an estimate, the most promising ones are
scheduled exactly, and the best of these are varied as long as that helps. The baselines get the
same blockings with their own traversals.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from offloadasp.asp.verifying import Verification
from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem
from offloadasp.search.construct.blocking import Blocking
from offloadasp.search.construct.candidate import Best, Candidate, evaluate
from offloadasp.search.construct.packing.candidates import packable, split
from offloadasp.search.construct.plain_orders import PlainOrders, Ranked
from offloadasp.search.construct.shortlist import blockings, near, set_counts, sparse
from offloadasp.search.construct.strips import evens, trials
from offloadasp.search.construct.traversal import Traversal, visits
from offloadasp.search.construct.variations import smaller, variations
from offloadasp.search.size_limits import most_tried, operations, within_reach

# By when to have filled steps and varied the best such plan, in shares of the time; then to have
# ranked blockings of whole operations, scheduled them, and varied the best. Baselines get the rest.
_PACKING, _REPACKING = 0.6, 0.7
_RANKING, _SCREENING, _VARYING = 0.78, 0.86, 0.95
# Steps are filled for so many seconds at least, up to this share: on large layers the first plan
# takes most of them, and one that splits channel groups as well comes next.
_PACKING_SECONDS, _MOST_PACKING = 1.5, 0.95
# Blockings that are scheduled before the best ones of them are varied.
_SCREENED, _VARIED = 48, 4
# Near the decompositions of so many leading blockings others are looked for.
_LEADING = 12
# Strips that cost more than the best by one part in so many may still lead to better ones.
_NEAR = 20
# Blockings whose operations are split so that steps are full, of each batch of decompositions; a
# split for a first plan leaves idle less than this share of them.
_PACKED, _IDLE = 8, 0.01
# An estimate of less than so many times the bound is as good as any.
_HOPEFUL = 1.002
# Within a budget smaller than this, steps are not filled.
_WORTH_PACKING = 16
# Step sizes that are tried where an estimate was too hopeful.
_SMALLER = 4
# The share of the time limit in which a plan is to be verified, and seconds that are always spent.
_VERIFYING, _VERIFIED = 0.5, 4.0


@dataclass
class Constructor:
    """Searches the constructive plans of a layer in some decompositions.

    Attributes
    ----------
    problems
        The layer in different decompositions, in the order in which to try them.
    clock
        Limits the search.
    enough
        A proven lower bound in units of the rules: a plan of this cost ends the search.
    on_better
        Told of every plan that is the best so far.
    shares
        Of the clock's time, what this search may use: if a local search can follow from the best
        plan, and otherwise.
    """

    problems: Sequence[Problem]
    clock: Clock
    enough: int
    on_better: Callable[[Candidate], None] = lambda _: None
    shares: tuple[float, float] = (0.7, 0.9)
    best: Best = field(default_factory=Best)
    tried: int = 0
    # To verify the best plan so far.
    _seconds: float = 0.0
    _refused: bool = field(default=False, init=False)

    @property
    def share(self) -> float:
        """The share for the best plan so far."""
        best = self.best.overall
        return self.shares[best is None or not within_reach(best.blocking.problem)]

    def run(self) -> Best:
        """Search, and return the best plans found."""
        self._pack()
        if self.best.overall is not None and not self._satisfied():
            self._vary(self.best.overall, _REPACKING)
        if not self._satisfied():
            self._search()
        if self.best.overall is not None:
            self._plain.with_loops_of(self.best.overall)
            self._plain.complete(self.best.overall, lambda: self._rank(briefly=True))
        return self.best

    @property
    def _plain(self) -> PlainOrders:
        return PlainOrders(self.best, self.clock, self._attempt, lambda: self.share)

    @property
    def _packing(self) -> float:
        """Until when steps are filled, as a share of the time limit."""
        if self.clock.searching <= _PACKING_SECONDS:
            return self.share * _MOST_PACKING
        least = min(_PACKING_SECONDS / self.clock.searching, self.share * _MOST_PACKING)
        return max(self.share * _PACKING, least)

    def _pack(self) -> None:
        """Fill the steps of the most promising blockings, of few channel groups first."""
        if self.clock.evaluations is not None and self.clock.evaluations < _WORTH_PACKING:
            return
        fewest = min(problem.exists.shape[1] for problem in self.problems)
        left = [problem for problem in self.problems if problem.exists.shape[1] > fewest]
        batch = [problem for problem in self.problems if problem.exists.shape[1] == fewest]
        ranked: list[tuple[float, Blocking]] = []
        tried: set[tuple[tuple[int, ...], str]] = set()
        sparsely = True
        while batch:
            ranked = sorted([*ranked, *packable(batch)], key=lambda entry: entry[0])
            # Where a few channel groups cannot be the best, one plan of them is enough.
            hopeful = not sparsely or (ranked and ranked[0][0] <= self.enough * _HOPEFUL)
            going = self._fill(ranked[: None if hopeful else 1], tried)
            if not going or not left or not self.clock.spend(self._packing):
                return
            leading = [blocking.problem for _, blocking in ranked[:_LEADING]]
            batch, sparsely = sparse(left) if sparsely else near(leading, left), False
            known = {id(problem) for problem in batch}
            left = [problem for problem in left if id(problem) not in known]

    def _fill(
        self, ranked: list[tuple[float, Blocking]], tried: set[tuple[tuple[int, ...], str]]
    ) -> bool:
        """Fill the steps of a few blockings that may be the best; return whether to go on."""
        count = 0
        for estimate, blocking in ranked:
            kind = blocking.problem.exists.shape, blocking.nest
            best = self.best.cost()
            if count == _PACKED or (best is not None and estimate >= best):
                break
            if kind not in tried:
                tried.add(kind)
                count += 1
                if not self._packed(blocking):
                    return False
        return True

    def _packed(self, blocking: Blocking) -> bool:
        """Split the operations of a blocking so that they fill steps; return whether to go on."""
        options = list(split(blocking, most_tried(self.clock.seconds)))
        full = next((k for k, (idle, _) in enumerate(options) if idle == options[-1][0]), 0)
        coarser = [option for option in options[:full] if option[0] < _IDLE]
        # Fewer operations make a plan sooner, and one that takes less to verify.
        first, fullest = self.best.overall is None, options[full : full + 1]
        for _, fine in coarser[:1] + fullest if first else fullest + coarser[::-1]:
            best = self.best.cost()
            # Without any plan yet the search goes on: some plan comes first.
            if self.clock.halted or (
                best is not None and (self._satisfied() or not self.clock.spend(self._packing))
            ):
                return False
            found = self._attempt(fine, fine.traversal, best)
            if found is None if first else not self._refused:
                break
        return True

    def _search(self) -> None:
        """Rank blockings of whole operations, schedule the best, and vary the best of these."""
        ranked = self._rank(steps=self._most_steps(self.problems[0])) or self._rank()
        different = _different(ranked)
        while batch := list(itertools.islice(different, _SCREENED)):
            first = not self.best.history
            screened = self._screen(batch, ranked)
            if first:
                self._plain.among(ranked)
            for found in screened[:_VARIED]:
                self._vary(found)
            if self._satisfied() or not self.clock.spend(self.share * _VARYING):
                break

    def _rank(self, *, briefly: bool = False, steps: float = math.inf) -> list[Ranked]:
        """Return blockings of so many steps at most by their estimates, best first.

        Decompositions are many: after a sparse choice of them, those near the best ones follow,
        unless it is to be brief.
        """
        ranked: list[Ranked] = []
        left = list(self.problems)
        sizes = _SCREENED // len(left)
        batch = sparse(left)
        while batch:
            for problem in batch:
                # Without any blocking yet the search goes on: some plan comes first.
                late = ranked and not self.clock.spend(self.share * _RANKING)
                if late or self.clock.halted:
                    return sorted(ranked, key=lambda entry: entry[:2])
                for cost, blocking in blockings(problem, set_counts(problem), sizes, steps=steps):
                    ranked.append((cost, len(ranked), blocking))
            done = {id(problem) for problem in batch}
            left = [problem for problem in left if id(problem) not in done]
            ranked.sort(key=lambda entry: entry[:2])
            if briefly:
                break
            batch = near([entry[2].problem for entry in ranked[:_LEADING]], left)
        return ranked

    def _screen(self, blockings: Iterable[Blocking], ranked: Iterable[Ranked]) -> list[Candidate]:
        """Schedule blockings, the most promising first; return the candidates, best first.

        By the clock the first one is followed by one along each baseline, before all others.
        """
        found: list[Candidate] = []
        for blocking in blockings:
            best = self.best.cost()
            # Without any plan yet the search goes on: some plan comes first.
            if best is not None and (
                self._satisfied() or not self.clock.spend(self.share * _SCREENING)
            ):
                break
            if self.clock.halted:
                break
            plan = self._fitting(blocking, None if best is None else best * 2)
            if plan is not None:
                found.append(plan.light)
                if best is None and self.clock.timed:
                    self._plain.first_of(ranked)
        return sorted(found, key=lambda plan: plan.cost)

    def _fitting(self, blocking: Blocking, best: int | None) -> Candidate | None:
        """Schedule a blocking, with smaller steps where the estimated ones do not fit."""
        for size in itertools.islice(smaller(blocking.size), _SMALLER):
            smaller_steps = replace(blocking, size=size)
            found = self._attempt(smaller_steps, blocking.traversal, best)
            if found is not None:
                return found
        return None

    def _vary(self, start: Candidate, until: float = _VARYING) -> None:
        """Change the blocking, then the strips, as long as that helps and there is time."""
        current = self._reblocked(start, until)
        while (better := self._recut(current, until)).cost < current.cost:
            current = self._reblocked(better, until)

    def _reblocked(self, start: Candidate, until: float) -> Candidate:
        """Change one thing at a time, as long as that helps."""
        current, improved = start, True
        most = most_tried(self.clock.seconds)
        while improved:
            improved = False
            for blocking, traversal in variations(current.blocking, current.traversal, most):
                if self._satisfied() or not self.clock.spend(self.share * until):
                    return current
                found = self._attempt(blocking, traversal, current.cost)
                if found is not None and found.cost < current.cost:
                    current, improved = found, True
                    break
        return current

    def _recut(self, start: Candidate, until: float) -> Candidate:
        """Search the widths of strips and the directions of lines."""
        grid = start.blocking.problem.tile_grid
        others = evens(grid) if start.blocking.whole else ()
        # Strips of a long row are many: each is made when it is tried.
        following = trials(grid, itertools.chain([start.traversal], others))
        best = start
        cost: int | None = start.cost
        next(following)
        while not self._satisfied() and self.clock.spend(self.share * until):
            try:
                strips = following.send(cost)
            except StopIteration:
                break
            blocking = start.blocking.along(strips)
            found = self._attempt(blocking, strips, best.cost + best.cost // _NEAR)
            cost = None if found is None else found.cost
            if found is not None and found.cost < best.cost:
                best = found
        return best

    def _late(self, blocking: Blocking) -> bool:
        """Return whether a plan of whole operations has too many steps to be verified in time."""
        whole = blocking.coarse is None
        return whole and operations(blocking.problem) > blocking.size * self._most_steps(
            blocking.problem
        )

    def _most_steps(self, problem: Problem) -> float:
        """Return how many steps a plan may have at most to be verified in time."""
        if not self.clock.timed:
            return math.inf
        seconds = max(_VERIFIED, self.clock.seconds * _VERIFYING)
        return Verification.of(problem).steps(seconds)

    def _satisfied(self) -> bool:
        return self.best.overall is not None and self.best.overall.cost <= self.enough

    def _attempt(
        self, blocking: Blocking, traversal: Traversal, best: int | None
    ) -> Candidate | None:
        self.tried += 1
        self._refused = False
        if best is not None and self._late(blocking):
            return None
        grid = blocking.problem.tile_grid
        found = evaluate(visits(grid, traversal), blocking, traversal, best)
        if found is None or self._too_long(found):
            return None
        if self.best.add(found, self.tried):
            self.on_better(found)
        return found

    def _too_long(self, found: Candidate) -> bool:
        """Return whether a better plan would be verified too late, and later than the known one."""
        known = self.best.overall
        if math.isinf(self.clock.verifying) or (known is not None and found.cost >= known.cost):
            return False
        order, step = found.schedule.order, found.schedule.step
        verification = Verification.of(found.blocking.problem)
        seconds = verification.to_verify(step, order.n, order.q, order.i)
        if known is not None and seconds > max(self.clock.verifying, self._seconds):
            self._refused = True
            return True
        self._seconds = seconds
        return False


def _different(ranked: Iterable[Ranked]) -> Iterator[Blocking]:
    """Leave out blockings that differ from one before them in what makes no difference."""
    seen = set()
    for estimate, _, blocking in ranked:
        groups = len(blocking.problem.kernel_sizes), len(blocking.problem.channel_sizes)
        kind = estimate, groups, blocking.size, blocking.aligned
        if kind not in seen:
            seen.add(kind)
            yield blocking
