"""The search under edited or added rules: the definition itself, and nothing that rests on it.

Each objective asked for is a file of rules. The first one has priority 0, the next ones −1 and so
on: a minimize statement of the user's at priority 1 or more goes before all of them.

Bounds, dominance and traversals hold for the shipped rules only, so none is used. A strategy may
take more steps than operations, since preloading and idle steps can pay under other rules: the
horizon grows until there is a step for every operation and every block.
"""

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NoReturn

from offloadasp.asp.facts import facts, fits_clingo, scale_of
from offloadasp.asp.rules import DEFINITION, GroundingStoppedError, Meter, Rules, ground
from offloadasp.asp.solving import Outcome, Progress, Solving, minimise, plan_of_model
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.base.messages import plural
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION, EDITED, OBJECTIVES, is_linear, prices_of
from offloadasp.model.plan import Plan
from offloadasp.model.problem import CLINGO_LIMIT, Problem, problem_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.decompose import decompositions, scope
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Listener, Status
from offloadasp.search.size_limits import GROUND_LIMIT, operations, require_feasible, rules_estimate
from offloadasp.search.source import UnderRules


@dataclass
class EditedSearch:
    """One search under rules that are not the shipped ones.

    Attributes
    ----------
    names
        Objectives, distinct, the one that matters most first.
    steps, least
        The last horizon that was searched, and what costs there at least, by priority.
    """

    instance: Instance
    rules: Rules
    effort: Effort
    names: tuple[str, ...] = (DURATION,)
    tell: Listener = lambda _: None
    steps: int = field(default=0, init=False)
    least: dict[int, int] = field(default_factory=dict, init=False)

    def run(self) -> Answer:
        """Search for the best strategy under the rules in force.

        Raises
        ------
        InfeasibleError
            The rules permit no strategy within the largest horizon.
        NoStrategyError
            None was found within the limits, or the rules do not ground within them.
        InputError
            A rule is wrong.
        """
        problem = self._choose()
        last = longest(problem)
        best: Outcome | None = None
        complete = False
        for steps in horizons(problem):
            if best is not None and self.effort.clock.expired():
                break
            outcome = self._at(problem, steps)
            if outcome is None:
                break
            complete = outcome.exhausted and steps == last
            if outcome.costs and (best is None or best.costs is None or outcome.costs < best.costs):
                best = outcome
        if best is None or best.symbols is None or best.costs is None:
            self._refuse(last, complete=complete)
        return self._answer(problem, best, complete=complete)

    @property
    def named(self) -> str:
        """The rules in force, for messages."""
        names = ", ".join(path.name for path in self.rules.added)
        added = [f"added rules ({names})"] if names else []
        edited = (
            [f"edited rules ({self.rules.copy or self.rules.folder})"]
            if self.rules.edited_in_folder
            else []
        )
        return " and ".join([*edited, *added])

    @property
    def _without(self) -> str:
        """What there is without the user's rules, for messages."""
        return "under the shipped rules" if self.rules.edited_in_folder else "without them"

    @property
    def _priorities(self) -> list[str]:
        """The constants that put the objectives in their order, as options of clingo."""
        return [f"-c {name}_priority={-k}" for k, name in enumerate(self.names)]

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

    def _unit(self, problem: Problem, priority: int) -> Fraction:
        """Return what one unit of the rules' cost at a priority is worth."""
        name = self._named_at(priority)
        return scale_of(self._priced(problem, name)).unit if is_linear(name) else Fraction(1)

    def _fixed(self, priority: int) -> Fraction:
        """Return what every plan pays beside the rules' cost at a priority."""
        name = self._named_at(priority)
        return prices_of(name, self.instance).fixed if is_linear(name) else Fraction(0)

    def _named_at(self, priority: int) -> str:
        """Return the objective at a priority, or that it is one of the rules' own."""
        chosen = 0 <= -priority < len(self.names)
        return self.names[-priority] if chosen else EDITED

    def _choose(self) -> Problem:
        """Take the finest decomposition if its rules ground, else the coarsest one that does."""
        whole = problem_of(self.instance, scope(self.instance))
        others = (problem_of(self.instance, d) for d in decompositions(self.instance))
        for problem in (whole, *others):
            steps = min(horizons(problem))
            if rules_estimate(problem, steps) <= GROUND_LIMIT and self._fits(problem, steps):
                return problem
        raise NoStrategyError(
            f"{self.instance.name}: too large to solve under the {self.named}: "
            "choose a smaller layer, or a coarser decomposition such as tile = [4, 4]"
        )

    def _at(self, problem: Problem, steps: int) -> Outcome | None:
        """Solve the definition with so many steps; None if it does not ground."""
        unit = self._unit(problem, 0)
        if not self._fits(problem, steps):
            return None

        def tell(progress: Progress) -> None:
            incumbent = None if progress.cost is None else progress.cost * unit + self._fixed(0)
            self.tell(Status(incumbent, Fraction(0), f"at most {plural(steps, 'step')}"))

        effort = Solving(self.effort.threads, self.effort.seed, self.effort.budget)
        meter = Meter(GROUND_LIMIT, self.effort.clock.expired)
        started = time.monotonic()
        try:
            control = ground(
                self.rules,
                [DEFINITION, *(f"model/objective/{name}.lp" for name in self.names)],
                facts(problem, steps),
                arguments=[*effort.arguments, *self._priorities],
                meter=meter,
            )
        except GroundingStoppedError:
            return None
        finally:
            self.effort.seconds["ground"] += time.monotonic() - started
        self.steps, self.least = steps, meter.least
        started = time.monotonic()
        outcome = minimise(control, self.effort.clock, effort, on_progress=tell)
        self.effort.seconds["solve"] += time.monotonic() - started
        return outcome

    def _refuse(self, last: int, *, complete: bool) -> NoReturn:
        if complete:
            # Without a strategy under the shipped rules the fault is not the user's rules'.
            require_feasible(problem_of(self.instance, scope(self.instance)))
            raise InfeasibleError(
                f"infeasible under your {self.named}; feasible {self._without}: "
                f"they permit no strategy of at most {plural(last, 'step')}"
            )
        raise NoStrategyError(
            f"{self.instance.name}: no strategy was found under the {self.named} within the limits"
        )

    def _answer(self, problem: Problem, best: Outcome, *, complete: bool) -> Answer:
        assert best.symbols is not None
        plan = plan_of_model(problem, best.symbols)
        proved = complete and problem.decomposition == scope(self.instance)
        claims = self._claims(plan, best, proved=proved)
        # Where something else comes first, nothing is known of the shortest strategy.
        first = claims[0]
        return Answer(
            plan=plan,
            source=UnderRules(self.named, complete),
            claims=claims,
            duration_bound=first.lower_bound if first.objective == DURATION else Fraction(0),
            scope=f"strategies of at most {plural(self.steps, 'step')} under the {self.named}",
        )

    def _claims(self, plan: Plan, best: Outcome, *, proved: bool) -> tuple[Claim, ...]:
        """Return all costs, highest priority first; under their names if these are what counts."""
        assert best.costs is not None
        costs = {-k: 0 for k in range(len(self.names))}
        costs |= dict(zip(best.priorities, best.costs, strict=True))
        proof: dict[str, Any] = {}
        if proved:
            proof = {"complete_search": "exhausted", "steps_at_most": self.steps}
        claims = []
        for priority in sorted(costs, reverse=True):
            name, unit = self._named_at(priority), self._unit(plan.problem, priority)
            value = costs[priority] * unit + self._fixed(priority)
            bound = value
            if not proved:
                bound = self.least.get(priority, 0) * unit + self._fixed(priority)
            if name != EDITED and not self.rules.reprices(name):
                measured = OBJECTIVES[name].value(self.instance, plan.counts)
                name = name if value == measured else EDITED
            else:
                name = EDITED
            claims.append(Claim(name, value, bound, proof))
        return tuple(claims)


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
