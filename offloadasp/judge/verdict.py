"""The verdict on a strategy: both readings of its steps, and what its certificates prove."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from offloadasp.asp.rules import Rules
from offloadasp.base.errors import VerificationError
from offloadasp.judge.by_rules import RuleReading, read_by_rules
from offloadasp.judge.certificate import Proof, prove
from offloadasp.judge.simulator import Replay, simulate
from offloadasp.judge.users_rules import UsersReading, read_by_users_rules
from offloadasp.limits.abandonable import both
from offloadasp.model.objectives import DURATION
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
    by_rules: RuleReading
    replay: Replay
    seconds: float


def read(
    strategy: Strategy, rules: Rules, seed: int, tell: Callable[[str], None] = lambda _: None
) -> Readings:
    """Read a strategy by the rules, and at the same time by the simulator.

    Parameters
    ----------
    seed
        Of the tensors that the simulator draws.
    tell
        Told of the reading that is waited for.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """

    def by_rules() -> RuleReading:
        tell("check.lp")
        # Only a redefinition may mean another thing by a step than the shipped rules do.
        reading = read_by_rules(strategy, rules.shipped if rules.kind.keeps_bounds else rules)
        tell("simulator")
        return reading

    def by_simulator() -> tuple[Replay, float]:
        started = time.monotonic()
        return simulate(strategy, seed=seed), time.monotonic() - started

    # clingo grounds without Python's lock, so each reading gets a core.
    reading, (replay, seconds) = both(by_rules, by_simulator)
    return Readings(strategy, reading, replay, seconds)


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
    strategy, by_rules, replay = readings.strategy, readings.by_rules, readings.replay
    complaints = [
        f"{reading}: step {entry.step}: {entry.rule} {entry.block}".rstrip()
        for reading, entries in (
            ("check.lp", by_rules.violations),
            ("simulator", replay.violations),
        )
        for entry in entries[:_NAMED]
    ]
    if by_rules.accepted:
        complaints += [
            f"check.lp: {name} {measured}, not {stated}"
            for name, measured, stated in by_rules.contradicted(strategy)
        ]
    if not complaints and not replay.verified:
        complaints.append(f"simulator: wrong result, error {replay.max_abs_error}")
    if complaints:
        whose = "the edited rules permit a plan that is refused" if edited else "a bug"
        raise VerificationError(
            f"{strategy.instance.name}: VERIFICATION FAILED ({whose}): {'; '.join(complaints)}"
        )


@dataclass(frozen=True, order=True)
class Finding:
    """A broken rule, and the readings that named it.

    Attributes
    ----------
    step
        Counted from 1; 0 for what the file states of the whole strategy.
    rule
        As in `offloadasp.judge.simulator.RULES`.
    block
        The block or operation, the objective of a false statement, or empty.
    readings
        ``check.lp``, ``simulator``, ``certificate``, or ``your rules`` for a user's own.
    """

    step: int
    rule: str
    block: str
    readings: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What both readings say of a strategy, and what its certificates prove.

    Attributes
    ----------
    proof
        Of the bound on the duration.
    proofs
        Of the bound of each objective that was minimised, in order.
    users
        What a user's rules say.
    """

    by_rules: RuleReading
    replay: Replay
    proof: Proof
    proofs: tuple[Proof, ...]
    findings: tuple[Finding, ...]
    users: UsersReading = field(default_factory=UsersReading)

    @property
    def accepted(self) -> bool:
        """Whether nothing was found, and the output is the convolution's."""
        return not self.findings and self.replay.verified and self.by_rules.accepted


def judge(strategy: Strategy, rules: Rules) -> Verdict:
    """Read a strategy by the rules and by the simulator, and verify its bounds.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    readings = read(strategy, rules, strategy.instance.search.seed)
    by_rules, replay = readings.by_rules, readings.replay
    proof, *proofs = prove(strategy)
    named: dict[tuple[int, str, str], list[str]] = {}
    for entry in by_rules.violations:
        named.setdefault((entry.step, entry.rule, entry.block), []).append("check.lp")
    for name, _, _ in by_rules.contradicted(strategy):
        place = (0, "duration", "") if name == DURATION else (0, "objective", name)
        named.setdefault(place, []).append("check.lp")
    for violation in replay.violations:
        place = (violation.step, violation.rule, violation.block)
        named.setdefault(place, []).append("simulator")
    for part in (proof, *proofs):
        if not part.accepted:
            place = (0, "bound", "" if part.name == DURATION else part.name)
            names = named.setdefault(place, [])
            names += [] if "certificate" in names else ["certificate"]
    users = read_by_users_rules(strategy, rules)
    for rule, step in users.broken:
        named[step, "users_rule", rule] = ["your rules"]
    for rule, names_ in (("objective", users.contradicted), ("bound", users.unproved)):
        for name in names_:
            place = (0, rule, "" if name == DURATION and rule == "bound" else name)
            named.setdefault(place, []).append("your rules")
    findings = sorted(Finding(*place, tuple(names)) for place, names in named.items())
    return Verdict(by_rules, replay, proof, tuple(proofs), tuple(findings), users)
