"""Where plans come from, as data and in a reader's words."""

from dataclasses import dataclass
from typing import Literal

from offloadasp.model.plan import Plan
from offloadasp.search.construct.blocking import Blocking
from offloadasp.search.construct.traversal import Traversal
from offloadasp.search.nests.family import Mapping
from offloadasp.search.nests.family import words as nest_words
from offloadasp.search.overlap.passes import Pass
from offloadasp.search.overlap.passes import words as pass_words
from offloadasp.search.overlap.streams import Stream
from offloadasp.search.overlap.streams import words as stream_words


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
class Nested:
    """A two-level loop nest; what it leaves of the memory holds what is needed soonest."""

    mapping: Mapping


@dataclass(frozen=True)
class Streamed:
    """Channels that pass by in chunks while the partial sums of a block stay on chip."""

    stream: Stream


@dataclass(frozen=True)
class Passed:
    """Kernel groups one after the other, or positions."""

    way: Pass


@dataclass(frozen=True)
class LeastMemory:
    """Row by row, one output at a time: the fallback that needs the least memory."""


@dataclass(frozen=True)
class Annealed:
    """Local search from a plan."""

    start: "Source"


@dataclass(frozen=True)
class Pipelined:
    """A serial plan whose transfers go on beside its compute actions."""

    start: "Source"


@dataclass(frozen=True)
class Refuted:
    """A stable model of the complete search."""


@dataclass(frozen=True)
class Baseline:
    """The best plan along one of the plain orders, by its name."""

    name: str


@dataclass(frozen=True)
class Obeying:
    """A plan of the shipped search that edited or added rules accept.

    Attributes
    ----------
    start
        Where the plan comes from.
    rules
        The rules in a reader's words.
    change
        What was changed so that it obeys them, in a reader's words; empty if nothing was.
    """

    start: "Source"
    rules: str
    change: str = ""


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


Source = (
    Constructed
    | Nested
    | Streamed
    | Passed
    | LeastMemory
    | Annealed
    | Pipelined
    | Refuted
    | Baseline
    | Obeying
    | UnderRules
    | EarlierFile
)


Unsearched = Literal["too many rules", "beyond 32 bits"]
"""Why there was no complete search."""

_UNSEARCHED: dict[Unsearched, str] = {
    "too many rules": "; too large for a complete search",
    "beyond 32 bits": "; no complete search: its sums could leave clingo's 32 bits",
}


def method_words(source: Source, plan: Plan, unsearched: Unsearched | None) -> str:
    """Return how a plan was found."""
    ending = _UNSEARCHED[unsearched] if unsearched else ""
    return _source_words(source, plan) + ending


def _source_words(source: Source, plan: Plan) -> str:
    if isinstance(source, Constructed | Nested | Streamed | Passed | LeastMemory | Annealed):
        # Blocks of one size: keeping the block needed soonest is optimal.
        optimal = plan.problem.exists.count == 1
        keeping = "optimal" if optimal else "a heuristic"
        return f"{_start_words(source)}; what to keep: {keeping} for this order"
    if isinstance(source, Pipelined):
        return f"{_start_words(source)}; transfers moved beside earlier compute actions"
    if isinstance(source, Refuted):
        return "complete search by clingo"
    if isinstance(source, Baseline):
        return f"the best plan of the kind '{source.name.replace('_', ' ')}'"
    if isinstance(source, Obeying):
        change = f", {source.change}" if source.change else ""
        return f"{_source_words(source.start, plan)}{change}; accepted under the {source.rules}"
    if isinstance(source, UnderRules):
        how = "complete search" if source.exhausted else "search cut short"
        return f"{how} by clingo under the {source.rules}"
    return "an earlier run, whose file held a better strategy than this run found"


def _start_words(source: Source) -> str:
    if isinstance(source, Annealed):
        return f"local search from {_start_words(source.start)}"
    if isinstance(source, Constructed):
        return f"{_traversal_words(source.traversal)}, {_blocking_words(source.blocking)}"
    if isinstance(source, Nested):
        return f"loop nest: {nest_words(source.mapping)}"
    if isinstance(source, Streamed):
        return stream_words(source.stream)
    if isinstance(source, Passed):
        return pass_words(source.way)
    if isinstance(source, Pipelined):
        return _start_words(source.start)
    if isinstance(source, Refuted):
        return "complete search by clingo for serial plans"
    return "row by row, one output at a time"


def _traversal_words(traversal: Traversal) -> str:
    if traversal.name != "strips":
        return traversal.name.replace("_", " ")
    side, count = "row" if traversal.transposed else "column", len(traversal.strips)
    widths = {strip.width for strip in traversal.strips}
    wide = f"{min(widths)} to {max(widths)} wide" if len(widths) > 1 else f"{max(widths)} wide"
    ways = {strip.turning for strip in traversal.strips}
    lines = "" if ways == {True} else ", lines one way" if ways == {False} else ", lines mixed"
    return f"{count} {side} strip{'s' if count > 1 else ''} {wide}{lines}"


def _blocking_words(blocking: Blocking) -> str:
    problem = blocking.looped
    kernel_groups, channel_groups = problem.exists.shape
    rows, columns = problem.tile_grid
    words = {
        "s": (blocking.sets, f"{blocking.sets} sets of kernel groups"),
        "n": (kernel_groups, "kernel groups"),
        "q": (channel_groups, "channel groups"),
        "c": (-(-rows * columns // blocking.cells), f"regions of {blocking.cells}"),
    }
    loops = [words[loop][1] for loop in f"s{blocking.nest}" if words[loop][0] > 1]
    if loops and loops[-1] == words["c"][1]:
        loops.pop()  # innermost, the loop over regions is one with the loop over their tiles
    nested = f", loops over {', '.join(loops)}" if loops else ""
    if blocking.coarse is not None:
        return f"operations split to fill every step{nested}"
    return f"up to {blocking.size} operation{'s' if blocking.size > 1 else ''} a step{nested}"
