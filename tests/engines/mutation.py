"""Breaks valid strategies in every way that a rule forbids, one change at a time.

``python -m tests.engines.mutation LAYER`` judges all mutants of a layer and prints counts as JSON.
"""

import copy
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from offloadasp.asp.rules import Rules, shipped_rules
from offloadasp.bounds import lower_bound
from offloadasp.judge import verdict as full_verdict
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import Layer, Precision
from offloadasp.model.problem import Problem
from offloadasp.model.reference import read
from offloadasp.model.strategy import Strategy
from tests.engines.overlapped import overlapped
from tests.engines.plans import HABITS, fitted, problem, random_plan, strategy_of

Json = dict[str, Any]
# The lists of a step, and how many of an entry's numbers say which group it is in.
LISTS = {
    "free.pixels": 1,
    "free.kernels": 2,
    "write.outputs": 1,
    "write.partial_sums": 1,
    "load.pixels": 1,
    "load.kernels": 2,
    "load.partial_sums": 1,
    "compute": 2,
}
OTHER_LIST = {
    "write.outputs": "write.partial_sums",
    "write.partial_sums": "write.outputs",
    "free.pixels": "load.pixels",
    "load.pixels": "free.pixels",
    "free.kernels": "load.kernels",
    "load.kernels": "free.kernels",
    "load.partial_sums": "write.partial_sums",
}
# What a file states of itself; the rules of steps say nothing of it.
STATED = {"duration", "objective", "bound"}


# --- Layers and valid strategies ---


def layer_of(number: int) -> Problem:
    """Return a small problem of its own kind: groups, strides, pads, dilations, a bias, sizes."""
    draw = random.Random(number)
    group = (1, 1, 1, 2, 2, 3)[number % 6]
    kernel = (draw.randint(1, 3), draw.randint(1, 3))
    dilations = (1 + (number % 5 == 4), 1 + (number % 7 == 6))
    pads = tuple(draw.randint(0, 1) if number % 3 == 1 else 0 for _ in range(4))
    strides = (1 + (number % 4 == 2), 1 + (number % 4 >= 2))
    sides = [
        (draw.randint(2, 3) - 1) * strides[a] + dilations[a] * (kernel[a] - 1) + 1 for a in (0, 1)
    ]
    channels, kernels = group * draw.randint(1, 2), group * draw.randint(1, 2)
    layer = Layer(
        input=(channels, max(1, sides[0] - pads[0]), max(1, sides[1] - pads[1])),
        kernels=kernels,
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=group,
        bias=number % 4 == 1,
    )
    return problem(
        layer,
        kernel_groups=draw.randint(1, kernels),
        channel_groups=channels if number % 2 else draw.randint(1, channels),
        precision=Precision(
            input=draw.randint(1, 2),
            weight=draw.randint(1, 2),
            output=draw.choice([0, 1, 1, 5]),
            partial_sum=draw.choice([1, 4]),
        ),
        load_cycles=draw.choice([Fraction(1), Fraction(3), Fraction(1, 4)]),
        write_cycles=draw.choice([Fraction(1), Fraction(2), Fraction(5, 2)]),
        compute_cycles=Fraction(draw.randint(1, 20)),
        mac_cycles=Fraction(number % 6 == 5, 31),
    )


LAYERS = range(72)
# From this layer on, transfers go on beside the compute action.
_OVERLAPPED = 36


@cache
def valid(number: int) -> tuple[Strategy, ...]:
    """Return strategies of a layer, one a habit, in just the memory and work a step they take."""
    problem = layer_of(number)
    found = []
    for k, habits in enumerate(HABITS.values()):
        plan = random_plan(problem, 1000 * number + k, habits)
        strategy = strategy_of(fitted(problem, plan), plan)
        if number >= _OVERLAPPED:
            strategy = overlapped(strategy, plan, ("dma", "duplex")[number % 2], 1000 * number + k)
        bound = lower_bound(strategy.problem)
        found.append(
            strategy.model_copy(
                update={"lower_bound": bound.value, "certificate": bound.certificate}
            )
        )
    return tuple(found)


# --- Mutants ---


@dataclass(frozen=True)
class Mutant:
    """A strategy changed in one way, of a kind such as ``drop load.pixels``."""

    kind: str
    strategy: Strategy


def entries(step: Json, name: str) -> list[list[int]]:
    """Return the list of a step by its name; changes to it change the step."""
    found: Any = step
    for key in name.split("."):
        found = found[key]
    assert isinstance(found, list)
    return found


Edit = Callable[[Json], None]


def _of_entries(data: Json, draw: random.Random) -> Iterator[tuple[str, Edit]]:
    """Yield changes of one entry of one list of one step."""
    places = [
        (t, name, k)
        for t, step in enumerate(data["steps"])
        for name in LISTS
        for k in range(len(entries(step, name)))
    ]
    for t, name, k in places:
        value = entries(data["steps"][t], name)[k]
        for verb, change in _changes(t, name, k, list(value), len(data["steps"]), draw):
            yield f"{verb} {name}", change


