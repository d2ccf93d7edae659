"""Bounds of an objective that a user's rules change: shipped terms that are left, prices added.

An entry of a certificate says which ones. Its table ``unchanged`` names the objective and the
prices that are as shipped; its table ``priced`` names what else every strategy pays for.
Derivation: docs/bounds.md, section 11.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from offloadasp.base.errors import InputError
from offloadasp.bounds.lower_bound import verify_certificate
from offloadasp.model.objectives import FREE, OBJECTIVES, Prices, is_linear, prices_of
from offloadasp.model.problem import Problem

_RATES = ("load", "write", "compute")


def numbers_of(problem: Problem) -> dict[str, int]:
    """Return how many blocks and operations there are, by kind.

    A coarser decomposition has no more of any kind.
    """
    rows, columns = problem.tile_grid
    return {
        "pixels": problem.pixels * len(problem.channel_sizes),
        "kernels": problem.exists.count,
        "outputs": problem.positions * len(problem.kernel_sizes),
        "operations": rows * columns * problem.exists.count,
    }


def edited_prices(problem: Problem, entry: Mapping[str, Any]) -> Prices:
    """Return the prices of bytes and compute actions that an entry speaks of.

    Raises
    ------
    InputError
        It is malformed.
    """
    added = prices_in(entry)
    rates = Prices(*(added.get(rate, Fraction(0)) for rate in _RATES))
    return rates.plus(Fraction(1), _unchanged(problem, entry))


def verify_edited(problem: Problem, coarsest: Problem, entry: Mapping[str, Any]) -> Fraction:
    """Compute the lower bound that an entry of a certificate proves of an edited objective.

    That the rules leave these terms as they were, put these prices, and add nothing below 0, is for
    who reads the rules.

    Parameters
    ----------
    problem
        In the finest decomposition for which the bound is to hold, and
    coarsest
        in the coarsest one.

    Raises
    ------
    InputError
        It is malformed, or proves nothing.
    """
    if not {"unchanged", "priced"} & set(entry):
        raise InputError("certificate: says nothing of an objective that rules edit")
    at = problem.at(edited_prices(problem, entry))
    return blocks_paid(coarsest, entry) + verify_certificate(at, entry)


def blocks_paid(coarsest: Problem, entry: Mapping[str, Any]) -> Fraction:
    """Return what an entry's prices of blocks and operations add up to, for the fewest of them."""
    numbers = numbers_of(coarsest)
    paid = (price * numbers.get(kind, 0) for kind, price in prices_in(entry).items())
    return sum(paid, Fraction(0))


def _unchanged(problem: Problem, entry: Mapping[str, Any]) -> Prices:
    said = entry.get("unchanged")
    if said is None:
        return FREE
    name = said.get("objective") if isinstance(said, Mapping) else None
    kept = said.get("prices") if isinstance(said, Mapping) else None
    if not isinstance(name, str) or not is_linear(name) or not isinstance(kept, list):
        raise InputError("certificate.unchanged: must name an objective and its prices")
    if not OBJECTIVES[name].defined(problem.instance):
        raise InputError(f"certificate.unchanged: {name} is not defined for the instance")
    return prices_of(name, problem.instance).only(frozenset(map(str, kept)))


def prices_in(entry: Mapping[str, Any]) -> dict[str, Fraction]:
    """Return the prices that an entry says every strategy pays, by what they are paid for.

    Raises
    ------
    InputError
        It is malformed.
    """
    said = entry.get("priced", {})
    kinds = {*_RATES, "pixels", "kernels", "outputs", "operations"}
    if not isinstance(said, Mapping) or not set(said) <= kinds:
        raise InputError(f"certificate.priced: must be a table of {', '.join(sorted(kinds))}")
    return {kind: read_price(f"priced.{kind}", price) for kind, price in said.items()}


def read_price(key: str, given: object) -> Fraction:
    """Read an exact number of at least 0 from an entry.

    Raises
    ------
    InputError
        It is none.
    """
    if isinstance(given, bool) or not re.fullmatch(r"[0-9]{1,30}(/[1-9][0-9]{0,29})?", str(given)):
        raise InputError(f"certificate.{key}: must be a number of at least 0, such as 16 or '1/2'")
    return Fraction(str(given))
