"""A process that solves a flat instance by CP-SAT on the plain model; prints JSON.

Patches are assigned to the least number of steps; a pixel is on chip in a step if a patch of the
step needs it, or may stay; it is loaded in a step in which it is on chip and was not in the step
before. How often a used pixel is loaded is a number of its own, at least 1: so CP-SAT's bound
begins with the used pixels, while it begins, and for long stays, at 0 if that is left to follow.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from ortools.sat.python import cp_model

from offloadasp.model.instance import Instance, load_instance
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.construct.decompose import scope


def main() -> None:
    """Solve the instance file that the command line names: path, seconds, threads, seed."""
    path, time_limit, threads, seed = sys.argv[1:]
    instance = load_instance(Path(path))
    started = time.monotonic()
    model = flat_model(instance)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = float(time_limit)
    solver.parameters.num_workers = int(threads)
    solver.parameters.random_seed = int(seed)
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    print(
        json.dumps(
            {
                "found": round(solver.objective_value) if found else None,
                "proven": max(0, round(solver.best_objective_bound)),
                "status": solver.status_name(status).lower(),
                "seconds": time.monotonic() - started,
            }
        )
    )


def flat_model(instance: Instance) -> cp_model.CpModel:
    """Return the model of an instance with one channel and one kernel; the objective is its loads.

    The instance gives pixels of one byte, outputs of none, and one kernel group and channel group.
    """
    problem = problem_of(instance, scope(instance))
    patches = patches_of(problem)
    chip = instance.accelerator
    taps = instance.layer.kernel_shape[0] * instance.layer.kernel_shape[1]
    group, room = chip.macs_per_step // taps, chip.memory - problem.kernel_total
    steps = range(-(-len(patches) // group))
    pixels = sorted(set().union(*patches))

    model = cp_model.CpModel()
    new = model.new_bool_var
    computed = [[new(f"compute_{p}_{s}") for s in steps] for p in range(len(patches))]
    on_chip = {x: [new(f"on_{x}_{s}") for s in steps] for x in pixels}
    load = {x: [new(f"load_{x}_{s}") for s in steps] for x in pixels}
    for row in computed:
        model.add_exactly_one(row)
    for s in steps:
        model.add(sum(row[s] for row in computed) <= group)
        model.add(sum(on_chip[x][s] for x in pixels) <= room)
    for patch, row in zip(patches, computed, strict=True):
        for x in patch:
            for s in steps:
                model.add_implication(row[s], on_chip[x][s])
    loads = {x: model.new_int_var(1, len(steps), f"loads_{x}") for x in pixels}
    for x in pixels:
        model.add(loads[x] == sum(load[x]))
        for s in steps:
            before: list[Any] = [on_chip[x][s - 1]] if s else []
            model.add_bool_or([~on_chip[x][s], load[x][s], *before])
    model.minimize(sum(loads.values()))
    return model


def patches_of(problem: Problem) -> list[frozenset[tuple[int, int]]]:
    """Return the pixels that each output position uses, as (row, column)."""
    rows, columns = (reads.listed().tolist() for reads in problem.reads)
    return [
        frozenset((r, c) for r in rows[i] if r >= 0 for c in columns[j] if c >= 0)
        for i in range(problem.out_height)
        for j in range(problem.out_width)
    ]


if __name__ == "__main__":
    main()
