"""Compute actions, by the operations whose data fit into the memory at once.

Derivation: docs/bounds.md, section 6.
"""

from collections.abc import Iterator

from offloadasp.base.messages import plural
from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.operations import OperationFootprint
from offloadasp.bounds.parameters import Count, Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY


class Group(Params):
    """How many operations a step holds at most.

    Attributes
    ----------
    group
        Their number; one more must not fit into the memory.
    """

    group: Count


def steps_by_memory(footprint: OperationFootprint, memory: int, group: int) -> int:
    """Count steps of at most ``group`` operations, if one more does not fit into the memory.

    Returns 1, which proves nothing, if it may fit.
    """
    operations = footprint.sizes.operations
    if group >= operations or footprint.in_step(group + 1) <= memory:
        return 1
    return -(-operations // group)


def _propose(view: View) -> Iterator[Group]:
    yield Group(group=view.footprint.most_in_step(view.problem.capacity))


def _value(view: View, params: Group) -> int:
    return steps_by_memory(view.footprint, view.problem.capacity, params.group)


def _sentence(params: Group) -> str:
    return f"the memory holds the data of at most {plural(params.group, 'operation')} at once"


ARGUMENT = Argument(
    name="memory",
    quantity=Quantity.STEPS,
    params=Group,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
)
