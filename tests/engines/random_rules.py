"""Random rules of a user: constraints and prices, drawn from a seed, and plain clingo's answer.

The rules are written from patterns with random numbers and names, so that most of them permit some
strategies and forbid others. As a program, ``python -m tests.engines.random_rules FIRST COUNT``
solves tiny layers under rules of many seeds, and compares what the search says with plain clingo.
"""

import json
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from offloadasp.asp.edit_kinds import DEFINITION
from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import ground
from offloadasp.asp.rules import Rules, rules_in_force
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.model.instance import Accelerator, Choice, Instance, Layer, SearchOptions
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.search import EditedSearch
from offloadasp.search.effort import effort_of

# Steps that plain clingo plans: at least, and at most where a plan has more.
_LEAST, _MOST = 6, 12
# Evaluations and conflicts of a search.
_BUDGET = 20_000
_LAYERS = (
    Layer(input=(1, 2, 3), kernels=1, kernel_shape=(2, 2)),
    Layer(input=(2, 1, 3), kernels=1, kernel_shape=(1, 2)),
    Layer(input=(1, 1, 4), kernels=2, kernel_shape=(1, 2)),
)

_BLOCKS = ("pixel(R, C, Q)", "kernel(N, Q)", "output(I, J, N)")
_ACTIONS = ("load", "free", "write", "on_chip", "compute")
_PRICED = ("load(B, T)", "free(B, T)", "write(B, T)", "on_chip(B, T)", "computing(T)")


def constraint(rng: random.Random) -> str:
    """Return a random constraint."""
    number, block = rng.randint(0, 4), rng.choice(_BLOCKS)
    return rng.choice(
        (
            f":- step(T), T > {rng.randint(0, 2)}, #count {{ B : load(B, T) }} > {number + 1}.",
            f":- load({block}, T), T > {number + 2}.",
            f":- load({block}, T), write(_, T).",
            f":- on_chip({block}, T), T > {number + 4}.",
            f":- computing(T), load({block}, T), T > {rng.randint(1, 3)}.",
            f":- #count {{ T : computing(T) }} < {number}.",
            f":- free({block}, T), computing(T), T > {number}.",
            ":- compute(op(I, J, _, _), T), compute(op(I', J', _, _), T'), I + J < I' + J', T > T'."
            "% A wave.",
            f"busy(T) :- load(_, T). busy(T) :- write(_, T). :- busy(T), T > {number + 4}.",
            f"{{ pin(B) : block(B, _) }} = 1. :- pin(B), free(B, T), T < {number + 2}.",
            f"occupies(B, T, {rng.randint(0, 2)}) :- load(B, T + 1), step(T).",
            f":- not complete(output(0, 0, 0), {number + 1}).",
        )
    )


def price(rng: random.Random) -> str:
    """Return a random statement that changes what is minimised."""
    number, atom = rng.randint(0, 3), rng.choice(_PRICED)
    level = rng.choice(("", "@1", "@-1"))
    term = "T" if atom == "computing(T)" else "B, T"
    return rng.choice(
        (
            f"#minimize {{ {number}{level}, {term} : {atom} }}.",
            f"cost(setup, T, B, {number}) :- moved(_, B, T, _).",
            f":~ {atom}, T > {number}. [1{level}, {term}]",
            f"#minimize {{ X{level} : X = T, computing(T), not computing(T + 1) }}.",
        )
    )


