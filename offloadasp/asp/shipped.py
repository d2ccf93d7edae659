"""The shipped rules, told apart from edited ones by digests that the package carries.

``shipped.json`` holds two digests of each file in ``encodings/``, examples apart: one of its text
and one of its parsed statements. A file is as shipped if either is the same: comments and layout
are free. The folder that happens to be installed is compared like any other.

    python -m offloadasp.asp.shipped

writes ``shipped.json`` anew, after an encoding was changed on purpose.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

from offloadasp.asp.vetting.sources import Source, read_source
from offloadasp.base.files import read_text
from offloadasp.base.resources import encodings_folder

_DIGESTS = Path(__file__).with_name("shipped.json")


def shipped_names() -> list[str]:
    """Return the names of the shipped files, from ``encodings/`` on."""
    return list(_recorded())


def is_shipped(name: str, path: Path) -> bool:
    """Whether a file holds the statements of the shipped file of a name.

    Raises
    ------
    InputError
        It cannot be read.
    """
    recorded = _recorded().get(name)
    if recorded is None:
        return False
    if recorded["text"] == _digest([read_text(path)]):
        return True
    source = read_source(path)
    # clingo may not be shown other characters than those of ASCII outside comments and strings.
    if not source.code.isascii():
        return False
    try:
        return recorded["statements"] == _digest_of_statements(source)
    except RuntimeError:  # it is no program
        return False


def digests(folder: Path) -> dict[str, dict[str, str]]:
    """Return the digests of the files of rules in a folder, by name; examples are none."""
    return {
        path.relative_to(folder).as_posix(): {
            "text": _digest([read_text(path)]),
            "statements": _digest_of_statements(read_source(path)),
        }
        for path in sorted(folder.rglob("*.lp"))
        if path.relative_to(folder).parts[0] != "examples"
    }


@cache
def _recorded() -> dict[str, dict[str, str]]:
    recorded: dict[str, dict[str, str]] = json.loads(_DIGESTS.read_text(encoding="utf-8"))
    return recorded


def _digest_of_statements(source: Source) -> str:
    """Return a digest that is the same whatever the order of statements."""
    statements: list[str] = []
    source.parse(lambda node: statements.append(str(node)))
    return _digest([*sorted(source.included), *sorted(statements)])


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    _DIGESTS.write_text(json.dumps(digests(encodings_folder()), indent=2) + "\n", encoding="utf-8")
