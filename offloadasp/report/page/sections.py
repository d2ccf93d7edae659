"""What the page says of strategies: figures, tables and sentences, which page.html lays out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.base.messages import plural
from offloadasp.judge.certificate import Proof
from offloadasp.judge.simulator import Books, Replay
from offloadasp.model.instance import Described, ResolvedInstance
from offloadasp.model.objectives import gap
from offloadasp.model.strategy import Ranked, RulesRecord, Strategy
from offloadasp.report.text.certificate import proof_sentences
from offloadasp.report.text.false_statements import simulator_text
from offloadasp.report.text.words import (
    NONE_PROVED,
    accelerator_words,
    amount,
    breaches_words,
    by_kind,
    cycles,
    decomposition_words,
    mixed,
    objective_words,
    percent,
    rules_words,
)

_LISTED_VIOLATIONS = 20


@dataclass(frozen=True)
class Entry:
    """A strategy of the report.

    Attributes
    ----------
    label
        What tells it from the others.
    file
        Its file's name.
    proofs
        Of the bound on the duration, then of each objective's.
    """

    label: str
    file: str
    strategy: Strategy
    replay: Replay
    proofs: tuple[Proof, ...]

    @property
    def reference(self) -> "Reference":
        """The strategy as one to compare with."""
        return Reference(self.label, self.strategy.instance, self.replay)


@dataclass(frozen=True)
class Reference:
    """A strategy to compare with: its name, the instance that it is for, and its books."""

    label: str
    instance: ResolvedInstance
    books: Books


@dataclass(frozen=True)
class Shown:
    """A strategy as the page shows it.

    Attributes
    ----------
    verdict, tone
        A word, and the class of its colour in page.css.
    figures
        Those that matter most: title, value and unit.
    violations, proof
        Sentences.
    capacity
        The memory of the accelerator.
    lanes
        What goes on beside each other in a step: a name for each lane, and its actions in their
        order. Empty without overlap.
    """

    label: str
    verdict: str
    tone: str
    figures: tuple[tuple[str, str, str], ...]
    violations: list[str]
    proof: list[str]
    capacity: str
    lanes: Mapping[str, tuple[str, ...]]


# By the accelerator's overlap; a lane of its own for compute actions in both.
_LANES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "none": {},
    "dma": {"transfers": ("write", "load"), "compute": ("compute",)},
    "duplex": {"writes": ("write",), "loads": ("load",), "compute": ("compute",)},
}


def shown(entry: Entry, *, ruled: bool = False) -> Shown:
    """Return the figures and sentences of a strategy.

    Parameters
    ----------
    ruled
        Whether another strategy of the page was found under edited rules, which this one may break.
    """
    strategy, replay = entry.strategy, entry.replay
    verdict, tone = "NOT VERIFIED", "bad"
    if replay.verified:
        verdict, tone = strategy.status, "good" if strategy.status == "optimal" else "open"
    if replay.verified and ruled and strategy.rules is None:
        verdict += " by the shipped rules alone"
    bound: tuple[tuple[str, str, str], ...] = (("lower bound", NONE_PROVED, ""),)
    if strategy.lower_bound or not strategy.duration:
        bound = (
            ("lower bound", *_grouped(cycles(strategy.lower_bound))),
            ("gap", *_grouped(percent(gap(strategy.duration, strategy.lower_bound)))),
        )
    figures = (
        ("duration", *_grouped(cycles(replay.duration))),
        *bound,
        ("peak memory", *_grouped(plural(replay.peak_memory, "byte"))),
    )
    accelerator = strategy.instance.accelerator
    return Shown(
        entry.label,
        verdict,
        tone,
        figures,
        _violations(replay),
        _proof(entry),
        plural(accelerator.memory, "byte"),
        _LANES[accelerator.overlap],
    )


def _grouped(text: str) -> tuple[str, str]:
    """Split an amount into value and unit, with commas between thousands."""
    value, _, unit = text.rpartition(" ")
    whole, space, fraction = value.partition(" ")
    return (f"{int(whole):,}{space}{fraction}" if whole.isdigit() else value), unit


def _violations(replay: Replay) -> list[str]:
    lines = [str(violation) for violation in replay.violations[:_LISTED_VIOLATIONS]]
    if len(replay.violations) > _LISTED_VIOLATIONS:
        lines.append(f"and {len(replay.violations) - _LISTED_VIOLATIONS} more")
    return lines


def summary(entries: Sequence[Entry]) -> list[tuple[str, list[str]]]:
    """Return the rows of a table with a column a strategy: title, and a text for each."""
    ruled = any(entry.strategy.rules is not None for entry in entries)
    columns = [_rows(entry, ruled=ruled) for entry in entries]
    rows = [(cells[0][0], [text for _, text in cells]) for cells in zip(*columns, strict=True)]
    return [(title, texts) for title, texts in rows if set(texts) != {"-"}]


def _ruled(rules: RulesRecord | None) -> list[tuple[str, str]]:
    """Return the rules that a strategy was found under, and what one found without them breaks."""
    if rules is None:
        alone = "the shipped ones alone: under the rules of the other files it may be no plan"
        return [("rules", alone), ("without them", "-")]
    broken = breaches_words(rules)
    without = f"the plan breaks {broken}: it is none under these rules" if broken else "-"
    return [("rules", rules_words(rules)), ("without them", without)]


def _rows(entry: Entry, *, ruled: bool) -> list[tuple[str, str]]:
    strategy, replay = entry.strategy, entry.replay
    instance = strategy.instance
    loads, writes = replay.loads, replay.writes
    moving = len(strategy.steps) - replay.compute_steps
    more = f", {moving} more to move data only" if moving else ""
    rules = strategy.rules
    return [
        ("file", entry.file),
        ("accelerator", accelerator_words(instance.accelerator)),
        ("decomposition", decomposition_words(instance.decomposition)),
        *(_ruled(rules) if ruled else []),
        ("minimised", "; ".join(_minimised(instance, part) for part in strategy.ranking)),
        ("duration", f"{cycles(replay.duration)} replayed, {cycles(strategy.duration)} stated"),
        ("steps", f"{plural(replay.compute_steps, 'compute action')}{more}"),
        ("loaded", by_kind(loads.total, **vars(loads))),
        ("written", by_kind(writes.total, **vars(writes))),
        ("numeric check", simulator_text(replay).plain),
    ]


def _minimised(described: Described, part: Ranked) -> str:
    value, bound = (amount(described, part.name, one) for one in (part.value, part.lower_bound))
    known = "proved optimal" if part.value == part.lower_bound else f"at least {bound}"
    return f"{objective_words(part.name)}: {value}, {known}"


def _proof(entry: Entry) -> list[str]:
    """Return what proves the bounds of a strategy, in sentences."""
    certificate = entry.strategy.certificate
    further = certificate.get("then")
    tables = [certificate, *(further if isinstance(further, list) else [])]
    sentences = []
    # The duration's own proof comes first, and again among those of the objectives.
    proofs = entry.proofs[1:] if entry.strategy.ranking[0].name == "duration" else entry.proofs
    for k, proof in enumerate(proofs):
        at = k if proofs is not entry.proofs else max(0, k - 1)
        table = tables[at] if at < len(tables) and isinstance(tables[at], dict) else {}
        sentences += proof_sentences(entry.strategy.instance, proof, table)
    return sentences


def compared(everything: Sequence[Reference]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the rows of a table of all strategies, the first of which the others are longer by."""
    best = everything[0].books.duration
    return [(one.label, _compared(one.books, best)) for one in everything]


def _compared(books: Books, best: Fraction) -> tuple[str, ...]:
    longer = (books.duration - best) / best if best else best
    return (
        mixed(books.duration, grouped=True),
        percent(longer) if longer >= 0 else f"−{percent(-longer)}",
        f"{books.loads.total:,}",
        f"{books.writes.total:,}",
        f"{books.compute_steps:,}",
        f"{books.peak_memory:,}",
    )
