"""The search as a whole: all stages at the memory of the instance, or within a budget."""

import math
import time
from dataclasses import dataclass, replace

from offloadasp.bounds import lower_bound
from offloadasp.model.problem import problem_of
from offloadasp.search.deterministic import climb
from offloadasp.search.result import Found
from offloadasp.search.stages import Stages

# Until which share of the time limit a single thread improves plans before it searches completely.
_IMPROVED = 0.4


@dataclass
class Search(Stages):
    """One search over everything that an instance leaves open, under the shipped rules."""

    def run(self) -> Found:
        """Search within the limits.

        Raises
        ------
        InfeasibleError
            No strategy exists.
        NoStrategyError
            None was found within the limits.
        """
        started = time.monotonic()
        if self.limits.budget is None:
            found = self._by_the_clock()
        else:
            found = climb(self, self.limits.budget)
        self.seconds["solve"] = time.monotonic() - started - self.seconds["ground"]
        # With the memory and the rates that the instance gives.
        return replace(found, problem=problem_of(self.instance, found.problem.decomposition))

    def _by_the_clock(self) -> Found:
        """Construct and improve, and search completely, at the memory of the instance."""
        memory, clock = self.whole.memory, self.clock
        bound = lower_bound(self.whole.with_memory(memory))
        best = self.construct(memory, bound)
        start = self.start(memory, best)
        improver = self.improver(start, bound)
        if self.limits.threads == 1 and self.in_reach:
            improver.until(clock, _IMPROVED)
        found = self.result(improver.best, self.baselines(best, start), bound)
        for problem in dict.fromkeys((self.whole, found.problem)):
            if self.unsettled(found) and not clock.expired():
                found = self.complete(problem.with_memory(memory), found, bound, None, improver)
        if self.unsettled(found):
            improver.enough = max(improver.enough, math.ceil(found.lower_bound / self.scale.unit))
            improver.until(clock, 1.0, late=True)
        return self.improved(found, improver)
