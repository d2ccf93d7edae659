"""Where plans come from: data, of which ``report/`` makes sentences."""

from dataclasses import dataclass

from offloadasp.search.construct.blocking import Blocking
from offloadasp.search.construct.traversal import Traversal


@dataclass(frozen=True)
class Constructed:
    """A traversal of the output inside loops over groups.

    Attributes
    ----------
    tried
        How many plans had been tried when it was found.
    """

    blocking: Blocking
    traversal: Traversal
    tried: int = 0


@dataclass(frozen=True)
class LeastMemory:
    """Row by row, one output at a time: the fallback that needs the least memory."""


@dataclass(frozen=True)
class Annealed:
    """Local search from a plan."""

    start: "Source"


@dataclass(frozen=True)
class Refuted:
    """A stable model of the complete search."""


@dataclass(frozen=True)
class UnderRules:
    """A stable model of the definition under edited or added rules.

    Attributes
    ----------
    rules
        The rules in a reader's words.
    exhausted
        Whether the search was complete.
    """

    rules: str
    exhausted: bool


@dataclass(frozen=True)
class EarlierFile:
    """A strategy file of an earlier run, which is better than what this run found."""


Source = Constructed | LeastMemory | Annealed | Refuted | UnderRules | EarlierFile
