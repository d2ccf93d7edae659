"""Complete search by refutation: which budgets permit a strategy? See ``encodings/proof/``.

One attempt after the other raises the lower bound: a budget that is unsatisfiable is refuted, and
the next achievable cost is a bound. Beside them other attempts look for a better strategy.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import clingo

from offloadasp.asp.facts import facts, fits_clingo, scale_of
from offloadasp.asp.grounding import GroundingStoppedError, Meter, ground
from offloadasp.asp.rules import Rules
from offloadasp.asp.solving import plan_of_model, solving
from offloadasp.bounds import Bound
from offloadasp.limits.abandonable import LeftAloneError
from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem
from offloadasp.search.anneal.improve import Improver, units
from offloadasp.search.refute.cuts import cut_files

_ENTRY = "proof/refute.lp"
# Measured on flat layers: with the default configuration this is as good or better.
_ARGUMENTS = ("--trans-ext=dynamic",)
_POLL_SECONDS = 0.02
# A refutation as quick as this lets the next one aim twice as high; one that takes as long as the
# second is given up if it aimed higher than the next cost.
_QUICK_SECONDS, _PATIENCE_SECONDS = 0.5, 5.0
# So many budgets between the bounds are few.
_NEAR_GRAINS = 3


@dataclass(frozen=True)
class Ledger:
    """What every strategy of a problem pays, and in which steps it can pay more.

    Costs are in units of the rules.

    Attributes
    ----------
    base
        Each block loaded once, each output written once, least number of compute actions.
    grain
        All costs are ``base`` plus multiples of it.
    least_steps, most_steps
        Compute actions: at least, and at most those that may be of use.
    """

    base: int
    grain: int
    least_steps: int
    most_steps: int
    compute: int

    def steps(self, cost: int) -> int:
        """Return how many steps a strategy of at most this cost may compute in."""
        if self.compute == 0:
            return self.most_steps
        return min(self.most_steps, self.least_steps + (cost - self.base) // self.compute)

    def up(self, cost: int) -> int:
        """Round up to a cost that a strategy can have."""
        return self.base + max(0, -(-(cost - self.base) // self.grain)) * self.grain

    def down(self, cost: int) -> int:
        """Round down to a cost that a strategy can have."""
        return self.base + max(0, (cost - self.base) // self.grain) * self.grain


def ledger_of(problem: Problem, bound: Bound, operations: int) -> Ledger:
    """Return what every strategy pays, given proven bounds."""
    scale = scale_of(problem)
    loads, writes = problem.input_total + problem.kernel_total, problem.output_total
    prices = [
        scale.compute,
        *(int(size) * scale.load for size in problem.pixel_bytes),
        *(int(size) * scale.load for size in problem.kernel_bytes.distinct[0]),
        *(int(size) * (scale.load + scale.write) for size in problem.partial_bytes),
    ]
    return Ledger(
        base=loads * scale.load + writes * scale.write + bound.steps * scale.compute,
        grain=math.gcd(*prices) or 1,
        least_steps=bound.steps,
        most_steps=operations,
        compute=scale.compute,
    )


@dataclass
class Attempt:
    """A budget under search: a solver running in its own thread."""

    target: int
    control: clingo.Control
    handle: clingo.SolveHandle
    started: float
    symbols: list[clingo.Symbol] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started

    def close(self) -> clingo.SolveResult:
        """End the search and return its result."""
        self.handle.cancel()
        result = self.handle.get()
        self.handle.__exit__(None, None, None)  # type: ignore[no-untyped-call]  # clingo lacks types
        return result


@dataclass
class Refuter:
    """Raises a lower bound and lowers an incumbent until they meet.

    Attributes
    ----------
    lower, upper
        Costs in units of the rules: proven, and of the best strategy known.
    symbols
        The strategy of cost ``upper``, if clingo found it.
    limit
        Ground rules at most.
    conflicts
        Limit of each attempt, or None; then the clock limits all.
    without
        Names of cuts to leave out.
    beside
        A local search that goes on while budgets are refuted, if there are threads for both.
    """

    rules: Rules
    problem: Problem
    ledger: Ledger
    clock: Clock
    lower: int
    upper: int
    threads: int
    seed: int
    limit: int
    conflicts: int | None = None
    without: frozenset[str] = frozenset()
    tell: Callable[[int, int], None] = lambda *_: None
    beside: Improver | None = None
    symbols: Sequence[clingo.Symbol] | None = None
    ground_seconds: float = 0.0
    stride: int = 1

    def run(self) -> None:
        """Search until lower and upper bound meet, or a limit is reached."""
        self.lower = self.ledger.up(self.lower)
        if self.threads > 1 and self.conflicts is None:
            self._side_by_side()
        else:
            self._in_turn()

    def _side_by_side(self) -> None:
        """Refute in one thread, and look for something better in the others.

        That does the local search, in this thread, until it has not gained anything for long.
        """
        refuting: Attempt | None = None
        improving: Attempt | None = None
        try:
            while self.lower < self.upper and not self.clock.expired():
                refuting = refuting or self._start(self._aim())
                if refuting is None:
                    return
                highest = self.upper - self.ledger.grain
                if improving is None and refuting.target < highest and not self._leaves(highest):
                    improving = self._start(highest)
                running = sum(attempt is not None for attempt in (refuting, improving))
                if not refuting.handle.wait(_POLL_SECONDS) and running < self.threads:
                    self._search_beside()
                improving = self._current(self._looked_at(improving))
                refuting = self._current(self._looked_at(refuting))
                if refuting is not None and self._hopeless(refuting):
                    refuting.close()
                    refuting, self.stride = None, 1
        finally:
            for attempt in (refuting, improving):
                if attempt is not None:
                    attempt.close()

    def _leaves(self, highest: int) -> bool:
        """Whether to leave the second of two threads to the local search for now.

        Not where few budgets are left: to refute the highest one at once may be the whole proof.
        """
        far = highest - self.lower >= _NEAR_GRAINS * self.ledger.grain
        return far and self.threads == 2 and self.beside is not None and self.beside.hopeful()

    def _search_beside(self) -> None:
        if self.beside is not None and self.beside.hopeful(late=True):
            self.beside.go_on()
            if self.beside.cost < self.upper:
                self.upper, self.symbols, self.stride = self.beside.cost, None, 1
                self.tell(self.lower, self.upper)

    def _current(self, attempt: Attempt | None) -> Attempt | None:
        """End an attempt whose question the other one has answered."""
        if attempt is None or self.lower <= attempt.target < self.upper:
            return attempt
        attempt.close()
        return None

    def _hopeless(self, attempt: Attempt) -> bool:
        aimed_higher = self.lower < attempt.target < self.upper - self.ledger.grain
        return aimed_higher and attempt.seconds > _PATIENCE_SECONDS

    def _in_turn(self) -> None:
        """Refute first, then look for something better, as far as each limit goes."""
        given_up = False
        while self.lower < self.upper and not self.clock.expired():
            target = self.upper - self.ledger.grain if given_up else self._aim()
            attempt = self._start(target)
            if attempt is None:
                return
            patience = float("inf") if given_up else max(1.0, self.clock.remaining / 2)
            known = (self.lower, self.upper)
            open_: Attempt | None = attempt
            while open_ is not None and not self.clock.expired():
                attempt.handle.wait(_POLL_SECONDS)
                open_ = self._looked_at(open_)
                if self.conflicts is None and attempt.seconds > patience:
                    break
            if open_ is not None:
                open_.close()
            if known == (self.lower, self.upper):
                if given_up:
                    return
                given_up = self.stride == 1
                self.stride = 1

    def _aim(self) -> int:
        """Return the cost to refute next: the stride lets it skip some."""
        highest = self.upper - self.ledger.grain
        return min(highest, self.lower + (self.stride - 1) * self.ledger.grain)

    def _start(self, target: int) -> Attempt | None:
        """Ground and search for a strategy of at most some cost; None if it does not ground."""
        steps = self.ledger.steps(target)
        if not fits_clingo(self.problem, steps):
            return None
        extra = f"slack({target - self.ledger.base}). least_steps({self.ledger.least_steps})."
        cuts = [
            path for name, path in cut_files(self.rules.folder).items() if name not in self.without
        ]
        started = time.monotonic()
        try:
            control = ground(
                self.rules,
                [_ENTRY, *cuts],
                facts(self.problem, steps) + extra,
                arguments=[*_ARGUMENTS, f"--seed={self.seed}"],
                meter=Meter(self.limit, self.clock.expired),
            )
        except GroundingStoppedError:
            return None
        finally:
            self.ground_seconds += time.monotonic() - started
        solve = control.configuration.solve
        assert isinstance(solve, clingo.Configuration)
        if self.conflicts is not None:
            solve.solve_limit = str(self.conflicts)
        symbols: list[clingo.Symbol] = []
        try:
            handle = solving(
                control, self.clock, lambda model: symbols.extend(model.symbols(shown=True))
            )
        except LeftAloneError:
            return None
        return Attempt(target, control, handle, time.monotonic(), symbols)

    def _looked_at(self, attempt: Attempt | None) -> Attempt | None:
        """Take the result of an attempt that has ended; return it if it has not."""
        if attempt is None or not attempt.handle.wait(0):
            return attempt
        seconds = attempt.seconds
        result = attempt.close()
        if result.satisfiable:
            cost = units(plan_of_model(self.problem, attempt.symbols))
            if cost < self.upper:
                self.upper, self.symbols, self.stride = cost, attempt.symbols, 1
        elif result.unsatisfiable:
            if attempt.target >= self.lower:
                self.lower = attempt.target + self.ledger.grain
            # A budget counts conflicts, not seconds, so that it decides the same each time.
            quick = seconds < _QUICK_SECONDS or self.conflicts is not None
            self.stride = self.stride * 2 if quick else self.stride
        self.tell(self.lower, self.upper)
        return None
