"""A serial plan as an overlapped one of the same transfers: each step split in three.

A serial step frees and writes, then loads, then computes. As three overlapped steps that is valid:
what the first one writes was on chip before it and stays until it ends, no more than the step
before held; the second one holds no more than the compute action, which comes third. No step waits
for less than before, so the duration is the same (or less, where several lanes write and load).
"""

from typing import TypeVar

from offloadasp.model.instance import Described
from offloadasp.model.plan import TABLES, Plan, renumbered, steps_in
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
