"""What a constructive search finds: a candidate with its cost, and the best of all so far."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from offloadasp.base.arrays import IntArray
from offloadasp.search.construct.blocking import Blocking
from offloadasp.search.construct.order import order_of
from offloadasp.search.construct.packing.order import packed_order
from offloadasp.search.construct.residency import Schedule, plan_of, schedule
from offloadasp.search.construct.steps import steps_of_order
from offloadasp.search.construct.traversal import Traversal, visits
from offloadasp.search.pool import Offer
from offloadasp.search.size_limits import within_reach
from offloadasp.search.source import Constructed


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
