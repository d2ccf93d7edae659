"""A strategy file on trial: both readings of its steps, and what its certificate proves."""

from dataclasses import dataclass

from offloadasp.asp.rules import Rules
from offloadasp.judge.by_rules import Verdict
from offloadasp.judge.certificate import Proof, prove
from offloadasp.judge.readings import read
from offloadasp.judge.simulator import Replay
from offloadasp.model.cost import DURATION
from offloadasp.model.strategy import Strategy


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
        ``check.lp``, ``simulator`` or ``certificate``.
    """

    step: int
    rule: str
    block: str
    readings: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """The verdict of both readings, and the bounds'.

    Attributes
    ----------
    proof
        Of the bound on the duration.
    proofs
        Of the bound of each objective that was minimised, in order.
    """

    verdict: Verdict
    replay: Replay
    proof: Proof
    proofs: tuple[Proof, ...]
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Whether nothing was found, and the output is the convolution's."""
        return not self.findings and self.replay.verified and self.verdict.accepted


def audit(strategy: Strategy, rules: Rules) -> Audit:
    """Read a strategy by the rules and by the simulator, and verify its bounds.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    readings = read(strategy, rules, strategy.instance.search.seed)
    verdict, replay = readings.verdict, readings.replay
    proof, *proofs = prove(strategy)
    named: dict[tuple[int, str, str], list[str]] = {}
    for entry in verdict.violations:
        named.setdefault((entry.step, entry.rule, entry.block), []).append("check.lp")
    for name, _, _ in verdict.contradicted(strategy):
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
    findings = sorted(Finding(*place, tuple(names)) for place, names in named.items())
    return Audit(verdict, replay, proof, tuple(proofs), tuple(findings))
