"""The result of a run: a verified strategy, and everything that can be said about it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from offloadasp.base.errors import InputError
from offloadasp.drawing import drawn
from offloadasp.judge.by_rules import RuleReading
from offloadasp.judge.earlier import Kept
from offloadasp.judge.simulator import Replay
from offloadasp.judge.verdict import Readings
from offloadasp.model.claim import Claim
from offloadasp.model.objectives import Counts, gap
from offloadasp.model.plan import Plan
from offloadasp.model.strategy import (
    Breach,
    Objective,
    RulesRecord,
    Strategy,
    save,
    steps_of,
)
from offloadasp.search.answer import Answer
from offloadasp.search.effort import Effort

# Steps that a file names of a rule that is broken.
_RECORDED = 100


@dataclass(frozen=True, eq=False)
class Result:
    """A verified strategy. In a notebook it shows itself as a table with a small drawing.

    Attributes
    ----------
    strategy, path
        The strategy, and the file that holds it; None: none was asked for.
    answer
        The plan, where it comes from, and what is claimed of it.
    by_rules, replay
        The two readings: by the rules and by the simulator.
    seconds
        Wall-clock time of ``ground``, ``solve``, ``simulate`` and ``total``.
    interrupted
        Whether the user ended the search.
    kept
        The earlier file that this one would have replaced; None if there was none to keep.
    """

    strategy: Strategy
    path: Path | None
    answer: Answer
    by_rules: RuleReading
    replay: Replay
    seconds: dict[str, float]
    interrupted: bool
    kept: Kept | None = None

    @classmethod
    def of(cls, answer: Answer, readings: Readings, path: Path | None, effort: Effort) -> "Result":
        """Join the answer of a search and what both readings say of it."""
        seconds = {"simulate": readings.seconds, "total": effort.clock.elapsed}
        return cls(
            readings.strategy,
            path,
            answer,
            readings.by_rules,
            readings.replay,
            effort.seconds | seconds,
            effort.clock.interrupted,
        )

    @property
    def plan(self) -> Plan:
        """The actions, block by block."""
        return self.answer.plan

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Value and lower bound of each objective, the one that matters most first."""
        return self.answer.claims

    @property
    def status(self) -> Literal["optimal", "feasible"]:
        """``optimal`` only where every objective's lower bound equals its value."""
        return self.strategy.status

    @property
    def duration(self) -> int | Fraction:
        """Cycles."""
        return _plain(self.strategy.duration)

    @property
    def lower_bound(self) -> int | Fraction:
        """No strategy takes fewer cycles."""
        return _plain(self.strategy.lower_bound)

    @property
    def gap(self) -> Fraction:
        """(duration − lower bound) / duration."""
        return gap(self.strategy.duration, self.strategy.lower_bound)

    @property
    def counts(self) -> Counts:
        """What the strategy uses, as the simulator counts it."""
        return self.replay.counts

    def save(self, path: Path) -> None:
        """Write the strategy file.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        save(self.strategy, path)

    def _repr_html_(self) -> str:
        title = f"{self.strategy.instance.name}: {self.status}"
        facts = {
            "duration": f"{self.duration} cycles",
            "lower bound": f"{self.lower_bound} cycles (gap {float(self.gap):.2%})",
            "compute actions": str(self.counts.actions),
            "loaded": f"{self.counts.loaded} bytes",
            "written": f"{self.counts.written} bytes",
        }
        return drawn(title, facts, self.replay)


class UnwrittenError(InputError):
    """A verified strategy whose file cannot be written: it must not be lost."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type, tuple[str, Result]]:
        """Pickle with the result: exceptions cross process borders."""
        return type(self), (str(self), self.result)


def strategy_of(answer: Answer, rules: RulesRecord | None = None) -> Strategy:
    """Return the answer of a search as the content of a strategy file.

    Parameters
    ----------
    rules
        What the file says of the rules; None: they are the shipped ones.
    """
    if rules is not None and answer.shipped_breaks:
        broken = tuple(
            Breach(rule=one.place, steps=one.steps[:_RECORDED]) for one in answer.shipped_breaks
        )
        rules = rules.model_copy(update={"shipped_breaks": broken})
    first, *others = answer.claims
    objective = {
        "name": ",".join(claim.objective for claim in answer.claims),
        "value": first.value,
        "lower_bound": first.lower_bound,
    }
    if others:
        objective["then"] = [
            {"name": claim.objective, "value": claim.value, "lower_bound": claim.lower_bound}
            for claim in others
        ]
    return Strategy(
        instance=answer.plan.problem.resolved_instance(),
        duration=answer.plan.duration,
        lower_bound=answer.duration_bound,
        status="optimal" if all(claim.proved for claim in answer.claims) else "feasible",
        objective=Objective.model_validate(objective),
        certificate=answer.certificate,
        rules=rules,
        steps=steps_of(answer.plan),
    )


def _plain(value: Fraction) -> int | Fraction:
    return int(value) if value.denominator == 1 else value
