"""A better strategy in a file is not lost to a worse one: the file's takes the place of the new.

So is that of a file of the same problem with less memory: it fits into more.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from offloadasp.asp.rules import Rules
from offloadasp.base.errors import InputError
from offloadasp.judge.verdict import Readings, read
from offloadasp.model.instance import Instance, Layer, ResolvedInstance
from offloadasp.model.objectives import DURATION
from offloadasp.model.strategy import Ranked, Strategy, load, save

_SUFFIX = ".strategy.json"
# Characters of a file in which its layer is named.
_HEAD = 4096


@dataclass(frozen=True)
class Kept:
    """An earlier file of a strategy under the shipped rules, which was kept under another name.

    Attributes
    ----------
    path
        Where it is now.
    duration
        Cycles that it states.
    """

    path: Path
    duration: Fraction


def better(path: Path, found: Strategy, instance: Instance, rules: Rules) -> Readings | None:
    """Return the best strategy of the earlier files that is of the same problem, valid, and better.

    The same problem with no more memory, under any name, counts as well. The strategy comes with
    the bounds of the new one, which hold for it as well: they speak of everything that the
    instance leaves open. Both readings of it come along, as the file may hold anything: only what
    they say counts.

    Parameters
    ----------
    path
        Where the new one would be written. The files of strategies in its folder are read.
    found
        What would be written.
    """
    earlier = [
        strategy
        for strategy in _of_the_layer(path, instance)
        if _comparable(strategy, found, instance) and _values(strategy) < _values(found)
    ]
    for strategy in sorted(earlier, key=_values):
        kept = read(_joined(strategy, found), rules, instance.search.seed)
        if _valid(kept):
            return kept
    return None


def keep(path: Path, found: Strategy) -> Kept | None:
    """Keep what an earlier file holds under another name, before another takes its place.

    A file of a strategy under the shipped rules is kept, where one of the same layer under edited
    rules is to be written, unless a file is there already that holds one at least as good. Each
    choice of objectives has a name of its own.

    Parameters
    ----------
    path
        Where the new one will be written.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    if found.rules is None or not path.is_file():
        return None
    earlier = _under_the_shipped_rules(path, found.instance.layer)
    if earlier is None:
        return None
    aside = path.with_name(path.name.removesuffix(_SUFFIX) + _aside(earlier) + _SUFFIX)
    other = _under_the_shipped_rules(aside, found.instance.layer)
    if (
        other is not None
        and _names(other) == _names(earlier)
        and _values(other) <= _values(earlier)
    ):
        return Kept(aside, other.duration)
    save(earlier, aside)
    return Kept(aside, earlier.duration)


def _aside(strategy: Strategy) -> str:
    """Return what is added to the name of a file that is kept."""
    names = _names(strategy)
    return ".earlier" if names == [DURATION] else f".earlier.{'-'.join(names)}"


def _under_the_shipped_rules(path: Path, layer: Layer) -> Strategy | None:
    try:
        strategy = load(path)
    except (InputError, OSError, ValueError):
        return None
    return strategy if strategy.rules is None and strategy.instance.layer == layer else None


def _of_the_layer(path: Path, instance: Instance) -> Iterator[Strategy]:
    """Yield the strategies of the files in a folder that are of the same layer."""
    for file in sorted({path, *path.parent.glob(f"*{_SUFFIX}")}):
        try:
            # Most files are of other layers: what they say of theirs comes first.
            if _layer(file) == instance.layer:
                yield load(file)
        except (InputError, OSError, ValueError):
            continue


def _layer(path: Path) -> Layer | None:
    """Return the layer that a file of a strategy names, without reading its steps."""
    with path.open(encoding="utf-8") as file:
        head = file.read(_HEAD)
    begin = head.find('"layer":')
    if begin < 0:
        return None
    given, _ = json.JSONDecoder().raw_decode(head, head.index("{", begin))
    try:
        return Layer.model_validate(given)
    except ValidationError:
        return None


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
    if theirs.accelerator.memory > ours.accelerator.memory:
        return False
    if _apart_from_memory(ours) != _apart_from_memory(theirs):
        return False
    if _names(earlier) != _names(found):
        return False
    choice, theirs_ = instance.choice, theirs.decomposition
    fixed = (
        (None if choice.tile == "auto" else choice.tile, theirs_.tile),
        (instance.fixed_kernel_groups, theirs_.kernel_groups),
        (instance.fixed_channel_groups, theirs_.channel_groups),
    )
    return all(wanted is None or wanted == given for wanted, given in fixed)


def _apart_from_memory(instance: ResolvedInstance) -> dict[str, Any]:
    accelerator = instance.accelerator.model_copy(update={"memory": 1})
    return {**instance.described, "name": "", "accelerator": accelerator}


def _names(strategy: Strategy) -> list[str]:
    return [part.name for part in strategy.ranking]


def _values(strategy: Strategy) -> list[Fraction]:
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
    decomposition = earlier.instance.decomposition
    instance = found.instance.model_copy(update={"decomposition": decomposition})
    return found.model_copy(
        update={
            "instance": instance,
            "duration": earlier.duration,
            "objective": objective,
            "status": "optimal" if proved else "feasible",
            "steps": earlier.steps,
        }
    )
