"""From an instance to a verified strategy file: search, judge, write."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from offloadasp.asp.rules import Rules
from offloadasp.base.errors import InputError, VerificationError
from offloadasp.judge.by_rules import Verdict
from offloadasp.judge.earlier import better
from offloadasp.judge.readings import Readings, read
from offloadasp.judge.simulator import Replay
from offloadasp.model.claim import Claim
from offloadasp.model.cost import DURATION, gap
from offloadasp.model.instance import Instance
from offloadasp.model.strategy import Objective, Strategy, plan_of, save, steps_of
from offloadasp.search.answer import Answer
from offloadasp.search.effort import Effort
from offloadasp.search.objectives.lexicographic import Lexicographic
from offloadasp.search.pool import Listener, Status
from offloadasp.search.rules_in_force.edited import EditedSearch
from offloadasp.search.source import EarlierFile

# Violations named in the message of a failed verification; `check` lists all.
_NAMED = 3


@dataclass(frozen=True)
class Result:
    """A verified strategy and everything that a report says about it.

    Attributes
    ----------
    strategy, path
        The strategy, and the file that holds it.
    answer
        The plan, where it comes from, and what is claimed of it.
    verdict, replay
        The two readings: by the rules and by the simulator.
    seconds
        Wall-clock time of ``ground``, ``solve``, ``simulate`` and ``total``.
    interrupted
        Whether the user ended the search.
    """

    strategy: Strategy
    path: Path
    answer: Answer
    verdict: Verdict
    replay: Replay
    seconds: dict[str, float]
    interrupted: bool

    @property
    def gap(self) -> Fraction:
        """The gap of the duration."""
        return gap(self.strategy.duration, self.strategy.lower_bound)


class UnwrittenError(InputError):
    """A verified strategy whose file cannot be written: it must not be lost."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


def run(
    instance: Instance,
    rules: Rules,
    effort: Effort,
    out: Path,
    tell: Listener = lambda _: None,
    names: tuple[str, ...] = (DURATION,),
) -> Result:
    """Find a strategy, have it accepted by the rules, simulate it, and write its file.

    Parameters
    ----------
    names
        What to minimise, see `offloadasp.model.cost.objectives`.

    Raises
    ------
    InputError, InfeasibleError, NoStrategyError
        From the search.
    UnwrittenError
        The file cannot be written; the result comes with the error.
    VerificationError
        The rules or the simulator refuse what was found; nothing is written.
    """
    search = EditedSearch if rules.edited else Lexicographic
    answer = search(instance, rules, effort, names, tell).run()
    path = out / f"{instance.name}.strategy.json"
    answer, readings = _judged(answer, path, instance, rules, effort, tell)
    _require_verified(readings, rules)
    error = _save(readings.strategy, path)
    seconds = effort.seconds | {"simulate": readings.seconds, "total": effort.clock.elapsed}
    result = Result(
        readings.strategy,
        path,
        answer,
        readings.verdict,
        readings.replay,
        seconds,
        effort.clock.interrupted,
    )
    if error:
        raise UnwrittenError(error, result)
    return result


def _judged(
    answer: Answer, path: Path, instance: Instance, rules: Rules, effort: Effort, tell: Listener
) -> tuple[Answer, Readings]:
    """Read what was found both ways; or what an earlier file holds, if that is better."""
    strategy = _strategy(answer)
    # A budget promises the same file each time, and edited rules make another problem.
    if effort.budget is None and not rules.edited:
        earlier = better(path, strategy, instance, rules)
        if earlier is not None:
            return _kept(answer, earlier.strategy), earlier
    first = answer.claims[0]

    def stage(name: str) -> None:
        tell(Status(first.value, first.lower_bound, name))

    return answer, read(strategy, rules, effort.seed, stage)


def _save(strategy: Strategy, path: Path) -> str:
    """Write the file; return why it cannot be written, or nothing."""
    try:
        save(strategy, path)
    except InputError as error:
        return str(error)
    return ""


def _kept(answer: Answer, kept: Strategy) -> Answer:
    claims = tuple(
        Claim(part.name, part.value, part.lower_bound, claim.certificate)
        for part, claim in zip(kept.ranking, answer.claims, strict=True)
    )
    return replace(answer, plan=plan_of(kept), source=EarlierFile(), claims=claims)


def _strategy(answer: Answer) -> Strategy:
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
        steps=steps_of(answer.plan),
    )


def _require_verified(readings: Readings, rules: Rules) -> None:
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
        whose = "the edited rules permit a plan that is refused" if rules.edited else "a bug"
        raise VerificationError(
            f"{strategy.instance.name}: VERIFICATION FAILED ({whose}): {'; '.join(complaints)}"
        )