def _changes(
    t: int, name: str, k: int, value: list[int], steps: int, draw: random.Random
) -> Iterator[tuple[str, Edit]]:
    def here(data: Json) -> list[list[int]]:
        return entries(data["steps"][t], name)

    def drop(data: Json) -> None:
        del here(data)[k]

    def put(to: int, other: str, what: list[int]) -> Edit:
        return lambda data: entries(data["steps"][to], other).append(what)

    def both(*edits: Edit) -> Edit:
        def edit(data: Json) -> None:
            for one in edits:
                one(data)

        return edit

    changes = [("drop", drop), ("duplicate", put(t, name, value))]
    others = [s for s in range(steps) if s != t]
    if others:
        changes.append(("repeat", put(draw.choice(others), name, value)))
    moves = {"move": draw.choice(others or [t]), "early": t - 1, "late": t + 1}
    changes += [
        (verb, both(drop, put(to, name, value))) for verb, to in moves.items() if to in others
    ]
    if name in OTHER_LIST:
        changes.append(("rename", both(drop, put(t, OTHER_LIST[name], value))))
    shifted = _shifted(value, LISTS[name], draw)
    changes += [(verb, both(drop, put(t, name, changed))) for verb, changed in shifted]
    yield from changes


def _shifted(value: list[int], keys: int, draw: random.Random) -> Iterator[tuple[str, list[int]]]:
    """Yield an entry with one of its numbers changed by one, and a box moved by one."""
    for at in range(len(value)):
        by = draw.choice([-1, 1]) if value[at] else 1
        yield "shift a bound of", [*value[:at], value[at] + by, *value[at + 1 :]]
    for at in range(keys, len(value), 2):
        by = draw.choice([-1, 1]) if value[at] else 1
        yield "shift", [*value[:at], value[at] + by, value[at + 1] + by, *value[at + 2 :]]


def _of_the_whole(data: Json) -> Iterator[tuple[str, Edit]]:
    """Yield changes of steps, of the accelerator, and of what the file states."""

    def accelerator(key: str) -> Edit:
        return lambda data: data["instance"]["accelerator"].update(
            {key: data["instance"]["accelerator"][key] - 1}
        )

    def swap(t: int) -> Edit:
        return lambda data: data["steps"].__setitem__(
            slice(t, t + 2), data["steps"][t : t + 2][::-1]
        )

    def insert(t: int, step: Json) -> Edit:
        return lambda data: data["steps"].insert(t, copy.deepcopy(step))

    def remove(t: int) -> Edit:
        return lambda data: data["steps"].pop(t) and None

    nothing: Json = {"free": {}, "write": {}, "load": {}, "compute": []}
    for key in ("memory", "macs_per_step"):
        if data["instance"]["accelerator"][key] > 1:
            yield f"one less {key}", accelerator(key)
    steps = data["steps"]
    for t in range(len(steps)):
        yield "drop a step", remove(t)
        yield "repeat a step", insert(t, steps[t])
        yield "an empty step", insert(t, nothing)
        if t + 1 < len(steps):
            yield "swap steps", swap(t)


def _of_statements(strategy: Strategy) -> Iterator[tuple[str, Json]]:
    """Yield false statements of duration, objective and bound, as updates of the file."""
    duration, bound = strategy.duration, strategy.lower_bound
    yield "state a duration", {"duration": duration + 1}
    yield "state a duration", {"duration": duration + Fraction(1, 7)}
    if duration > bound:
        yield "state a duration", {"duration": bound}
    value = {"name": "duration", "value": duration + 1, "lower_bound": bound}
    yield "state an objective", {"objective": value}
    traffic = sum(cost.loaded + cost.written for cost in read(strategy).costs)
    false = {"name": "traffic", "value": traffic + 1}
    yield "state an objective", {"objective": value | false}
    yield "state a bound", {"lower_bound": duration + 1}
    if bound < duration:
        yield "state a bound", {"status": "optimal"}
    if bound > 0:
        yield "state a certificate", {"certificate": {}}
        for key in ("loads", "writes", "steps"):
            yield "state a certificate", {"certificate": {key: strategy.certificate.get(key)}}


def _false_bounds(strategy: Strategy, shortest: Fraction) -> Iterator[tuple[str, Json]]:
    """Yield bounds that a shorter strategy of the same problem disproves, however certified."""
    if shortest < strategy.duration:
        claimed = (shortest + strategy.duration) / 2
        for certificate in _forged(strategy.certificate):
            yield (
                "state a false bound",
                {"lower_bound": claimed, "certificate": certificate},
            )


def _forged(certificate: Any) -> Iterator[Json]:
    """Yield a certificate and copies in which one number is another one."""
    yield certificate
    for path in _numbers(certificate):
        for change in (1, 1000):
            forged = copy.deepcopy(certificate)
            place = forged
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] += change
            yield forged


def _numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        if isinstance(inner, int) and not isinstance(inner, bool):
            yield (*path, key)
        yield from _numbers(inner, (*path, key))


