"""Complete search of the definition under edited or added rules, up to ever more steps.

Each objective asked for is a file of rules. The first one has priority 0, the next ones −1 and so
on: a minimize statement of the user's at priority 1 or more goes before all of them.

Dominance and symmetry hold for the shipped rules only, so neither is used. A strategy may take more
steps than operations, since preloading and idle steps can pay under other rules: the horizon grows
until there is a step for every operation and every block. Strategies of more steps are not looked
at: what is refuted here is so up to a number of steps.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from offloadasp.asp.edit_kinds import DEFINITION
from offloadasp.asp.facts import facts, fits_clingo
from offloadasp.asp.grounding import GroundingStoppedError, Meter, ground
from offloadasp.asp.levels import name_at, priority_options, value_at
from offloadasp.asp.overlay import require_waits_fit
from offloadasp.asp.rules import Rules
from offloadasp.asp.solving import Outcome, Progress, Solving, minimise, plan_of_model
from offloadasp.base.errors import NoStrategyError
from offloadasp.base.messages import plural
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION, EDITED, OBJECTIVES, is_linear, prices_of
from offloadasp.model.plan import Plan
from offloadasp.model.problem import CLINGO_LIMIT, Problem, problem_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.decompose import decompositions, scope
from offloadasp.search.edited.coarser import coarser_tiles, in_tiles
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Listener, Status
from offloadasp.search.size_limits import GROUND_LIMIT, fits, operations, rules_estimate
from offloadasp.search.source import UnderRules

# Ground rules up to which the definition is searched completely: beyond, nothing comes of it.
_SMALL = 100_000
# The same where all steps that a cost can pay for are searched, many of them without any action.
_PROVABLE = 5_000


@dataclass
class CompleteSearch:
    """One search under rules that are not the shipped ones.

    Attributes
    ----------
    names
        Objectives, distinct, the one that matters most first.
    steps, least
        The last horizon that was searched, and what costs there at least, by priority.
    excluded_steps
        The last horizon that was searched completely.
    exhausted
        Whether the largest horizon was.
    proved
        Whether no strategy of any number of steps is better, in the decomposition searched.
    problem
        The decomposition that was searched.
    coarse
        The instance with a coarser tile, if the rules do not ground with the least one.
    """

    instance: Instance
    rules: Rules
    effort: Effort
    names: tuple[str, ...] = (DURATION,)
    tell: Listener = lambda _: None
    steps: int = field(default=0, init=False)
    excluded_steps: int = field(default=0, init=False)
    exhausted: bool = field(default=False, init=False)
    proved: bool = field(default=False, init=False)
    problem: Problem | None = field(default=None, init=False)
    coarse: Instance | None = field(default=None, init=False)
    least: dict[int, int] = field(default_factory=dict, init=False)

    @property
    def in_reach(self) -> bool:
        """Whether the layer is so small that a complete search is worth its time."""
        whole = problem_of(self.instance, scope(self.instance))
        return rules_estimate(whole, min(horizons(whole))) <= _SMALL

    def run(self) -> Answer:
        """Search for the best strategy under the rules in force.

        Raises
        ------
        NoStrategyError
            None was found within the limits, or the rules do not ground within them.
        InputError
            A rule is wrong.
        """
        problem = self._choose()
        found = self.search(problem)
        if found is None:
            raise NoStrategyError(f"{self.instance.name}: {self.excluded}")
        return self._answer(problem, found, complete=self.exhausted)

    def search(
        self,
        problem: Problem | None = None,
        enough: Callable[[Outcome], bool] = lambda _: False,
        needed: Callable[[Outcome], int | None] = lambda _: None,
    ) -> Outcome | None:
        """Return the best of strategies with ever more steps.

        Parameters
        ----------
        problem
            The decomposition; None: the finest one that grounds.
        enough
            Whether nothing can be better than an outcome.
        needed
            The most steps of strategies that are no worse than an outcome; None: any number.
        """
        problem = problem or self._choose()
        self.problem = problem
        last = longest(problem)
        best: Outcome | None = None
        for steps in horizons(problem):
            if best is not None and (self.effort.clock.expired() or enough(best)):
                break
            outcome = self._at(problem, steps)
            if outcome is None:
                break
            if outcome.exhausted:
                self.excluded_steps = steps
            self.exhausted = outcome.exhausted and steps == last
            if outcome.costs and (best is None or best.costs is None or outcome.costs < best.costs):
                best = outcome
        if best is None or best.costs is None:
            return None
        return best if enough(best) else self._finished(problem, best, needed(best))

    def _finished(self, problem: Problem, best: Outcome, needed: int | None) -> Outcome:
        """Search up to so many steps that longer strategies are worse for certain."""
        if needed is None or self.effort.clock.expired():
            return best
        if needed > self.excluded_steps and rules_estimate(problem, needed) <= _PROVABLE:
            outcome = self._at(problem, needed)
            if outcome is not None and outcome.exhausted:
                self.excluded_steps = needed
            if outcome is not None and outcome.costs and outcome.costs < (best.costs or ()):
                best = outcome
        self.proved = needed <= self.excluded_steps
        return best

    @property
    def excluded(self) -> str:
        """What there is no strategy of, for messages."""
        if not self.excluded_steps:
            return f"no strategy was found under the {self.named} within the limits"
        return (
            f"no strategy was found under the {self.named}: there is none of at most "
            f"{plural(self.excluded_steps, 'step')} with these groups"
        )

    @property
    def named(self) -> str:
        """The rules in force, for messages."""
        return named(self.rules)

    def _priced(self, problem: Problem, name: str) -> Problem:
        """Return a problem at the prices of a linear objective."""
        return problem.at(prices_of(name, self.instance))

    def _fits(self, problem: Problem, steps: int) -> bool:
        """Whether no objective's sum can leave clingo's 32-bit integers."""
        linear = [name for name in (DURATION, *self.names) if is_linear(name)]
        # The peak: powers of two up to the bytes of all blocks, outputs counted in both sizes.
        return 4 * problem.all_bytes <= CLINGO_LIMIT and all(
            fits_clingo(self._priced(problem, name), steps) for name in linear
        )

    def _choose(self) -> Problem:
        """Take the finest decomposition if its rules ground, else the coarsest one that does.

        Where none with the least tile does, tiles are made larger.
        """
        whole = problem_of(self.instance, scope(self.instance))
        others = (problem_of(self.instance, d) for d in decompositions(self.instance))
        for problem in (whole, *others):
            steps = min(horizons(problem))
            if rules_estimate(problem, steps) <= GROUND_LIMIT and self._fits(problem, steps):
                return problem
        for coarse in coarser_tiles(self.instance):
            for decomposition in decompositions(coarse):
                problem = problem_of(coarse, decomposition)
                steps = min(horizons(problem))
                small = rules_estimate(problem, steps) <= GROUND_LIMIT
                if small and fits(problem) and self._fits(problem, steps):
                    self.coarse = coarse
                    return problem_of(self.instance, decomposition)
        raise NoStrategyError(
            f"{self.instance.name}: too large to solve under the {self.named}: "
            "choose a smaller layer, or a coarser decomposition such as tile = [4, 4]"
        )

    def _at(self, problem: Problem, steps: int) -> Outcome | None:
        """Solve the definition with so many steps; None if it does not ground."""
        if not self._fits(problem, steps):
            return None

        def tell(progress: Progress) -> None:
            incumbent = (
                None if progress.cost is None else value_at(problem, self.names, 0, progress.cost)
            )
            self.tell(Status(incumbent, Fraction(0), f"at most {plural(steps, 'step')}"))

        effort = Solving(self.effort.threads, self.effort.seed, self.effort.budget)
        meter = Meter(GROUND_LIMIT, self.effort.clock.expired)
        started = time.monotonic()
        try:
            control = ground(
                self.rules,
                [DEFINITION, *(f"model/objective/{name}.lp" for name in self.names)],
                facts(problem, steps, exact=True),
                arguments=[*effort.arguments, *priority_options(self.names)],
                meter=meter,
            )
        except GroundingStoppedError:
            return None
        finally:
            self.effort.seconds["ground"] += time.monotonic() - started
        self.steps, self.least = steps, meter.least
        started = time.monotonic()
        outcome = minimise(control, self.effort.clock, effort, on_progress=tell)
        require_waits_fit(outcome.symbols or ())
        self.effort.seconds["solve"] += time.monotonic() - started
        return outcome

    def _answer(self, problem: Problem, best: Outcome, *, complete: bool) -> Answer:
        assert best.symbols is not None
        plan = plan_of_model(problem, best.symbols)
        costs = dict(zip(best.priorities, best.costs or (), strict=True))
        claims = self.claims(plan, costs, self.least)
        # Where something else comes first, nothing is known of the shortest strategy.
        first = claims[0]
        return Answer(
            plan=plan,
            source=UnderRules(self.named, complete),
            claims=claims,
            duration_bound=first.lower_bound if first.objective == DURATION else Fraction(0),
            scope=f"strategies of at most {plural(self.steps, 'step')} under the {self.named}"
            f"{in_tiles(self.coarse)}",
        )

    def claims(
        self, plan: Plan, costs: Mapping[int, int], least: Mapping[int, int] | None = None
    ) -> tuple[Claim, ...]:
        """Return all costs, highest priority first; under their names if these are what counts.

        Parameters
        ----------
        costs
            What the rules say that the plan costs, by priority.
        least
            What levels cost at least; None: nothing is known of negative terms.
        """
        levels = {-k: 0 for k in range(len(self.names))} | dict(costs)
        claims = []
        for priority in sorted(levels, reverse=True):
            below = self._least(priority) if least is None else least.get(priority, 0)
            value, bound = (
                value_at(plan.problem, self.names, priority, cost)
                for cost in (levels[priority], below)
            )
            name = name_at(self.names, priority) or EDITED
            if name != EDITED and not self.rules.reprices(name):
                measured = OBJECTIVES[name].value(self.instance, plan.counts)
                name = name if value == measured else EDITED
            else:
                name = EDITED
            claims.append(Claim(name, value, min(value, bound)))
        return tuple(claims)

    def _least(self, priority: int) -> int:
        """Return what a level costs at least, whatever the plan: costs are 32-bit integers."""
        chosen = {name: -k for k, name in enumerate(self.names)}
        name = name_at(self.names, priority)
        edit = self.rules.edit
        pays = edit.pays(name, priority, chosen) or not edit.signs.never_negative
        return -CLINGO_LIMIT if pays else 0


def named(rules: Rules) -> str:
    """Return rules in force in a reader's words."""
    names = ", ".join(path.name for path in rules.added)
    added = [f"added rules ({names})"] if names else []
    edited = [f"edited rules ({rules.copy or rules.folder})"] if rules.edited_in_folder else []
    return " and ".join([*edited, *added])


def longest(problem: Problem) -> int:
    """Return the largest horizon: a step for every operation and block, and the last write-back."""
    pixels = problem.pixels * len(problem.channel_sizes)
    return operations(problem) + pixels + problem.exists.count + 1


def horizons(problem: Problem) -> list[int]:
    """Return the numbers of steps to try: all operations apart and some slack, then ever more."""
    steps, last = operations(problem) + 3, longest(problem)
    tried = []
    while steps < last:
        tried.append(steps)
        steps *= 2
    return [*tried, last]
