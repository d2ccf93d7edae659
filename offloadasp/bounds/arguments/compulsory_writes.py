"""Compulsory writes: every output is written once. Derivation: docs/bounds.md, section 6."""

from collections.abc import Iterator

from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.compulsory import compulsory_writes
from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY


def _propose(view: View) -> Iterator[Params]:
    if not view.inner:
        yield Params()


def _value(view: View, _: Params) -> int:
    return compulsory_writes(view.problem)


def _sentence(_: Params) -> str:
    return "every output is written once"


ARGUMENT = Argument(
    name="compulsory",
    quantity=Quantity.WRITES,
    params=Params,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
    names_view=False,
)