def mutants(number: int, most: int) -> Iterator[Mutant]:
    """Yield mutants of a layer's strategies: of each kind as many as asked for, drawn evenly."""
    draw = random.Random(number)
    for kind, made in _makers(number, draw).items():
        for make in draw.sample(made, min(most, len(made))):
            yield Mutant(kind, make())


def kinds_of(number: int) -> set[str]:
    """Return the kinds of a layer's mutants."""
    return set(_makers(number, random.Random(number)))


def _makers(number: int, draw: random.Random) -> dict[str, list[Callable[[], Strategy]]]:
    """Return what makes the mutants of each kind."""
    found: dict[str, list[Callable[[], Strategy]]] = {}
    strategies = valid(number)
    for strategy in strategies:
        data = strategy.model_dump(mode="json")
        for kind, edit in (*_of_entries(data, draw), *_of_the_whole(data)):
            found.setdefault(kind, []).append(_edited(data, edit))
        false = _false_bounds(strategy, _shortest(strategy, strategies))
        for kind, update in (*_of_statements(strategy), *false):
            found.setdefault(kind, []).append(_stated(strategy, update))
    return found


def _shortest(strategy: Strategy, others: Sequence[Strategy]) -> Fraction:
    """Return the least duration of those that do with the strategy's memory and work a step."""
    limits = strategy.instance.accelerator
    return min(
        other.duration
        for other in others
        if other.instance.accelerator.memory <= limits.memory
        and other.instance.accelerator.macs_per_step <= limits.macs_per_step
    )


def _edited(data: Json, edit: Edit) -> Callable[[], Strategy]:
    def make() -> Strategy:
        changed = copy.deepcopy(data)
        edit(changed)
        return Strategy.model_validate(changed)

    return make


def _stated(strategy: Strategy, update: Json) -> Callable[[], Strategy]:
    def make() -> Strategy:
        return Strategy.model_validate(strategy.model_dump() | update)

    return make


# --- Judgement ---


@dataclass(frozen=True)
class Judgement:
    """What became of a mutant: ``refused``, ``equivalent``, or a complaint if a reading erred."""

    outcome: str
    complaint: str = ""


def judge(mutant: Mutant, rules: Rules) -> Judgement:
    """Have a mutant read three ways, and hold the readings together."""
    if mutant.kind.startswith("state"):
        return _judge_statement(mutant, rules)
    expected = read(mutant.strategy)
    verdict, replay = read_by_rules(mutant.strategy, rules), simulate(mutant.strategy)
    by_step = {
        "check.lp": [(v.step, v.rule) for v in verdict.violations],
        "simulator": [(v.step, v.rule) for v in replay.violations if v.rule not in STATED],
    }
    complaints = []
    for name, found in by_step.items():
        first = min((step for step, _ in found), default=None)
        named = {rule for step, rule in found if step == first}
        if first != expected.step:
            complaints.append(f"{name}: first step {first}, not {expected.step}")
        elif not expected.rules <= named:
            complaints.append(f"{name}: {sorted(named)}, not {sorted(expected.rules)}")
    if expected.step is None:
        durations = {expected.duration, verdict.duration, replay.duration}
        if len(durations) > 1:
            complaints.append(f"durations {durations}")
    if complaints:
        return Judgement("wrong", "; ".join(complaints))
    return Judgement("equivalent" if expected.step is None else "refused")


_EXPECTED = {
    "state a duration": "duration",
    "state an objective": "objective",
    "state a bound": "bound",
    "state a certificate": "bound",
    "state a false bound": "bound",
}


def _judge_statement(mutant: Mutant, rules: Rules) -> Judgement:
    found = full_verdict.judge(mutant.strategy, rules)
    named = {finding.rule for finding in found.findings if finding.step == 0}
    rule = _EXPECTED[mutant.kind]
    if mutant.kind == "state an objective":
        # That of the duration goes under the duration's name.
        named |= {"objective"} if "duration" in named else set()
    if rule not in named:
        # What is left of a certificate may still prove the bound.
        if mutant.kind == "state a certificate" and found.proof.verified and found.accepted:
            return Judgement("equivalent")
        return Judgement("wrong", f"{mutant.kind}: {sorted(named)} named")
    both = {"check.lp", "simulator"}
    if rule == "duration" and not any(
        set(f.readings) >= both for f in found.findings if f.rule == "duration"
    ):
        return Judgement("wrong", "duration: not named by both readings")
    return Judgement("refused")


def main(number: int, most: int) -> None:
    """Judge the mutants of one layer, and print how many there were of each kind and outcome."""
    rules = shipped_rules()
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    complaints = []
    for mutant in mutants(number, most):
        judgement = judge(mutant, rules)
        outcomes[judgement.outcome] += 1
        kinds[mutant.kind] += 1
        if judgement.complaint:
            complaints.append(f"{mutant.kind}: {judgement.complaint}")
    layer = layer_of(number).layer
    print(
        json.dumps(
            {
                "layer": "x".join(map(str, layer.input)),
                "kinds": len(kinds),
                "mutants": sum(kinds.values()),
                **{name: outcomes[name] for name in ("refused", "equivalent", "wrong")},
                "complaints": complaints[:5],
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
