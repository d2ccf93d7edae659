"""A small drawing of a strategy for notebooks: its timeline and its memory, as SVG in HTML.

It shows no more than some hundred pixels can tell; ``offload-asp report`` makes the whole page.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from html import escape

from offloadasp.judge.simulator import Books

_WIDTH, _LANE, _CHART, _GAP, _LEFT = 640, 14, 70, 6, 60
_COLOURS = {"load": "#0072b2", "write": "#e69f00", "compute": "#009e73"}
_MEMORY = "#999999"


def drawn(title: str, facts: Mapping[str, str], books: Books) -> str:
    """Return a strategy as a fragment of HTML that asks no network for anything.

    Parameters
    ----------
    facts
        Rows of a table beside the drawing: label and text.
    books
        What every step does and holds.
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(label)}</th><td>{escape(text)}</td></tr>"
        for label, text in facts.items()
    )
    return f"<div><b>{escape(title)}</b><table>{rows}</table>{_svg(books)}</div>"


def _svg(books: Books) -> str:
    """Draw a lane of loads, writes and compute actions over time, and the bytes on chip."""
    memory_top = len(_COLOURS) * (_LANE + _GAP)
    height = memory_top + _CHART + 20
    total = books.duration or Fraction(len(books.trace))
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_LEFT + _WIDTH}' height='{height}' "
        "font-family='sans-serif' font-size='11' role='img'>",
        f"<title>Timeline and memory: {len(books.trace)} steps</title>",
    ]
    for lane, (name, colour) in enumerate(_COLOURS.items()):
        top = lane * (_LANE + _GAP)
        parts.append(f"<text x='0' y='{top + _LANE - 3}' fill='currentColor'>{name}</text>")
        spans = [(start, end) for kind, start, end in _phases(books) if kind == name]
        parts.append(_bars(spans, total, top, colour))
    parts.append(_memory(books, total, memory_top))
    parts.append("</svg>")
    return "".join(parts)


def _phases(books: Books) -> Iterator[tuple[str, Fraction, Fraction]]:
    """Yield kind, begin and end of every phase that takes time, in cycles."""
    rates, now = books.instance.accelerator, Fraction(0)
    for row in books.trace:
        lengths = {
            "write": rates.write_cycles * row.written,
            "load": rates.load_cycles * row.loaded,
            "compute": rates.compute_time(row.macs),
        }
        begins = {"write": now, "load": now, "compute": now}
        if rates.overlap != "duplex":
            begins["load"] += lengths["write"]
        if not rates.overlaps:
            begins["compute"] += lengths["write"] + lengths["load"]
        for kind, length in lengths.items():
            if length:
                yield kind, begins[kind], begins[kind] + length
        now += row.cycles


def _bars(
    spans: Sequence[tuple[Fraction, Fraction]], total: Fraction, top: int, colour: str
) -> str:
    """Draw spans of time as one path; spans that share a pixel are drawn once."""
    drawn_to, path = -1, []
    for start, end in spans:
        left, right = _pixel(start, total), max(_pixel(start, total) + 1, _pixel(end, total))
        left = max(left, drawn_to)
        if right > left:
            path.append(f"M{_LEFT + left} {top}h{right - left}v{_LANE}h{left - right}z")
            drawn_to = right
    return f"<path d='{''.join(path)}' fill='{colour}'/>" if path else ""


def _memory(books: Books, total: Fraction, top: int) -> str:
    """Draw the bytes on chip as an area over time, a column a pixel, under its capacity."""
    capacity = books.instance.accelerator.memory
    most = max(books.peak_memory, 1)
    columns = [0] * _WIDTH
    now = Fraction(0)
    for row in books.trace:
        begin = _pixel(now, total)
        now += row.cycles
        end = max(begin + 1, _pixel(now, total))
        for column in range(begin, min(end, _WIDTH)):
            columns[column] = max(columns[column], row.on_chip)
    bottom = top + _CHART
    steps = "".join(
        f"V{bottom - held * _CHART // most}h1" if k == 0 or held != columns[k - 1] else "h1"
        for k, held in enumerate(columns)
    )
    return (
        f"<text x='0' y='{top + 11}' fill='currentColor'>on chip</text>"
        f"<path d='M{_LEFT} {bottom}{steps}V{bottom}z' fill='{_MEMORY}'/>"
        f"<text x='{_LEFT}' y='{bottom + 14}' fill='currentColor'>"
        f"at most {books.peak_memory} of {capacity} bytes</text>"
    )


def _pixel(time: Fraction, total: Fraction) -> int:
    return int(time * _WIDTH / total) if total else 0
