"""Constructive plans: regions of traversals by rules inside loops over the groups.

All blockings of all decompositions are ranked by an estimate, the most promising ones are
scheduled exactly, and the best of these are varied as long as that helps. The baselines get the
same blockings with their own traversals.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from offloadasp.base.arrays import IntArray
from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem
from offloadasp.search.construct.blocking import Blocking, most_operations
from offloadasp.search.construct.order import order_of
from offloadasp.search.construct.packing.candidates import packable, split
from offloadasp.search.construct.packing.order import packed_order
from offloadasp.search.construct.residency import Schedule, plan_of, schedule
from offloadasp.search.construct.shortlist import blockings, near, set_counts, sparse
from offloadasp.search.construct.steps import steps_of_order
from offloadasp.search.construct.strips import evens, trials
from offloadasp.search.construct.traversal import ROW_BY_ROW, ZIGZAG, Traversal, visits
from offloadasp.search.construct.variations import smaller, variations
from offloadasp.search.pool import Offer
from offloadasp.search.size_limits import CHECKED, within_reach
from offloadasp.search.source import Constructed

# By when to have filled steps and varied the best such plan, in shares of the time; then to have
# ranked blockings of whole operations, scheduled them, and varied the best. Baselines get the rest.
_PACKING, _REPACKING = 0.6, 0.7
_RANKING, _SCREENING, _VARYING = 0.78, 0.86, 0.95
# Blockings that are scheduled before the best ones of them are varied.
_SCREENED, _VARIED = 48, 4
# Near the decompositions of so many leading blockings others are looked for.
_LEADING = 12
# Baselines are tried with so many blockings each.
_BASELINES = 12
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


# An estimate, a number that keeps the order of equal ones, and the blocking.
Ranked = tuple[float, int, Blocking]


@dataclass(frozen=True)
class Candidate:
    """The loops and the way through the output that a schedule comes from, and its cost.

    Attributes
    ----------
    cost
        In units of the rules.
    """

    blocking: Blocking
    traversal: Traversal
    cost: int

    @staticmethod
    def of(blocking: Blocking, traversal: Traversal, schedule: Schedule) -> "Candidate":
        """Return the candidate of a schedule, which it holds."""
        made = Candidate(blocking, traversal, schedule.cost)
        vars(made)["schedule"] = schedule
        return made

    @cached_property
    def schedule(self) -> Schedule:
        """The schedule, made again where it is not held."""
        tiles = visits(self.blocking.problem.tile_grid, self.traversal)
        made = evaluate(tiles, self.blocking, self.traversal)
        assert made is not None
        return made.schedule

    @property
    def light(self) -> "Candidate":
        """The same without its schedule, which is as large as all operations of the layer."""
        return replace(self)

    def offer(self, tried: int = 0) -> Offer:
        """Return the plan with its source."""
        plan = plan_of(self.blocking.problem, self.schedule)
        return Offer(plan, Constructed(self.blocking, self.traversal, tried))


@dataclass
class Best:
    """The best candidate so far, the best along each kind of traversal, and all once the best.

    Attributes
    ----------
    history
        Each with how many plans had been tried when it was found.
    in_reach
        The same of those candidates alone that a local search can begin with.
    """

    overall: Candidate | None = None
    by_name: dict[str, Candidate] = field(default_factory=dict)
    history: list[tuple[int, Candidate]] = field(default_factory=list)
    in_reach: list[tuple[int, Candidate]] = field(default_factory=list)

    def add(self, found: Candidate, tried: int = 0) -> bool:
        """Take a candidate in; return whether it is the best of all."""
        name = found.traversal.name
        if self.improved_by(found, name):
            self.by_name[name] = found
        better = not self.in_reach or found.cost < self.in_reach[-1][1].cost
        if better and within_reach(found.blocking.problem):
            self.in_reach.append((tried, found))
        if self.improved_by(found):
            self.overall = found
            self.history.append((tried, found.light))
            return True
        return False

    def improved_by(self, found: Candidate, name: str | None = None) -> bool:
        """Return whether a candidate beats the best along one kind of traversal, or of all."""
        cost = self.cost(name)
        return cost is None or found.cost < cost

    def cost(self, name: str | None = None) -> int | None:
        """Return the cost to beat: along one kind of traversal, or of all."""
        known = self.overall if name is None else self.by_name.get(name)
        return None if known is None else known.cost


def evaluate(
    tiles: IntArray, blocking: Blocking, traversal: Traversal, best: int | None = None
) -> Candidate | None:
    """Schedule a blocking along a traversal; None where it does not fit or cannot beat ``best``.

    Parameters
    ----------
    tiles
        The visits of the traversal: rows ``(I, J)``.
    """
    problem = blocking.problem
    regions = blocking.regions(traversal.widths(problem.tile_grid))
    order = order_of(blocking.looped, tiles, regions, blocking.nest, blocking.sets)
    if blocking.coarse is None:
        step = steps_of_order(problem, order, blocking.size, aligned=blocking.aligned)
    else:
        order, step = packed_order(blocking.coarse, problem, order)
    found = schedule(problem, order, step, blocking.residents, best, blocking.patience)
    return None if found is None else Candidate.of(blocking, traversal, found)


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
            self._baselines_of(self.best.overall)
            self._missing_baselines(self.best.overall)
        return self.best

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
            if not going or not left or not self.clock.spend(self.share * _PACKING):
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
        options = list(split(blocking, CHECKED))
        full = next((k for k, (idle, _) in enumerate(options) if idle == options[-1][0]), 0)
        chosen = options[full : full + 1]
        if self.best.overall is None:
            # Fewer operations make a plan sooner.
            chosen = [option for option in options[:full] if option[0] < _IDLE][:1] + chosen
        for _, fine in chosen:
            best = self.best.cost()
            # Without any plan yet the search goes on: some plan comes first.
            if self.clock.halted or (
                best is not None
                and (self._satisfied() or not self.clock.spend(self.share * _PACKING))
            ):
                return False
            if self._attempt(fine, fine.traversal, best) is None:
                break
        return True

    def _search(self) -> None:
        """Rank blockings of whole operations, schedule the best, and vary the best of these."""
        ranked = self._rank()
        different = _different(ranked)
        while batch := list(itertools.islice(different, _SCREENED)):
            first = not self.best.history
            screened = self._screen(batch, ranked)
            if first:
                self._baselines(ranked)
            for found in screened[:_VARIED]:
                self._vary(found)
            if self._satisfied() or not self.clock.spend(self.share * _VARYING):
                break

    def _rank(self, *, briefly: bool = False) -> list[Ranked]:
        """Return blockings by their estimates, best first.

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
                for cost, blocking in blockings(problem, set_counts(problem), sizes):
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
                    self._first_baselines(ranked)
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
        while improved:
            improved = False
            for blocking, traversal in variations(current.blocking, current.traversal):
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

    def _baselines(self, ranked: Iterable[Ranked]) -> None:
        """Find a plan of each baseline, and better ones among the first few that may be."""
        straight = (entry[2] for entry in ranked if entry[2].straight)
        for tried, blocking in enumerate(straight):
            for baseline in (ROW_BY_ROW, ZIGZAG):
                known = baseline.name in self.best.by_name
                if known and tried >= _BASELINES:
                    return
                left = self._fit(blocking, baseline, _SMALLER)
                if not left and {ROW_BY_ROW.name, ZIGZAG.name} <= self.best.by_name.keys():
                    return

    def _missing_baselines(self, winner: Candidate) -> None:
        """Find one plan along each baseline that has none yet."""
        for baseline in (ROW_BY_ROW, ZIGZAG):
            if baseline.name not in self.best.by_name and not self.clock.halted:
                self._attempt(winner.blocking.straightened(), baseline, None)
        if not {ROW_BY_ROW.name, ZIGZAG.name} <= self.best.by_name.keys():
            self._first_baselines(self._rank(briefly=True))

    def _first_baselines(self, ranked: Iterable[Ranked]) -> None:
        """Find one plan along each baseline, however little time is left."""
        straight = (entry[2] for entry in ranked if entry[2].straight)
        few = itertools.islice(straight, _BASELINES)
        for blocking, baseline in itertools.product(few, (ROW_BY_ROW, ZIGZAG)):
            for size in smaller(blocking.size):
                if baseline.name in self.best.by_name or self.clock.halted:
                    break
                self._attempt(replace(blocking, size=size), baseline, None)

    def _baselines_of(self, winner: Candidate) -> None:
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
            if self.clock.expired() if best is None else not self.clock.spend(self.share):
                return False
            found = self._attempt(replace(blocking, size=size), baseline, best)
            if found is not None and fitting is not None:
                fitting -= 1
                if fitting == 0:
                    break
        return True

    def _satisfied(self) -> bool:
        return self.best.overall is not None and self.best.overall.cost <= self.enough

    def _attempt(
        self, blocking: Blocking, traversal: Traversal, best: int | None
    ) -> Candidate | None:
        self.tried += 1
        grid = blocking.problem.tile_grid
        found = evaluate(visits(grid, traversal), blocking, traversal, best)
        if found is not None and self.best.add(found, self.tried):
            self.on_better(found)
        return found


def _different(ranked: Iterable[Ranked]) -> Iterator[Blocking]:
    """Leave out blockings that differ from one before them in what makes no difference."""
    seen = set()
    for estimate, _, blocking in ranked:
        groups = len(blocking.problem.kernel_sizes), len(blocking.problem.channel_sizes)
        kind = estimate, groups, blocking.size, blocking.aligned
        if kind not in seen:
            seen.add(kind)
            yield blocking
