"""The search under edited or added rules: the definition itself, and nothing that rests on it.

Bounds, dominance and traversals hold for the shipped rules only, so none is used. A strategy may
take more steps than operations, since preloading and idle steps can pay under other rules: the
horizon grows until there is a step for every operation and every block.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NoReturn

from offloadasp.errors import InfeasibleError, NoStrategyError
from offloadasp.facts import facts, fits_clingo, scale_of
from offloadasp.instance import Instance
from offloadasp.problem import Problem, problem_of
from offloadasp.rules import GroundingStoppedError, Rules, ground
from offloadasp.search.clock import Clock
from offloadasp.search.decompose import decompositions, scope
from offloadasp.search.exact import Effort, Outcome, Progress, minimise, plan_of_model
from offloadasp.search.reach import GROUND_LIMIT, operations, rules_estimate
from offloadasp.search.solve import Found, Limits, Status

_DEFINITION = ("definition.lp", "objective/duration.lp")


@dataclass
class EditedSearch:
    """One search under rules that are not the shipped ones."""

    instance: Instance
    rules: Rules
    limits: Limits
    clock: Clock
    tell: Callable[[Status], None] = lambda _: None
    seconds: dict[str, float] = field(default_factory=lambda: {"ground": 0.0, "solve": 0.0})

    def run(self) -> Found:
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
            if best is not None and self.clock.expired():
                break
            outcome = self._at(problem, steps)
            if outcome is None:
                break
            complete = outcome.exhausted and steps == last
            if outcome.costs and (best is None or best.costs is None or outcome.costs < best.costs):
                best = outcome
        if best is None or best.symbols is None or best.costs is None:
            self._refuse(last, complete=complete)
        return self._found(problem, best, last, complete=complete)

    @property
    def named(self) -> str:
        """The rules in force, for messages."""
        if self.rules.added:
            names = ", ".join(path.name for path in self.rules.added)
            return f"added rules ({names})"
        return f"edited rules ({self.rules.folder})"

    def _choose(self) -> Problem:
        """Take the finest decomposition if its rules ground, else the coarsest one that does."""
        whole = problem_of(self.instance, scope(self.instance))
        others = (problem_of(self.instance, d) for d in decompositions(self.instance))
        for problem in (whole, *others):
            steps = min(horizons(problem))
            if rules_estimate(problem, steps) <= GROUND_LIMIT and fits_clingo(problem, steps):
                return problem
        raise NoStrategyError(
            f"{self.instance.name}: too large to solve under the {self.named}: "
            "choose a smaller layer, or a coarser decomposition such as tile = [4, 4]"
        )

    def _at(self, problem: Problem, steps: int) -> Outcome | None:
        """Solve the definition with so many steps; None if it does not ground."""
        unit = scale_of(problem).unit
        if not fits_clingo(problem, steps):
            return None

        def tell(progress: Progress) -> None:
            incumbent = None if progress.cost is None else progress.cost * unit
            self.tell(Status(incumbent, Fraction(0), f"at most {steps} steps"))

        effort = Effort(self.limits.threads, self.limits.seed, self.limits.budget)
        started = time.monotonic()
        try:
            control = ground(
                self.rules,
                _DEFINITION,
                facts(problem, steps),
                arguments=effort.arguments,
                limit=GROUND_LIMIT,
                stop=self.clock.expired,
            )
        except GroundingStoppedError:
            return None
        finally:
            self.seconds["ground"] += time.monotonic() - started
        started = time.monotonic()
        outcome = minimise(control, self.clock, effort, on_progress=tell)
        self.seconds["solve"] += time.monotonic() - started
        return outcome

    def _refuse(self, last: int, *, complete: bool) -> NoReturn:
        if complete:
            raise InfeasibleError(
                f"{self.instance.name}: infeasible under the {self.named}: "
                f"they permit no strategy of at most {last} steps"
            )
        raise NoStrategyError(
            f"{self.instance.name}: no strategy was found under the {self.named} within the limits"
        )

    def _found(self, problem: Problem, best: Outcome, last: int, *, complete: bool) -> Found:
        assert best.symbols is not None
        assert best.costs is not None
        value = best.costs[0] * scale_of(problem).unit
        proved = complete and problem.decomposition == scope(self.instance)
        return Found(
            problem=problem,
            plan=plan_of_model(problem, best.symbols),
            value=value,
            lower_bound=value if proved else Fraction(0),
            certificate={"complete_search": "exhausted", "steps_at_most": last} if proved else {},
            baselines={},
            method=f"{'complete search' if complete else 'search cut short'} by clingo "
            f"under the {self.named}",
            seconds=self.seconds,
            scope=f"strategies of at most {last} steps under the {self.named}",
        )


def longest(problem: Problem) -> int:
    """Return the largest horizon: a step for every operation and block, and the last write-back."""
    pixels = int(problem.used.sum()) * len(problem.channel_sizes)
    return operations(problem) + pixels + int(problem.exists.sum()) + 1


def horizons(problem: Problem) -> list[int]:
    """Return the numbers of steps to try: all operations apart and some slack, then ever more."""
    steps, last = operations(problem) + 3, longest(problem)
    tried = []
    while steps < last:
        tried.append(steps)
        steps *= 2
    return [*tried, last]
