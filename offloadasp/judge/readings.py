"""The two readings of a strategy: by the rules, and by the simulator."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from offloadasp.asp.rules import Rules
from offloadasp.judge.by_rules import Verdict, check
from offloadasp.judge.simulator import Replay, simulate
from offloadasp.model.strategy import Strategy


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
