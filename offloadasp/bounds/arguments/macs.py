"""Compute actions, by the multiply-accumulates that each can do.

Derivation: docs/bounds.md, section 6.
"""

from collections.abc import Iterator

from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.sizes import Sizes
from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY


def steps_by_macs(sizes: Sizes, macs_per_step: int) -> int:
    """Divide all multiply-accumulates among steps that do at most ``macs_per_step``."""
    total = sum(macs * count for macs, count in sizes.operation_macs)
    return -(-total // macs_per_step)


def _propose(view: View) -> Iterator[Params]:
    if not view.inner:
        yield Params()


def _value(view: View, _: Params) -> int:
    return steps_by_macs(view.sizes, view.problem.accelerator.macs_per_step)


def _sentence(_: Params) -> str:
    return (
        "the layer's multiply-accumulates are divided among compute actions, each of which does "
        "a limited number of them"
    )


ARGUMENT = Argument(
    name="macs",
    quantity=Quantity.STEPS,
    params=Params,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
)