def rules(seed: int) -> str:
    """Return the text of a file of rules."""
    rng = random.Random(seed)
    kind = rng.choice(("constraints", "prices", "both"))
    lines = [constraint(rng) for _ in range(rng.randint(1, 2)) if kind != "prices"]
    lines += [price(rng) for _ in range(rng.randint(1, 2)) if kind != "constraints"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Optimum:
    """What plain clingo finds; None for the costs: nothing.

    Attributes
    ----------
    costs
        By priority.
    """

    costs: dict[int, int] | None


def plain(problem: Problem, under: Rules, steps: int) -> Optimum:
    """Solve the full program with plain clingo, to the end."""
    entry = [DEFINITION, "model/objective/duration.lp"]
    given = facts(problem, steps, exact=True)
    control = ground(under, entry, given, arguments=["--opt-strategy=usc,oll,disjoint"])
    found: list[dict[int, int]] = []
    control.solve(
        on_model=lambda model: found.append(dict(zip(model.priority, model.cost, strict=True)))
    )
    return Optimum(found[-1] if found else None)


def order(costs: dict[int, int]) -> tuple[int, ...]:
    """Return costs in the order in which they are compared."""
    return tuple(costs[priority] for priority in sorted(costs, reverse=True))


# --- The search compared with plain clingo ---


@dataclass(frozen=True)
class Compared:
    """What became of one case.

    Attributes
    ----------
    outcome
        ``equal`` to plain clingo's optimum at as many steps as the plan has, ``worse`` where the
        search did not claim to have the optimum, ``none`` where neither has a strategy, ``longer``
        where the plan has more steps than plain clingo is asked about, or ``wrong``.
    complaint
        What is wrong; empty if nothing is.
    """

    outcome: str
    complaint: str = ""


def tiny(seed: int) -> Instance:
    """Return a layer of at most six operations."""
    layer = _LAYERS[seed % len(_LAYERS)]
    return Instance(
        name="tiny",
        layer=layer,
        accelerator=Accelerator(
            memory=14,
            load_cycles=Fraction(1),
            write_cycles=Fraction(1 + seed % 2),
            compute_cycles=Fraction(seed % 5),
            macs_per_step=4 + 4 * (seed % 2),
        ),
        decomposition=Choice(tile=(1, 1), kernel_groups=1, channel_groups=layer.input[0]),
        search=SearchOptions(threads=1),
    )


def compared(seed: int, folder: Path) -> Compared:
    """Solve a tiny layer under random rules, and compare the answer with plain clingo's.

    Parameters
    ----------
    folder
        Where the file of rules is written.
    """
    text, instance = rules(seed), tiny(seed)
    path = folder / "random.lp"
    path.write_text(text)
    under = rules_in_force(None, [path])
    problem = problem_of(instance, scope(instance))
    search = EditedSearch(instance, under, effort_of(instance.search, _BUDGET))
    try:
        answer = search.run()
    except InfeasibleError:
        found = plain(problem, under, _MOST).costs
        return Compared("none") if found is None else _wrong(seed, f"not infeasible: {found}")
    except NoStrategyError:
        found = plain(problem, under, _LEAST).costs
        return Compared("none") if found is None else _wrong(seed, f"none found: {found}")
    if answer.plan.steps > _MOST:
        return Compared("longer")
    optimum = plain(problem, under, max(_LEAST, answer.plan.steps)).costs
    if optimum is None:
        return _wrong(seed, "a plan that plain clingo does not have")
    return _judged(seed, search, answer, optimum)


def _judged(seed: int, search: EditedSearch, answer: Answer, optimum: dict[int, int]) -> Compared:
    """Compare a plan's costs and bounds with the optimum of plans of as many steps."""
    assert search.best is not None
    assert search.levels is not None
    said = search.best.reading.costs
    costs = {**dict.fromkeys(optimum, 0), **said}
    least = {**dict.fromkeys(costs, 0), **optimum}
    if order(costs) < order(least):
        return _wrong(seed, f"better than the optimum: {costs} and {least}")
    # No bound is above what there is, given that all objectives before it are at their optimum.
    reported = {priority: least[priority] for priority in {0, *said}}
    best = search.levels.claims(answer.plan.problem, reported)
    for claim, other in zip(answer.claims, best, strict=True):
        if claim.lower_bound > other.value:
            return _wrong(seed, f"a bound of {claim.lower_bound} above {other.value}")
        if claim.value != other.value:
            break
    if order(costs) == order(least):
        return Compared("equal")
    if all(claim.proved for claim in answer.claims):
        return _wrong(seed, f"called optimal: {costs}; plain clingo has {least}")
    return Compared("worse")


def _wrong(seed: int, what: str) -> Compared:
    return Compared("wrong", f"seed {seed}: {what}: {rules(seed)!r}")


def main(first: int, count: int) -> None:
    """Print as JSON how many cases came out how, and what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        found = [compared(seed, Path(folder)) for seed in range(first, first + count)]
    outcomes = Counter(one.outcome for one in found)
    complaints = [one.complaint for one in found if one.complaint]
    print(json.dumps({"cases": count, "outcomes": outcomes, "complaints": complaints}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
