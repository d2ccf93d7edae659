"""Complete search of small layers by the definition itself, with overlap.

How many steps suffice? Let a strategy have K compute actions and W writes. Between two compute
actions, before the first and after the last, its other steps form K + 1 runs. In a run let two
neighbouring steps s and s' be joined if s writes nothing, or if s' loads nothing. If s writes
nothing, the joined step holds what s' holds; if s' loads nothing, what s holds. Its lanes are no
longer than both together. So each step of a run but the last writes, and each but the first loads:
there are at most K + 1 + W such steps. With one DMA, the writes of a run may also go first, all in
one step, and its loads follow in another, in the same time: what was written leaves no less room,
and a partial sum that the run both spills and reloads may stay. So two steps a run suffice, 3 K in
all, for the first run only loads and the last one only writes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from offloadasp.asp.edit_kinds import DEFINITION
from offloadasp.asp.facts import facts, fits_clingo, scale_of
from offloadasp.asp.grounding import GroundingStoppedError, Meter, ground
from offloadasp.asp.rules import Rules
from offloadasp.asp.solving import Progress, Solving, minimise, plan_of_model
from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Listener, Status
from offloadasp.search.size_limits import operations, rules_estimate
from offloadasp.search.source import Refuted, Source

# Ground rules at most: beyond, nothing is found or refuted in a minute.
_LIMIT = 60_000


def in_reach(whole: Problem) -> bool:
    """Whether a layer is so small that the complete search is worth its time."""
    return rules_estimate(whole, 2 * operations(whole)) <= _LIMIT


@dataclass
class Complete:
    """A search for something cheaper than what is known, or for the proof that there is nothing.

    Attributes
    ----------
    whole
        With overlap, in the decomposition that contains all others.
    known
        The cost of the best plan.
    few
        Steps that are tried first: a small program finds what a large one does not.
    exhausted
        Whether nothing cheaper exists than what is known, or than what was found.
    """

    rules: Rules
    whole: Problem
    effort: Effort
    known: Fraction
    few: int
    tell: Listener
    exhausted: bool = field(default=False, init=False)
    certificate: Mapping[str, Any] = field(default_factory=dict, init=False)

    def run(self) -> tuple[Plan, Source] | None:
        """Search; return a cheaper plan, or None."""
        most, clock = self._steps(), self.effort.clock
        best = None
        if self.few < most:
            timed = clock.timed and clock.seconds != float("inf")
            best = self._within(self.few, clock.part(0.5) if timed else clock)
            if best is not None:
                self.known = best[0].cost
        found = None if clock.expired() else self._within(most, clock)
        self.exhausted = self.exhausted and self._suffices
        return found or best

    def _within(self, steps: int, clock: Clock) -> tuple[Plan, Source] | None:
        """Search for something cheaper of at most so many steps."""
        self.exhausted = False
        if rules_estimate(self.whole, steps) > _LIMIT or not fits_clingo(self.whole, steps):
            return None
        prices, unit = self.whole.prices, scale_of(self.whole).unit
        most = int((self.known - prices.fixed) / unit) - 1
        how = Solving(self.effort.threads, self.effort.seed, self._conflicts)
        started = time.monotonic()
        try:
            control = ground(
                self.rules,
                [DEFINITION, "model/objective/duration.lp"],
                facts(self.whole, steps),
                arguments=[*how.arguments, f"--opt-mode=opt,{most}"],
                meter=Meter(10 * _LIMIT, clock.expired),
            )
        except GroundingStoppedError:
            return None
        finally:
            self.effort.seconds["ground"] += time.monotonic() - started

        def tell(progress: Progress) -> None:
            cost = self.known
            if progress.cost is not None:
                cost = progress.cost * unit + prices.fixed
            self.tell(Status(cost, Fraction(0), f"complete search, at most {steps} steps"))

        outcome = minimise(control, clock, how, on_progress=tell)
        self.exhausted = outcome.exhausted and steps >= self._steps()
        self.certificate = {"complete_search": {"steps_at_most": steps}}
        if outcome.symbols is None:
            return None
        return plan_of_model(self.whole, outcome.symbols), Refuted()

    @property
    def _conflicts(self) -> int | None:
        return None if self.effort.budget is None else 100 * self.effort.budget

    @property
    def _suffices(self) -> bool:
        """Whether the steps are enough: how many writes there are is unknown where sums spill."""
        return self.whole.semantics.name == "dma" or bool(self.whole.exists.depth.max() == 1)

    def _steps(self) -> int:
        """Return a number of steps that is enough if no partial sum is spilled, or with one DMA."""
        actions = operations(self.whole)
        if self.whole.semantics.name == "dma":
            return 3 * actions
        writes = self.whole.positions * len(self.whole.kernel_sizes)
        return 2 * actions + 1 + writes
