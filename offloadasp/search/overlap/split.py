"""A serial plan as an overlapped one of the same transfers: each step split in three.

A serial step frees and writes, then loads, then computes. As three overlapped steps that is valid:
what the first one writes was on chip before it and stays until it ends, no more than the step
before held; the second one holds no more than the compute action, which comes third. No step waits
for less than before, so the duration is the same (or less, where several lanes write and load).
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.instance import Described
from offloadasp.model.plan import TABLES, Plan
from offloadasp.model.problem import Problem, problem_of

D = TypeVar("D", bound=Described)


def serial_of(problem: Problem) -> Problem:
    """Return the problem with all actions of a step one after the other."""
    if not problem.semantics.overlaps:
        return problem
    serial = serial_instance(problem.instance)
    return problem_of(serial, problem.decomposition).within(problem.capacity)


def serial_instance(instance: D) -> D:
    """Return an instance on the same accelerator without overlap."""
    rates = instance.accelerator.model_copy(update={"overlap": "none"})
    return instance.model_copy(update={"accelerator": rates})


def split_in_three(plan: Plan, problem: Problem) -> Plan:
    """Return a serial plan as a plan for a problem with overlap, at the plan's own capacity."""
    part = {"free": 0, "write": 0, "load": 1, "compute": 2}
    return renumbered(
        plan,
        problem,
        {name: 3 * steps_in(plan, name) + part[name.split("_")[0]] for name in TABLES},
    )


def steps_in(plan: Plan, name: str) -> IntArray:
    """Return the step of each row of a table."""
    rows: IntArray = getattr(plan, name)[:, 0]
    return rows


def without_empty_steps(plan: Plan) -> Plan:
    """Return a plan whose steps all do something; the others go, and later ones move up."""
    return renumbered(plan, plan.problem, {name: steps_in(plan, name) for name in TABLES})


def renumbered(plan: Plan, problem: Problem, steps: dict[str, IntArray]) -> Plan:
    """Return the actions of a plan at other times, counted anew from 1 without empty steps.

    Parameters
    ----------
    plan
        Gives the actions.
    problem
        What the result is a plan for.
    steps
        A time for each row of each table; any integers.
    """
    used = np.unique(np.concatenate([steps[name] for name in TABLES]))
    tables = {}
    for name in TABLES:
        rows = getattr(plan, name).copy()
        rows[:, 0] = np.searchsorted(used, steps[name]) + 1
        tables[name] = rows[np.lexsort(rows.T[::-1])]
    return replace(plan, problem=problem, **tables)
