"""A better strategy in a file is not lost to a worse one: the file's takes the place of the new."""

from pathlib import Path

from offloadasp.asp.rules import Rules
from offloadasp.base.errors import InputError
from offloadasp.judge.verdict import Readings, read
from offloadasp.model.instance import Instance
from offloadasp.model.strategy import Ranked, Strategy, load


def better(path: Path, found: Strategy, instance: Instance, rules: Rules) -> Readings | None:
    """Return the strategy of an earlier file if it is of the same problem, valid, and better.

    It comes with the bounds of the new one, which hold for it as well: they speak of everything
    that the instance leaves open. Both readings of it come along, as the file may hold anything:
    only what they say counts.

    Parameters
    ----------
    found
        What would be written.
    """
    try:
        earlier = load(path)
    except InputError:
        return None
    if not _comparable(earlier, found, instance) or _values(earlier) >= _values(found):
        return None
    kept = read(_joined(earlier, found), rules, instance.search.seed)
    return kept if _valid(kept) else None


def _valid(kept: Readings) -> bool:
    """Whether neither reading objects to the steps, nor to what the file says of them."""
    verdict, replay = kept.by_rules, kept.replay
    if not verdict.accepted or any(verdict.contradicted(kept.strategy)):
        return False
    # A bound above what a valid strategy takes is a bug of this run, which it must not pass over.
    wrong = [violation for violation in replay.violations if violation.rule != "bound"]
    return not wrong and replay.max_abs_error <= replay.tolerance


def _comparable(earlier: Strategy, found: Strategy, instance: Instance) -> bool:
    """Whether both solve the instance, and for the same objectives."""
    ours, theirs = found.instance, earlier.instance
    if ours.described != theirs.described:
        return False
    if [part.name for part in earlier.ranking] != [part.name for part in found.ranking]:
        return False
    choice, theirs_ = instance.choice, theirs.decomposition
    fixed = (
        (None if choice.tile == "auto" else choice.tile, theirs_.tile),
        (instance.fixed_kernel_groups, theirs_.kernel_groups),
        (instance.fixed_channel_groups, theirs_.channel_groups),
    )
    return all(wanted is None or wanted == given for wanted, given in fixed)


def _values(strategy: Strategy) -> list[object]:
    return [part.value for part in strategy.ranking]


def _joined(earlier: Strategy, found: Strategy) -> Strategy:
    """Return the earlier steps with what is proved now."""
    ranking = [
        Ranked(name=new.name, value=old.value, lower_bound=new.lower_bound)
        for old, new in zip(earlier.ranking, found.ranking, strict=True)
    ]
    first, *others = ranking
    objective = found.objective
    if objective is not None:
        update = {"value": first.value, "then": tuple(others) or None}
        objective = objective.model_copy(update=update)
    proved = all(part.value == part.lower_bound for part in ranking)
    instance = earlier.instance.model_copy(update={"search": found.instance.search})
    return found.model_copy(
        update={
            "instance": instance,
            "duration": earlier.duration,
            "objective": objective,
            "status": "optimal" if proved else "feasible",
            "steps": earlier.steps,
        }
    )
