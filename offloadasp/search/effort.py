"""Effort: how long a search may run, with which threads and seed, or how much it may count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from offloadasp.base.errors import InputError
from offloadasp.base.explain import explain
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Instance, SearchOptions

_BUDGET_LIMIT = 2**31 - 1


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


def effort_of(options: SearchOptions, budget: int | None, without: Sequence[str] = ()) -> Effort:
    """Return the effort that options allow; its clock starts now."""
    clock = Clock() if budget is not None else Clock(options.time_limit)
    return Effort(clock, options.threads, options.seed, budget, frozenset(without))


def search_options(
    instance: Instance,
    time_limit: float | None,
    threads: int | None,
    seed: int | None,
    budget: int | None,
) -> SearchOptions:
    """Join the command line with the instance's ``[search]`` table."""
    given: dict[str, Any] = {"time_limit": time_limit, "threads": threads, "seed": seed}
    given = {key: value for key, value in given.items() if value is not None}
    if budget is not None:
        if not 1 <= budget <= _BUDGET_LIMIT:
            raise InputError(f"--budget: must be from 1 to {_BUDGET_LIMIT}, not {budget}")
        if given.setdefault("threads", 1) != 1:
            raise InputError(f"--threads: must be 1 with --budget, not {threads}")
        if time_limit is not None:
            raise InputError("--time-limit: --budget replaces it; give one of them")
    return checked(instance.search.model_dump() | given)


def checked(given: Mapping[str, Any]) -> SearchOptions:
    """Return options of the search.

    Raises
    ------
    InputError
        One line names an option that is wrong.
    """
    try:
        return SearchOptions.model_validate(given)
    except ValidationError as error:
        key, reason = explain(error, SearchOptions).split(":", 1)
        raise InputError(f"--{key.replace('_', '-')}:{reason}") from None
