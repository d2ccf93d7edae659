"""A strategy read by a user's rules: whether it obeys them and costs what its file says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offloadasp.asp.edit_kinds import Kind
from offloadasp.asp.grounding import require_sound
from offloadasp.asp.levels import name_at, unit_at, value_at
from offloadasp.asp.overlay import Overlay, Reading
from offloadasp.asp.priced import priced
from offloadasp.asp.rules import Rules
from offloadasp.asp.stable_models import permitted
from offloadasp.base.errors import InputError
from offloadasp.bounds.edited import prices_in
from offloadasp.limits.clock import Clock
from offloadasp.model.objectives import DURATION, EDITED, OBJECTIVES
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy, plan_of

_REDEFINITION = "the edited rules as a whole"


@dataclass(frozen=True)
class UsersReading:
    """What a user's rules say of a strategy.

    Attributes
    ----------
    obeyed
        Whether the strategy obeys the rules at hand; None where there are none, or where the
        rules redefine a step in a way that cannot be read back.
    broken
        The rules that it breaks: file and line, and a step, or 0 where the rule names none.
    contradicted
        Objectives of which the file states another value than the rules.
    unproved
        Objectives whose bound does not hold under the rules at hand.
    unchecked
        Files that the strategy was found under and that are not at hand, or are not the same.
    """

    obeyed: bool | None = None
    broken: tuple[tuple[str, int], ...] = ()
    contradicted: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def read_by_users_rules(strategy: Strategy, rules: Rules) -> UsersReading:
    """Read a strategy by the rules at hand that are not the shipped ones.

    Raises
    ------
    InputError
        A file of rules is wrong.
    """
    there = rules.files
    recorded = () if strategy.rules is None else strategy.rules.files
    unchecked = tuple(one.name for one in recorded if there.get(one.name) != one.sha256)
    if not rules.edited:
        return UsersReading(unchecked=unchecked)
    names = _names(strategy)
    require_sound(rules, names)
    plan = plan_of(strategy)
    if rules.kind == Kind.REDEFINITION:
        found = permitted(rules, names, plan)
        broken = ((_REDEFINITION, 0),) if found is False else ()
        return UsersReading(found, broken, unchecked=unchecked)
    overlay = Overlay(rules.edit, names, strategy.problem.semantics.overlaps)
    reading = overlay.read(plan, Clock(), strategy.instance.search.seed)
    if reading is None:
        return UsersReading(False, ((_REDEFINITION, 0),), unchecked=unchecked)
    false = tuple(_contradicted(strategy, names, reading)) if reading.obeys else ()
    unproved = tuple(_unproved(strategy, rules, names, reading))
    return UsersReading(reading.obeys, tuple(_broken(reading)), false, unproved, unchecked)


def _names(strategy: Strategy) -> tuple[str, ...]:
    """Return the objectives that the strategy was found for, those that its rules edited too."""
    entries = _entries(strategy)
    names: list[str] = []
    for part, entry in zip(strategy.ranking, entries, strict=True):
        unchanged = entry.get("unchanged")
        known = unchanged.get("objective") if isinstance(unchanged, Mapping) else None
        name = part.name if part.name in OBJECTIVES else known
        if isinstance(name, str) and name in OBJECTIVES and name not in names:
            names.append(name)
    return tuple(names) or (DURATION,)


def _entries(strategy: Strategy) -> list[Mapping[str, Any]]:
    further = strategy.certificate.get("then")
    entries = [strategy.certificate, *(further if isinstance(further, list) else [])]
    whole = [entry if isinstance(entry, Mapping) else {} for entry in entries]
    return [*whole, *({} for _ in strategy.ranking)][: len(strategy.ranking)]


def _broken(reading: Reading) -> Iterator[tuple[str, int]]:
    for one in reading.broken:
        yield from ((one.place, step) for step in one.steps or (0,))


def _levels(names: tuple[str, ...], reading: Reading) -> list[int]:
    """Return the priorities of what is minimised, the highest one first."""
    return sorted({-k for k in range(len(names))} | set(reading.costs), reverse=True)


def _contradicted(strategy: Strategy, names: tuple[str, ...], reading: Reading) -> Iterator[str]:
    """Yield the objectives of which the file states another value than the rules."""
    costs = dict.fromkeys(levels := _levels(names, reading), 0) | reading.costs
    if len(levels) != len(strategy.ranking):
        yield strategy.ranking[0].name
        return
    for part, priority in zip(strategy.ranking, levels, strict=True):
        if part.value != value_at(strategy.problem, names, priority, costs[priority]):
            yield part.name


def _unproved(
    strategy: Strategy, rules: Rules, names: tuple[str, ...], reading: Reading
) -> Iterator[str]:
    """Yield edited objectives with bounds above 0 that rest on what the rules do not say."""
    chosen = {name: -k for k, name in enumerate(names)}
    entries = _entries(strategy)
    for part, entry, priority in zip(
        strategy.ranking, entries, _levels(names, reading), strict=False
    ):
        rests = {"unchanged", "priced"} & set(entry)
        if part.name == EDITED and rests and part.lower_bound > 0:
            name = name_at(names, priority)
            pays = rules.edit.pays(name, priority, chosen)
            if pays or not _said_by(rules, strategy.problem, names, priority, entry):
                yield part.name


def _said_by(
    rules: Rules, problem: Problem, names: tuple[str, ...], priority: int, entry: Mapping[str, Any]
) -> bool:
    """Whether rules leave the terms as they were that an entry names, and put its prices."""
    name, chosen = name_at(names, priority), {name: -k for k, name in enumerate(names)}
    said = entry.get("unchanged")
    if isinstance(said, Mapping):
        left = (rules.edit.kept(name) if name else None) or frozenset()
        prices = said.get("prices")
        if said.get("objective") != name or not isinstance(prices, list):
            return False
        if not left >= set(map(str, prices)):
            return False
    try:
        stated = prices_in(entry)
    except InputError:
        return False
    there = priced(rules.edit, name, priority, chosen)
    unit = unit_at(problem, names, priority)
    return all(price <= unit * there.get(kind, 0) for kind, price in stated.items())
