"""Words that the messages of every stage share: counts, shapes, and what may have been meant."""

import difflib
from collections.abc import Iterable, Sequence

# How alike two names must be, from 0 to 1, for one to be taken for the other misspelt.
_ALIKE = 0.5


def plural(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def sizes(shape: Sequence[int | str | None]) -> str:
    """Return a shape, as in ``6 x 14 x 14``; an axis of any size is None."""
    if not shape:
        return "a single number"
    return " x ".join("any" if size is None else str(size) for size in shape)


def nearest(name: str, allowed: Iterable[str], most: int = 1) -> list[str]:
    """Return the allowed names that are so near that one of them may have been meant."""
    return difflib.get_close_matches(name.lower(), allowed, n=most, cutoff=_ALIKE)


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return a question to end a message on an unknown name with; empty if no name is near."""
    near = nearest(name, allowed)
    return f"; did you mean '{near[0]}'?" if near else ""
