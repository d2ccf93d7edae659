"""Parts of messages that all stages share: counts, shapes, and suggestions for misspelt names."""

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
    """Return the allowed names that are close to a misspelt one."""
    return difflib.get_close_matches(name.lower(), allowed, n=most, cutoff=_ALIKE)


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: ``; did you mean …?``, or nothing."""
    near = nearest(name, allowed)
    return f"; did you mean '{near[0]}'?" if near else ""
