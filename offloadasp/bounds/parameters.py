"""Parameters of arguments, as entries of certificates hold them, and how they are read."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from offloadasp.base.errors import InputError
from offloadasp.base.messages import explain

# What the arrays of the bounds hold; also what the size relaxation proves where no strategy exists.
_MOST = 2**62


class Params(BaseModel):
    """The parameters of an argument. Whatever their values, it proves something true.

    Every field is a key in the certificate's entries for that argument.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Self:
        """Read the parameters from an entry of a certificate; its other keys are ignored.

        Raises
        ------
        InputError
            A value is wrong or missing; one line: key, what is allowed, the value.
        """
        # A missing key counts as None, so that the message says what is allowed.
        try:
            return cls.model_validate({name: entry.get(name) for name in cls.model_fields})
        except ValidationError as error:
            raise InputError(explain(error, cls)) from None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST


def _count(value: object) -> object:
    if not _is_count(value):
        raise PydanticCustomError("count", "must be a positive integer of at most 2^62")
    return value


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise PydanticCustomError("flag", "must be true or false")
    return value


Count = Annotated[int, BeforeValidator(_count)]
"""A positive integer."""

Flag = Annotated[bool, BeforeValidator(_flag)]
"""True or false."""

Pairs = tuple[tuple[int, int], ...]
"""Pairs of positive integers; to be used with `pairs`."""


def pairs(what: str, least: int, most: int) -> BeforeValidator:
    """Return a validator for a list of pairs of positive integers.

    Parameters
    ----------
    what
        The form of a pair, for the message.
    least, most
        Limits of the number of pairs.
    """

    def read(value: object) -> object:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            limits = f"{least} to {most}" if least else f"at most {most}"
            raise PydanticCustomError("list", f"must be a list of {limits} pairs {what}")
        found = [tuple(pair) if isinstance(pair, list | tuple) else () for pair in value]
        if not all(len(pair) == 2 and all(map(_is_count, pair)) for pair in found):
            raise PydanticCustomError("pairs", "must hold pairs of positive integers")
        return tuple(found)

    return BeforeValidator(read)
