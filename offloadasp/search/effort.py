"""Effort: how long a search may run, with which threads and seed, or how much it may count."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from offloadasp.limits.clock import Clock
from offloadasp.model.instance import SearchOptions


@dataclass(frozen=True)
class Effort:
    """What a search may use.

    Attributes
    ----------
    clock
        The wall-clock limit, Ctrl-C, and the limit of memory: the one thing that every loop asks.
    threads, seed
        Of clingo and of the local search.
    budget
        Counted effort that replaces the time limit and makes the search deterministic; None: the
        clock decides.
    without
        Names of the separators that the complete search is to do without.
    seconds
        Wall-clock time of ``ground`` and ``solve`` so far; the search adds to it.
    """

    clock: Clock
    threads: int = 2
    seed: int = 0
    budget: int | None = None
    without: frozenset[str] = frozenset()
    seconds: dict[str, float] = field(default_factory=lambda: {"ground": 0.0, "solve": 0.0})

    def under(self, clock: Clock) -> "Effort":
        """Return the same effort under another clock."""
        return replace(self, clock=clock)


def effort_of(options: SearchOptions, budget: int | None, without: Iterable[str] = ()) -> Effort:
    """Return the effort that options allow; its clock starts now."""
    clock = Clock() if budget is not None else Clock(options.time_limit)
    return Effort(clock, options.threads, options.seed, budget, frozenset(without))
