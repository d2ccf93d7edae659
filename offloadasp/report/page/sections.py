"""The sections of the report, as HTML: tables, and the places in which the scripts draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from offloadasp.base.wording import plural
from offloadasp.judge.certificate import Proof
from offloadasp.judge.simulator import Books, Replay
from offloadasp.model.cost import gap
from offloadasp.model.instance import ResolvedInstance
from offloadasp.model.strategy import Ranked, Strategy
from offloadasp.report.text.certificate import proof_sentences
from offloadasp.report.text.statements import simulator_text
from offloadasp.report.text.words import (
    accelerator_words,
    amount,
    by_kind,
    cycles,
    decomposition_words,
    mixed,
    objective_words,
    percent,
)

_CHARTS = (("memory", "bytes"), ("cycles", "reloads"))
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


def card(entry: Entry) -> str:
    """Return the figures of a strategy that matter most, and what is wrong with it."""
    strategy, replay = entry.strategy, entry.replay
    if not replay.verified:
        word, tone = "NOT VERIFIED", "bad"
    else:
        word, tone = strategy.status, "good" if strategy.status == "optimal" else "open"
    figures = (
        ("duration", _figure(cycles(replay.duration))),
        ("lower bound", _figure(cycles(strategy.lower_bound))),
        ("gap", _figure(percent(gap(strategy.duration, strategy.lower_bound)))),
        ("peak memory", _figure(plural(replay.peak_memory, "byte"))),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    badge = f'<span class="status {tone}">{escape(word)}</span>'
    return (
        f'<article class="card"><h3>{escape(entry.label)} {badge}</h3>'
        f"<dl>{cells}</dl>{_violations(replay)}</article>\n"
    )


def _figure(text: str) -> str:
    value, _, unit = text.rpartition(" ")
    whole, space, fraction = value.partition(" ")
    shown = f"{int(whole):,}{space}{fraction}" if whole.isdigit() else value
    return f"{escape(shown)} <small>{escape(unit)}</small>"


def _violations(replay: Replay) -> str:
    if not replay.violations:
        return ""
    shown = [str(violation) for violation in replay.violations[:_LISTED_VIOLATIONS]]
    if len(replay.violations) > _LISTED_VIOLATIONS:
        shown.append(f"and {len(replay.violations) - _LISTED_VIOLATIONS} more")
    items = "".join(f"<li>{escape(line)}</li>" for line in shown)
    return f'<ul class="violations">{items}</ul>'


def summary(entries: Sequence[Entry]) -> str:
    """Return a table with a column a strategy."""
    columns = [_rows(entry) for entry in entries]
    head = "".join(f'<th scope="col">{escape(entry.label)}</th>' for entry in entries)
    head = f"<thead><tr><td></td>{head}</tr></thead>" if len(entries) > 1 else ""
    rows = []
    for cells in zip(*columns, strict=True):
        values = "".join(f"<td>{escape(text)}</td>" for _, text in cells)
        rows.append(f'<tr><th scope="row">{escape(cells[0][0])}</th>{values}</tr>')
    return _table("summary", head, rows)


def _table(name: str, head: str, rows: Sequence[str]) -> str:
    body = "\n".join(rows)
    table = f'<table class="{name}">{head}<tbody>\n{body}\n</tbody></table>'
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _rows(entry: Entry) -> list[tuple[str, str]]:
    strategy, replay = entry.strategy, entry.replay
    instance = strategy.instance
    loads, writes = replay.loads, replay.writes
    moving = len(strategy.steps) - replay.compute_steps
    more = f", {moving} more to move data only" if moving else ""
    return [
        ("file", entry.file),
        ("accelerator", accelerator_words(instance.accelerator)),
        ("decomposition", decomposition_words(instance.decomposition)),
        ("minimised", "; ".join(map(_minimised, strategy.ranking))),
        ("duration", f"{cycles(replay.duration)} replayed, {cycles(strategy.duration)} stated"),
        ("steps", f"{plural(replay.compute_steps, 'compute action')}{more}"),
        ("loaded", by_kind(loads.total, **vars(loads))),
        ("written", by_kind(writes.total, **vars(writes))),
        ("numeric check", simulator_text(replay).plain),
    ]


def _minimised(part: Ranked) -> str:
    value, bound = amount(part.name, part.value), amount(part.name, part.lower_bound)
    known = "proved optimal" if part.value == part.lower_bound else f"at least {bound}"
    return f"{objective_words(part.name)}: {value}, {known}"


def proof(entry: Entry) -> str:
    """Return what proves the bounds of a strategy, in sentences."""
    certificate = entry.strategy.certificate
    further = certificate.get("then")
    tables = [certificate, *(further if isinstance(further, list) else [])]
    shown = []
    # The duration's own proof comes first, and again among those of the objectives.
    proofs = entry.proofs[1:] if entry.strategy.ranking[0].name == "duration" else entry.proofs
    for k, proof in enumerate(proofs):
        at = k if proofs is not entry.proofs else max(0, k - 1)
        table = tables[at] if at < len(tables) and isinstance(tables[at], dict) else {}
        shown += proof_sentences(proof, table)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in shown)
    title = f"What proves the bound of {entry.label}"
    return (
        f'<details open><summary>{escape(title)}</summary><ul class="proof">{items}</ul></details>'
    )


_FIGURES = (
    ("step", "step", ""),
    ("on_chip", "on chip at the peak", "bytes"),
    ("loaded", "loaded", "bytes"),
    ("written", "written", "bytes"),
    ("freed", "freed", "bytes"),
    ("macs", "computed", "MACs"),
    ("cycles", "takes", "cycles"),
    ("elapsed", "elapsed at its end", "cycles"),
)
_GRIDS = (
    ("input", "Input", "on chip, by row and column"),
    ("loads", "Loads of each pixel so far", "heat map of all positions"),
    ("output", "Output", "by row and column"),
    ("kernels", "Kernels", "groups down, channel groups across"),
)
# The suffix of a colour in page.css, and the kind of data.
_METER = (
    ("pixels", "pixels"),
    ("kernels", "kernels"),
    ("sums", "partial sums"),
    ("outputs", "outputs"),
)


def panel(entry: Entry, *, several: bool) -> str:
    """Return the places of the player in which it shows a strategy."""
    label = escape(entry.label)
    heading = f"<h3>{label}</h3>" if several else ""
    figures = "".join(
        f'<div><dt>{title}</dt><dd><span data-figure="{name}"></span>'
        f" <small>{unit}</small></dd></div>"
        for name, title, unit in _FIGURES
    )
    bars = "".join(f'<span style="--c: var(--kind-{kind})"></span>' for kind, _ in _METER)
    keys = "".join(
        f'<li><i class="{kind}" style="--c: var(--kind-{kind})"></i>{words}</li>'
        for kind, words in _METER
    )
    capacity = plural(entry.strategy.instance.accelerator.memory, "byte")
    grids = "".join(
        f"<figure><figcaption>{title}<small>{note}</small></figcaption>"
        f'<div><canvas data-grid="{name}" role="img" aria-label="{label}: {title}"></canvas></div>'
        + ('<ul class="heat" data-heat aria-label="loads"></ul>' if name == "loads" else "")
        + "</figure>"
        for name, title, note in _GRIDS
    )
    return f"""<article class="panel" aria-label="{label}">
{heading}<dl class="figures">{figures}</dl>
<div class="meter" role="img" aria-label="memory in use, of {capacity}">{bars}</div>
<ul class="swatches">{keys}<li>of {capacity}</li></ul>
<p class="sentence" aria-live="polite"></p>
<p class="groups" data-figure="groups"></p>
<div class="grids">{grids}</div>
<p class="pointed"></p>
</article>"""


_CHART_WORDS = {
    "memory": "Bytes on chip over the steps, by kind, against the capacity",
    "bytes": "Bytes moved in each step, by kind",
    "cycles": "Cycles of each step, by cause",
    "reloads": "Histogram of how often pixel blocks are loaded",
}


def charts(entries: Sequence[Entry]) -> str:
    """Return the places of the charts over the steps: strategies beside each other."""

    def chart(name: str, k: int) -> str:
        words = escape(f"{entries[k].label}: {_CHART_WORDS[name]}")
        return (
            f'<div class="chart" data-chart="{name}" data-entry="{k}" '
            f'role="img" aria-label="{words}"></div>'
        )

    if len(entries) == 1:
        return "\n".join(
            f'<div class="pairs">{"".join(chart(name, 0) for name in pair)}</div>'
            for pair in _CHARTS
        )
    heads = "".join(f"<h3>{escape(entry.label)}</h3>" for entry in entries)
    rows = [
        f'<div class="row">{"".join(chart(name, k) for k in range(len(entries)))}</div>'
        for pair in _CHARTS
        for name in pair
    ]
    return "\n".join([f'<div class="row heads">{heads}</div>', *rows])


def comparison(entries: Sequence[Entry], references: Sequence[Reference]) -> str:
    """Return a table of all strategies, and the place of the map of where their loads differ."""
    everything = [*(entry.reference for entry in entries), *references]
    if len(everything) == 1:
        return "<p>No other strategy to compare with was found within the time limit.</p>"
    best = entries[0].replay.duration
    names = ("cycles", "longer by", "bytes loaded", "bytes written", "steps", "peak, bytes")
    head = "".join(f'<th scope="col">{name}</th>' for name in ("strategy", *names))
    rows = []
    for one in everything:
        books = one.books
        longer = (books.duration - best) / best if best else best
        cells = (
            mixed(books.duration, grouped=True),
            percent(longer) if longer >= 0 else f"−{percent(-longer)}",
            f"{books.loads.total:,}",
            f"{books.writes.total:,}",
            f"{books.compute_steps:,}",
            f"{books.peak_memory:,}",
        )
        values = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{escape(one.label)}</th>{values}</tr>')
    table = _table("numbers", f"<thead><tr>{head}</tr></thead>", rows)
    return f"""<p>Plain orders with the best step size found for each, in the same decomposition
and memory; “no reuse” loads everything anew in every step. Longer by: than
{escape(entries[0].label)}.</p>
{table}
<div class="settings"><label>loads of <select id="difference-one"></select></label>
<label>less those of <select id="difference-other"></select></label></div>
<div id="difference" class="chart" role="img"
aria-label="Where the bytes loaded differ, by input position"></div>"""
