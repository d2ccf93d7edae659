"""Optimal plans of tiny problems straight from rules, without anything between."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import clingo

from offloadasp.asp.facts import facts
from offloadasp.model.plan import TABLES, Plan, plan_from_rows
from offloadasp.model.problem import Problem


@dataclass(frozen=True)
class Optimum:
    """A plan of least cost, in units of the rules; costs of the highest priority first."""

    costs: tuple[int, ...]
    plan: Plan

    @property
    def cost(self) -> int:
        """The sum over all priorities."""
        return sum(self.costs)


def operations(problem: Problem) -> int:
    """How many operations a problem has."""
    rows, columns = problem.tile_grid
    return rows * columns * problem.exists.count


def solve(
    folder: Path,
    files: Sequence[str],
    problem: Problem,
    steps: int,
    more: str = "",
    arguments: Sequence[str] = (),
) -> Optimum | None:
    """Return an optimal plan under the rules of files and of a text, or None if none exists."""
    control = clingo.Control(["--warn=none", *arguments])
    for name in files:
        control.load(str(folder / name))
    control.add("base", [], facts(problem, steps) + more)
    control.ground([("base", [])])
    best: Optimum | None = None

    def note(model: clingo.Model) -> None:
        nonlocal best
        best = Optimum(tuple(model.cost), plan_of_model(problem, model.symbols(atoms=True)))

    control.solve(on_model=note)
    return best


def plan_of_model(problem: Problem, atoms: Sequence[clingo.Symbol]) -> Plan:
    """Read the actions of a model. What is written counts as complete if it was computed fully."""
    found: dict[str, list[tuple[int, ...]]] = {name: [] for name in TABLES}
    actions = [
        (atom.name, atom.arguments[0].name, numbers(atom.arguments[0]), atom.arguments[1].number)
        for atom in atoms
        if atom.name in ("compute", "load", "free", "write")
    ]
    height, width = problem.decomposition.tile
    for action, _, block, t in actions:
        if action == "compute":
            i, j, n, q = block
            found["compute"] += [
                (t, n, q, row, column)
                for row in range(i * height, min((i + 1) * height, problem.out_height))
                for column in range(j * width, min((j + 1) * width, problem.out_width))
            ]
    for action, kind, block, t in actions:
        if kind == "pixel":
            r, c, q = block
            found[f"{action}_pixels"].append((t, q, r, c))
        elif kind == "kernel":
            found[f"{action}_kernels"].append((t, *block))
        elif kind == "output":
            i, j, n = block
            before = {
                q
                for at, m, q, *position in found["compute"]
                if (m, *position) == (n, i, j) and at < t
            }
            complete = action == "write" and len(before) == problem.exists.depth[n]
            name = "write_outputs" if complete else f"{action}_partial_sums"
            found[name].append((t, n, i, j))
    return plan_from_rows(problem, found)


def numbers(block: clingo.Symbol) -> tuple[int, ...]:
    return tuple(argument.number for argument in block.arguments)
