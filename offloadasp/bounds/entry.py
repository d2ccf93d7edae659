"""Entries of certificates: which argument is used, for which view, with which parameters.

An entry says nothing else: every number that counts is computed again from it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from offloadasp.base.errors import InputError
from offloadasp.bounds.argument import Argument, JointArgument, Quantity
from offloadasp.bounds.arguments import ARGUMENTS
from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.problem import Problem
from offloadasp.model.semantics import Semantics

A = TypeVar("A", Argument[Any], JointArgument[Any])


@dataclass(frozen=True)
class Use(Generic[A]):
    """An argument with parameters for a view of a problem."""

    argument: A
    view: View
    params: Params

    @property
    def entry(self) -> dict[str, Any]:
        """What a certificate says of it, for JSON."""
        view = self.view.name if self.argument.names_view else {}
        return {"bound": self.argument.name, **view, **self.params.model_dump(mode="json")}


def arguments_for(quantity: Quantity, semantics: Semantics) -> list[Argument[Any]]:
    """Return the arguments for a bound on a quantity that are proved for a semantics."""
    return [
        argument
        for argument in ARGUMENTS
        if isinstance(argument, Argument)
        and argument.quantity == quantity
        and semantics in argument.holds_for
    ]


def joint_arguments_for(semantics: Semantics) -> list[JointArgument[Any]]:
    """Return the arguments for loads and compute actions together, proved for a semantics."""
    return [
        argument
        for argument in ARGUMENTS
        if isinstance(argument, JointArgument) and semantics in argument.holds_for
    ]


def read_use(
    problem: Problem, quantity: Quantity, known: Sequence[A], certificate: Mapping[str, Any]
) -> Use[A]:
    """Read what a certificate says of a quantity.

    Parameters
    ----------
    problem
        What is bounded.
    known
        The arguments that may be named.
    certificate
        From a file, unchecked.

    Raises
    ------
    InputError
        It is malformed; one line: key, what is allowed, the value.
    """
    entry = certificate.get(quantity)
    if not isinstance(entry, Mapping):
        raise InputError(f"certificate.{quantity}: must be a table")
    name = entry.get("bound")
    argument = next((argument for argument in known if argument.name == name), None)
    with below(quantity):
        if argument is None:
            raise InputError(f"bound: {_refusal(name, quantity, known, problem.semantics)}")
        params = argument.params.read(entry)
        view = View.named(problem, entry) if argument.names_view else View(problem, finest=False)
        return Use(argument, view, params)


def _refusal(name: object, quantity: Quantity, known: Sequence[A], semantics: Semantics) -> str:
    """Say why a certificate cannot name this argument."""
    names = [argument.name for argument in ARGUMENTS if argument.quantity == quantity]
    if name in names or not known:
        return f"not proved for the semantics {semantics.name!r}"
    *others, last = [repr(argument.name) for argument in known]
    return f"must be {', '.join(others)} or {last}" if others else f"must be {last}"


@contextmanager
def below(quantity: Quantity) -> Iterator[None]:
    """Begin every message of what is wrong in an entry with where the entry stands."""
    try:
        yield
    except InputError as error:
        raise InputError(f"certificate.{quantity}.{error}") from None


def sentence(quantity: Quantity, entry: Mapping[str, Any]) -> str | None:
    """Return why the bound of an entry holds, in a clause; None if the entry names no argument."""
    for argument in ARGUMENTS:
        if argument.quantity == quantity and argument.name == entry.get("bound"):
            try:
                said: str = argument.sentence(argument.params.read(entry))
            except InputError:
                return None
            return said
    return None
