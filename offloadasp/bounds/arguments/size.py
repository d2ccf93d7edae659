"""Compute actions, by the whole operations of some size that each can do.

Derivation: docs/bounds.md, section 6.
"""

from collections.abc import Iterator

from offloadasp.base.messages import plural
from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.sizes import Sizes
from offloadasp.bounds.parameters import Count, Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY


class Large(Params):
    """Which operations are counted.

    Attributes
    ----------
    least_macs
        Those of at least so many multiply-accumulates.
    """

    least_macs: Count


def steps_by_size(sizes: Sizes, macs_per_step: int, least: int) -> int:
    """Count the operations of at least ``least`` MACs; a step holds a whole number of them."""
    count = sum(count for macs, count in sizes.operation_macs if macs >= least)
    return -(-count // max(1, macs_per_step // least))


def _propose(view: View) -> Iterator[Large]:
    if not view.inner:
        for least, _ in view.sizes.operation_macs:
            yield Large(least_macs=least)


def _value(view: View, large: Large) -> int:
    return steps_by_size(view.sizes, view.problem.accelerator.macs_per_step, large.least_macs)


def _sentence(large: Large) -> str:
    return (
        "a compute action consists of whole operations, and its limit leaves room for a certain "
        f"number of those with at least {plural(large.least_macs, 'multiply-accumulate')}"
    )


ARGUMENT = Argument(
    name="size",
    quantity=Quantity.STEPS,
    params=Large,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
)
