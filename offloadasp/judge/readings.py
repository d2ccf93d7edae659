"""The two readings of a strategy: by the rules, and by the simulator."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from offloadasp.asp.rules import Rules
from offloadasp.base.errors import VerificationError
from offloadasp.judge.by_rules import Verdict, check
from offloadasp.judge.simulator import Replay, simulate
from offloadasp.model.strategy import Strategy

# Violations named in the message of a failed verification; `check` lists all.
_NAMED = 3


@dataclass(frozen=True)
class Readings:
    """A strategy, and what both readings say of it.

    Attributes
    ----------
    seconds
        Wall-clock time of the simulation.
    """

    strategy: Strategy
    verdict: Verdict
    replay: Replay
    seconds: float


def read(
    strategy: Strategy, rules: Rules, seed: int, tell: Callable[[str], None] = lambda _: None
) -> Readings:
    """Read a strategy by the rules, then by the simulator on tensors drawn from a seed.

    Parameters
    ----------
    tell
        Told of the reading that begins.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    tell("check.lp")
    verdict = check(strategy, rules)
    tell("simulator")
    started = time.monotonic()
    replay = simulate(strategy, seed=seed)
    return Readings(strategy, verdict, replay, time.monotonic() - started)


def require_verified(readings: Readings, *, edited: bool) -> None:
    """Refuse a strategy to which either reading objects.

    Parameters
    ----------
    edited
        Whether the rules are not the shipped ones.

    Raises
    ------
    VerificationError
        Names the first violations of each reading.
    """
    strategy, verdict, replay = readings.strategy, readings.verdict, readings.replay
    complaints = [
        f"{reading}: step {entry.step}: {entry.rule} {entry.block}".rstrip()
        for reading, entries in (
            ("check.lp", verdict.violations),
            ("simulator", replay.violations),
        )
        for entry in entries[:_NAMED]
    ]
    if verdict.accepted:
        complaints += [
            f"check.lp: {name} {measured}, not {stated}"
            for name, measured, stated in verdict.contradicted(strategy)
        ]
    if not complaints and not replay.verified:
        complaints.append(f"simulator: wrong result, error {replay.max_abs_error}")
    if complaints:
        whose = "the edited rules permit a plan that is refused" if edited else "a bug"
        raise VerificationError(
            f"{strategy.instance.name}: VERIFICATION FAILED ({whose}): {'; '.join(complaints)}"
        )
