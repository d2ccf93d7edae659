"""The least peak of memory at which given values of linear objectives are still reached.

A capacity is *excluded* if no strategy within it has values that small. More memory only adds
strategies, so what excludes a capacity excludes all below it, and the least capacity that is not
excluded is a lower bound on the peak, for strategies with these values. First the analytic bounds
exclude what they can; then searches at capacities between find a plan or exclude.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from offloadasp.base.errors import NoStrategyError
from offloadasp.bounds import least_memory, lower_bound
from offloadasp.model.problem import granularity
from offloadasp.search.effort import Effort
from offloadasp.search.lexicographic.linear import Linear, Proven
from offloadasp.search.pool import Listener, Offer, Status

# Of the time that is left, what one capacity may take.
_PATIENCE = 0.5


@dataclass
class Shrinker:
    """Lowers the peak of a plan, and raises its lower bound, without giving up what it reached.

    Attributes
    ----------
    linear
        The objectives whose values must not grow.
    found
        The plan to start from, then the best one, with its source.
    low, certificate
        Proven lower bound in bytes, and its entry in the certificate.
    undecided
        Capacities at which neither a plan was found nor shown to be impossible.
    """

    linear: Linear
    found: Offer
    effort: Effort
    tell: Listener = lambda _: None
    low: int = 0
    certificate: dict[str, Any] = field(default_factory=dict)
    undecided: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.whole = self.linear.whole_at(self.linear.instance.accelerator.memory)
        self.clock = self.effort.clock
        # All peaks are multiples of this.
        self.grain = granularity(self.whole)

    @property
    def high(self) -> int:
        """The peak of the best plan, in bytes."""
        return self.found.plan.counts.peak

    def run(self) -> tuple[Offer, Proven]:
        """Search within the clock's limit; return the best plan and the bound on its peak."""
        self.low = least_memory(self.whole).value
        self._exclude()
        floor = self.linear.least_memory()
        while not self.clock.expired():
            self.tell(Status(Fraction(self.high), Fraction(self.low), "peak memory"))
            capacity = self._between(max(self.low, floor), self.high)
            if capacity is None:
                break
            self._look_at(capacity)
        return self.found, Proven(Fraction(self.low), self.certificate)

    def _exclude(self) -> None:
        """Raise the bound by bisection as far as the analytic bounds exclude capacities."""
        values = self.linear.values(self.found.plan)
        high = self.high
        while self.low < high and not self.clock.expired():
            middle = self.low + (high - self.low) // self.grain // 2 * self.grain
            bound = lower_bound(self.whole.within(middle).at(self.linear.prices))
            if self.linear.exceeded(middle, bound.certificate, values):
                self.low = middle + self.grain
                self.certificate = {"memory": middle, **bound.certificate}
            else:
                high = middle

    def _between(self, low: int, high: int) -> int | None:
        """Choose the next capacity from low to below high: above all undecided ones, else below."""
        undecided = [capacity for capacity in self.undecided if low <= capacity < high]
        ranges = [(max(undecided) + self.grain, high), (low, min(undecided))] if undecided else []
        for start, stop in ranges or [(low, high)]:
            if start < stop:
                return start + (stop - self.grain - start) // self.grain // 2 * self.grain
        return None

    def _look_at(self, capacity: int) -> None:
        """Search for a plan within a capacity that reaches the same values."""
        target = self.linear.cost(self.found.plan)
        effort = self.effort.under(self.clock.part(_PATIENCE))
        try:
            pool = self.linear.search(capacity, effort, lambda _: None, target)
        except NoStrategyError:
            self.undecided.add(capacity)
            return
        if pool.found.cost <= target:
            self.found = pool.found
        elif pool.bound > target:
            self.low = capacity + self.grain
            self.certificate = {"memory": capacity, **self.linear.searched(pool.certificate)}
        else:
            self.undecided.add(capacity)
