"""Solving an instance for a command: under its limits, with a live line, ended by Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offloadasp.asp.grounding import SMALLER
from offloadasp.asp.rules import Rules, shipped_rules
from offloadasp.base.errors import InfeasibleError, InterruptedEarly, NoStrategyError
from offloadasp.limits.clock import Clock
from offloadasp.limits.given import Limits
from offloadasp.limits.interrupt import Interrupts
from offloadasp.limits.process_memory import MemoryLimit
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION
from offloadasp.pipeline import run
from offloadasp.report.text.live import LiveLine
from offloadasp.result import Result
from offloadasp.search.effort import effort_of


def solved(
    given: str,
    instance: Instance,
    limits: Limits,
    out: Path,
    rules: Rules | None = None,
    objectives: tuple[str, ...] = (DURATION,),
    without: frozenset[str] = frozenset(),
    *,
    watched: bool,
) -> Result:
    """Run the pipeline on an instance.

    Parameters
    ----------
    given
        The instance as the user named it, for messages.
    rules
        The rules in force; None: the shipped ones.
    without
        Names of the cuts that the complete search does without.
    watched
        Whether to show a line of progress, on a terminal.

    Raises
    ------
    InputError, InfeasibleError, NoStrategyError, UnwrittenError, VerificationError
        From the pipeline; the message names the instance.
    InterruptedEarly
        By Ctrl-C before the first strategy was found.
    """
    effort = effort_of(instance.search, limits.budget, without)
    clock = effort.clock
    line = LiveLine(clock, shown=watched)
    with (
        MemoryLimit(limits.memory_limit, clock),
        Interrupts(clock),
        line.shown(),
        _reasons(given, instance.name, clock, limits.memory_limit),
    ):
        return run(instance, rules or shipped_rules(), effort, out, line.tell, objectives)


@contextmanager
def _reasons(given: str, name: str, clock: Clock, memory_limit: int | None) -> Iterator[None]:
    """Say of a search that ends without a strategy why it does."""
    try:
        yield
    except InfeasibleError as error:
        raise InfeasibleError(f"{given}: {error}") from None
    except (NoStrategyError, MemoryError) as error:
        if clock.interrupted:
            reason = f"{name}: interrupted before the first strategy was found"
            raise InterruptedEarly(reason) from None
        full = isinstance(error, MemoryError) or clock.full.is_set()
        if memory_limit is not None and full:
            raise NoStrategyError(
                f"{name}: more than the {memory_limit} megabytes of --memory-limit are needed: "
                f"raise it, or {SMALLER}"
            ) from None
        raise NoStrategyError(str(error) or f"{name}: out of memory") from None
