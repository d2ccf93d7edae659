"""Compulsory loads: every input is loaded at least once. Derivation: docs/bounds.md, section 6."""

from collections.abc import Iterator

from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.compulsory import compulsory_loads
from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY


def _propose(view: View) -> Iterator[Params]:
    if not view.inner:
        yield Params()


def _value(view: View, _: Params) -> int:
    return compulsory_loads(view.problem)


def _sentence(_: Params) -> str:
    return "every input and every weight that is needed is loaded at least once"


ARGUMENT = Argument(
    name="compulsory",
    quantity=Quantity.LOADS,
    params=Params,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
    names_view=False,
)
