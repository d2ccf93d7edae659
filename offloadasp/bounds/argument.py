"""What an argument is: it proves a lower bound on a part of what every strategy costs.

An argument is one file in ``arguments/``: its parameters, the values of them worth trying, the
value that it proves, its sentence for readers, and the semantics of a step for which it is proved.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Generic, TypeVar

from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import Semantics

P = TypeVar("P", bound=Params)


class Quantity(StrEnum):
    """What a bound is on; a key of certificates."""

    LOADS = "loads"  # bytes loaded
    WRITES = "writes"  # bytes written
    STEPS = "steps"  # compute actions
    TOGETHER = "together"  # cost of loads, of compute actions, and of waits for transfers


@dataclass(frozen=True)
class Floor:
    """What is proved of any strategy, before loads and compute actions are bounded together.

    Attributes
    ----------
    loads
        Least bytes loaded.
    steps
        Least number of compute actions.
    writes
        Least bytes written.
    """

    loads: int
    steps: int
    writes: int


@dataclass(frozen=True, kw_only=True)
class _Stated(Generic[P]):
    """What every argument states.

    Attributes
    ----------
    name
        As in certificates.
    params
        The class of its parameters.
    sentence
        Says in a clause, of an argument with these parameters, why the bound holds.
    holds_for
        The semantics of a step for which it is proved. For any other one it is never used.
    names_view
        Whether the value depends on the view, so that a certificate has to say which one it is.
    """

    name: str
    params: type[P]
    sentence: Callable[[P], str]
    holds_for: frozenset[Semantics]
    names_view: bool = True


@dataclass(frozen=True, kw_only=True)
class Argument(_Stated[P]):
    """An argument for a bound on loads, on writes, or on compute actions.

    Attributes
    ----------
    quantity
        What is bounded; not ``together``.
    propose
        Yields parameters worth trying for a view; none where the argument is of no use.
    value
        Returns what the parameters prove for a view: bytes, or a number of compute actions. Raises
        `InputError` with one line that begins with a key where the parameters do not fit the view.
    """

    quantity: Quantity
    propose: Callable[[View], Iterator[P]]
    value: Callable[[View, P], int]


@dataclass(frozen=True, kw_only=True)
class JointArgument(_Stated[P]):
    """An argument for a bound on loads, compute actions and waits together.

    Attributes
    ----------
    propose, value
        As those of `Argument`, given the bounds on each quantity apart. The value is a cost of
        loads, compute actions and waits for transfers at the prices of the view's problem; 0 where
        nothing is proved.
    """

    propose: Callable[[View, Floor], Iterator[P]]
    value: Callable[[View, P, Floor], Fraction]

    @property
    def quantity(self) -> Quantity:
        """What is bounded."""
        return Quantity.TOGETHER
