"""Random rules of a user: constraints and prices, drawn from a seed, and plain clingo's answer.

The rules are written from patterns with random numbers and names, so that most of them permit some
strategies and forbid others.
"""

import random
from dataclasses import dataclass

from offloadasp.asp.facts import facts
from offloadasp.asp.kinds import DEFINITION
from offloadasp.asp.rules import Rules, ground
from offloadasp.model.problem import Problem

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
