"""What messages share: counts and shapes in words, nearest names, and what is wrong in a file."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

# Loaded where a file is explained: many messages need no pydantic.
if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

# How alike two names must be, from 0 to 1, for one to be taken for the other misspelt.
_ALIKE = 0.5


def plural(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def in_steps(place: str, steps: Sequence[int], most: int = 4) -> str:
    """Return a place and the steps that concern it, as in ``rule.lp:2 in steps 3 and 7``.

    Parameters
    ----------
    most
        Steps that are listed; of others only how many they are.
    """
    listed = [str(step) for step in steps[:most]]
    if len(steps) > most:
        listed.append(f"{len(steps) - most} more")
    words = " and ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))
    return f"{place} in {'step' if len(listed) == 1 else 'steps'} {words}" if words else place


def one_line(text: str) -> str:
    """Return a text with names out of files as one line that leaves a terminal alone."""
    joined = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip()
    return "".join(c if c.isprintable() else "?" for c in joined)


def sizes(shape: Sequence[int | str | None]) -> str:
    """Return a shape, as in ``6 x 14 x 14``; an axis of any size is None."""
    if not shape:
        return "a single number"
    return " x ".join("any" if size is None else str(size) for size in shape)


def nearest(name: str, allowed: Iterable[str], most: int = 1) -> list[str]:
    """Return the allowed names that are close to a misspelt one."""
    return difflib.get_close_matches(name.lower(), allowed, n=most, cutoff=_ALIKE)


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: ``; did you mean …?``, or nothing."""
    near = nearest(name, allowed)
    return f"; did you mean '{near[0]}'?" if near else ""


# With unions pydantic reports every branch; the branch tags are no keys of the file.
_TAGS = {"tuple", "literal", "int", "str", "constrained"}


def explain(error: "ValidationError", model: "type[BaseModel]") -> str:
    """Return the first finding of a validation as one line: key, what is wrong, the value.

    Parameters
    ----------
    model
        What was validated; of an unknown key it tells the nearest one that is allowed.
    """
    # A misspelt key is unknown and leaves another one missing: the unknown one says more.
    found = error.errors()
    first = next((entry for entry in found if entry["type"] == "extra_forbidden"), found[0])
    location, kind = first["loc"], first["type"]
    keys = [
        str(part)
        for part in location
        if isinstance(part, int) or (re.fullmatch(r"[a-z_]+", part) and part not in _TAGS)
    ]
    if kind == "extra_forbidden":
        name = _short(str(location[-1])).strip('"')
        where = ".".join([*keys[:-1], name] if keys[-1:] == [name] else [*keys, name])
        return f"{where}: unknown key{_instead(name, _keys_at(model, location[:-1]))}"
    where = ".".join(keys)
    if kind == "missing":
        if isinstance(location[-1], int):
            where, number = ".".join(keys[:-1]), location[-1] + 1
            return f"{where}: the list is too short: value {number} is missing"
        return f"{where}: is missing"
    message = _plainly(first["msg"], first.get("ctx", {}))
    value = first["input"]
    shown = f", not {_short(value)}" if isinstance(value, int | float | str | Decimal) else ""
    return f"{where}: {message}{shown}" if where else message


def _instead(name: str, allowed: Sequence[str]) -> str:
    return did_you_mean(name, allowed) or f"; allowed are {', '.join(allowed)}"


def _keys_at(model: "type[BaseModel]", location: Sequence[int | str]) -> list[str]:
    """Return the keys of the table to which a location in a model's data leads."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_models(field.annotation), model)
    return list(model.model_fields)


def _models(annotation: Any) -> "Iterator[type[BaseModel]]":
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _plainly(message: str, context: dict[str, Any]) -> str:
    """Return a message of pydantic with the words of TOML and JSON in the place of Python's."""
    for limit, words in (("max_length", "at most"), ("min_length", "at least")):
        if limit in context and "actual_length" in context:
            most = plural(context[limit], "value")
            return f"must be a list of {words} {most}, not of {context['actual_length']}"
    words = re.sub(r"\s+", " ", message).replace("a valid tuple", "a list")
    return words.replace("Input should be", "must be")


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
