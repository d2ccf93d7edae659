"""The line bound: every row of outputs meets every column, and few of them fit on the chip.

Derivation: docs/bounds.md, section 8.
"""

from collections.abc import Iterator

from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.compulsory import compulsory_loads
from offloadasp.bounds.geometry.lines import extra_loads
from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY


def _propose(view: View) -> Iterator[Params]:
    if not view.inner:  # runs leave border positions out by themselves
        yield Params()


def _value(view: View, _: Params) -> int:
    problem = view.problem
    extra = extra_loads(problem.layer, problem.capacity, view.sizes, view.tile)
    return compulsory_loads(problem) + extra


def _sentence(_: Params) -> str:
    return (
        "every row of outputs meets every column, and the memory holds the pixels of only some "
        "of them at a time: the others are loaded again"
    )


ARGUMENT = Argument(
    name="lines",
    quantity=Quantity.LOADS,
    params=Params,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
)
