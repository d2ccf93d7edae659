"""The shipped rules, told apart from edited ones by statements that the package carries.

``shipped.json`` holds of each file in ``encodings/``, examples apart, a digest of its text and its
parsed statements, with variables named by the order in which they occur. A file is as shipped if
either is the same: comments, layout, the order of statements and the names of variables are free.
The folder that happens to be installed is compared like any other.

    python -m offloadasp.asp.shipped

writes ``shipped.json`` anew, after an encoding was changed on purpose.
"""

import hashlib
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TypedDict

from offloadasp.asp.statements import canonical
from offloadasp.asp.vetting.sources import Source, read_source
from offloadasp.base.files import read_text
from offloadasp.base.resources import encodings_folder

_RECORDS = Path(__file__).with_name("shipped.json")


class Recorded(TypedDict):
    """What the package knows of a file of rules.

    Attributes
    ----------
    text
        A digest of its text.
    included
        The names of the files that it includes.
    statements
        Its statements, each with its line.
    """

    text: str
    included: list[str]
    statements: list[tuple[int, str]]


def shipped_names() -> list[str]:
    """Return the names of the shipped files, from ``encodings/`` on."""
    return list(records())


def is_shipped(name: str, path: Path) -> bool:
    """Whether a file holds the statements of the shipped file of a name.

    Raises
    ------
    InputError
        It cannot be read.
    """
    recorded = records().get(name)
    if recorded is None:
        return False
    if as_recorded(name, read_text(path)):
        return True
    source = read_source(path)
    # clingo may not be shown other characters than those of ASCII outside comments and strings.
    if not source.code.isascii():
        return False
    try:
        found = _record(source)
    except RuntimeError:  # it is no program
        return False
    same = sorted(found["included"]) == sorted(recorded["included"])
    return same and _texts(found) == _texts(recorded)


def as_recorded(name: str, text: str) -> bool:
    """Whether a text is that of the shipped file of a name, byte for byte."""
    recorded = records().get(name)
    return recorded is not None and recorded["text"] == digest(text)


def records() -> dict[str, Recorded]:
    """Return what the package knows of each shipped file, by its name from ``encodings/`` on."""
    return _read()


@cache
def shipped_source(name: str) -> Source:
    """Return a shipped file as it was when the package was made, comments and layout apart."""
    recorded = records()[name]
    text = "\n".join(statement for _, statement in recorded["statements"])
    return Source(encodings_folder() / name, f"{text}\n", tuple(recorded["included"]))


def recorded_in(folder: Path) -> dict[str, Recorded]:
    """Return what to record of the files of rules in a folder, by name; examples are left out."""
    return {
        path.relative_to(folder).as_posix(): _record(read_source(path), read_text(path))
        for path in sorted(folder.rglob("*.lp"))
        if path.relative_to(folder).parts[0] != "examples"
    }


@cache
def _read() -> dict[str, Recorded]:
    known: dict[str, Recorded] = json.loads(_RECORDS.read_text(encoding="utf-8"))
    return known


def _record(source: Source, text: str = "") -> Recorded:
    statements: list[tuple[int, str]] = []
    source.parse(lambda node: statements.append((node.location.begin.line, canonical(node))))
    return {"text": digest(text), "included": list(source.included), "statements": statements}


def _texts(recorded: Recorded) -> Counter[str]:
    return Counter(statement for _, statement in recorded["statements"])


def digest(text: str) -> str:
    """Return a SHA-256 digest."""
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    _RECORDS.write_text(
        json.dumps(recorded_in(encodings_folder()), indent=1) + "\n", encoding="utf-8"
    )
