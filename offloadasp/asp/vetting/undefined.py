"""What clingo notes of atoms that nothing defines, in a user's words."""

import re
from collections.abc import Collection

from offloadasp.asp.statements import Signature
from offloadasp.asp.vetting.watched import LOCAL
from offloadasp.base.messages import nearest

_NOTE = re.compile(
    r"(?P<place>.*?:\d+):[\d:-]+: info: atom does not occur in any rule head: "
    r"(?P<name>-?\w+)(?:\((?P<terms>.*)\))?$"
)


def undefined_words(message: str, known: Collection[Signature]) -> str:
    """Return which atom is defined nowhere, where, and which one was perhaps meant.

    Parameters
    ----------
    message
        One line of clingo's; any other one is returned as it is.
    known
        Predicates that there are.
    """
    found = _NOTE.match(message)
    if found is None:
        return message
    name, terms = found["name"], found["terms"] and found["terms"].replace(LOCAL, "")
    if (name, _arity(terms)) in known:
        # Variables have names of clingo's own here, such as #P0.
        shown = re.sub(r"#\w+", "_", f"{name}({terms})").replace(",", ", ")
        return f"{found['place']}: nothing derives an atom that looks like {shown}"
    said = f"{found['place']}: {name}/{_arity(terms)} is defined nowhere"
    near = nearest(name, {one for one, _ in known})
    alike = [f"{one}/{arity}" for one, arity in sorted(known) if [one] == near]
    return f"{said}; did you mean {' or '.join(alike)}?" if alike else said


def _arity(terms: str | None) -> int:
    """Return how many terms there are: one more than the commas outside of all brackets."""
    if terms is None:
        return 0
    depth, commas = 0, 0
    for character in re.sub(r'"(?:\\.|[^"\\])*"', "", terms):
        depth += (character in "([") - (character in ")]")
        commas += character == "," and depth == 0
    return commas + 1
