"""From an instance to a verified strategy file: search, accept, simulate, write."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from offloadasp.asp.rules import Rules
from offloadasp.base.errors import InputError, VerificationError
from offloadasp.judge.by_rules import Verdict
from offloadasp.judge.earlier import better
from offloadasp.judge.readings import read
from offloadasp.judge.simulator import Replay
from offloadasp.limits.clock import Clock
from offloadasp.model.cost import DURATION, Goal, gap
from offloadasp.model.instance import Instance
from offloadasp.model.strategy import Objective, Strategy, plan_of, save, steps_of
from offloadasp.search.objectives.lexicographic import Lexicographic, Ranked
from offloadasp.search.result import Found, Limits, Status
from offloadasp.search.rules_in_force.edited import EditedSearch

# Violations named in the message of a failed verification; `check` lists all.
_NAMED = 3


@dataclass(frozen=True)
class Result:
    """A verified strategy and everything that a report says about it.

    Attributes
    ----------
    strategy, path
        The strategy, and the file that holds it.
    found
        The search's result: method, baselines, certificate, scope of the bound.
    goals
        What was minimised, the objective that matters most first.
    verdict, replay
        The two readings: by the rules and by the simulator.
    seconds
        Wall-clock time of ``ground``, ``solve``, ``simulate`` and ``total``.
    interrupted
        Whether the user ended the search.
    """

    strategy: Strategy
    path: Path
    found: Found
    goals: tuple[Goal, ...]
    verdict: Verdict
    replay: Replay
    seconds: dict[str, float]
    interrupted: bool

    @property
    def gap(self) -> Fraction:
        """That of the duration."""
        return gap(self.strategy.duration, self.strategy.lower_bound)


class UnwrittenError(InputError):
    """A verified strategy whose file cannot be written: it must not be lost."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


def run(
    instance: Instance,
    rules: Rules,
    limits: Limits,
    clock: Clock,
    out: Path,
    tell: Callable[[Status], None] = lambda _: None,
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
    ranked = search(instance, rules, limits, clock, names, tell).run()
    found, goals = ranked.found, ranked.goals
    strategy, path = _strategy(ranked), out / f"{instance.name}.strategy.json"
    readings = None
    # A budget promises the same file each time, and edited rules make another problem.
    if limits.budget is None and not rules.edited:
        readings = better(path, strategy, instance, rules)
    if readings is not None:
        strategy = readings.strategy
        found, goals = _kept(found, strategy), _goals(strategy)
    else:
        value, bound = goals[0].value, goals[0].lower_bound
        readings = read(strategy, rules, limits.seed, lambda s: tell(Status(value, bound, s)))
    verdict, replay = readings.verdict, readings.replay
    _require_verified(strategy, verdict, replay, rules)
    error = _save(strategy, path)
    seconds = found.seconds | {"simulate": readings.seconds, "total": clock.elapsed}
    result = Result(strategy, path, found, goals, verdict, replay, seconds, clock.interrupted)
    if error:
        raise UnwrittenError(error, result)
    return result


def _save(strategy: Strategy, path: Path) -> str:
    """Write the file; return why it cannot be written, or nothing."""
    try:
        save(strategy, path)
    except InputError as error:
        return str(error)
    return ""


def _kept(found: Found, kept: Strategy) -> Found:
    return replace(
        found,
        problem=kept.problem,
        plan=plan_of(kept),
        value=kept.ranking[0].value,
        method="an earlier run, whose file held a better strategy than this run found",
    )


def _goals(strategy: Strategy) -> tuple[Goal, ...]:
    return tuple(Goal(part.name, part.value, part.lower_bound) for part in strategy.ranking)


def _strategy(ranked: Ranked) -> Strategy:
    found, (first, *others) = ranked.found, ranked.goals
    proved = all(goal.lower_bound == goal.value for goal in ranked.goals)
    objective = {
        "name": ",".join(goal.name for goal in ranked.goals),
        "value": first.value,
        "lower_bound": first.lower_bound,
    }
    if others:
        objective["then"] = [vars(goal) for goal in others]
    return Strategy(
        instance=found.problem.resolved_instance(),
        duration=found.plan.duration(found.problem),
        lower_bound=ranked.duration_bound,
        status="optimal" if proved else "feasible",
        objective=Objective.model_validate(objective),
        # Readers of the file must see what the bound is limited to.
        certificate=found.certificate | ({"scope": found.scope} if found.scope else {}),
        steps=steps_of(found.plan),
    )


def _require_verified(strategy: Strategy, verdict: Verdict, replay: Replay, rules: Rules) -> None:
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
