"""Tables of a suite: on a screen of 80 columns, and as Markdown."""

import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.record import Record, Row
from bench.suite import Suite, measured
from offloadasp.report.text.screen import show_rows

_WIDTH = 80
_PAGE_WIDTH = 120
_NARROWEST = 12


def show(suite: Suite, record: Record) -> None:
    """Print who measured what with which limits, the table, and the summary."""
    screen = Console(width=_WIDTH, highlight=False, markup=False, emoji=False)
    screen.print(Text(suite.title, "bold"))
    screen.print()
    show_rows(screen, _head(record))
    screen.print()
    screen.print(suite.about)
    screen.print()
    rows = list(record.rows.values())
    screen.print(_table(suite, rows))
    for line in _failures(rows):
        screen.print(Text(line))
    screen.print()
    for line in suite.summary(rows):
        screen.print(Text(line))


def _table(suite: Suite, rows: Sequence[Row]) -> Table:
    """Return a table in which only names are wrapped, and these where they have a hyphen."""
    heads, cells = _cells(suite, rows)
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    # The box leaves one blank between columns; where there is room, two look better.
    between = 2 if sum(widths) + 2 * (len(widths) - 1) <= _WIDTH else 1
    room = max(_WIDTH - sum(widths[1:]) - between * (len(widths) - 1), _NARROWEST)
    padding = (0, between - 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, padding=padding, pad_edge=False, show_edge=False)
    for number, head in enumerate(heads):
        right = number > 0 and _numeric([line[number] for line in cells])
        table.add_column(head, justify="right" if right else "left", no_wrap=number > 0)
    for name, *line in cells:
        table.add_row(textwrap.fill(name, room), *line)
    return table


def _cells(suite: Suite, rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    heads = [column.head for column in suite.columns]
    return heads, [[column.cell(row) for column in suite.columns] for row in measured(rows)]


def markdown(suite: Suite, record: Record) -> str:
    """Return the same as a section of a Markdown page."""
    rows = list(record.rows.values())
    heads, cells = _cells(suite, rows)
    right = [k > 0 and _numeric([line[k] for line in cells]) for k in range(len(heads))]
    lines = [
        f"## {suite.title}",
        "",
        f"    {record.head['command']}",
        "",
        *(f"- {label}: {text}" for label, text in _head(record)[1:]),
        "",
        *textwrap.wrap(suite.about, _PAGE_WIDTH),
        "",
        _line(heads),
        _line(["---:" if flag else "---" for flag in right]),
        *(_line(line) for line in cells),
        "",
        *(f"- {line}" for line in [*_failures(rows), *suite.summary(rows)]),
        "",
    ]
    return "\n".join(lines)


def _head(record: Record) -> list[tuple[str, str | Text]]:
    head = record.head
    limits = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in head["limits"].items())
    commits = sorted({str(row["commit"]) for row in record.rows.values()})
    return [
        ("command", str(head["command"])),
        ("date", str(head["date"])),
        ("machine", ", ".join(f"{key} {value}" for key, value in head["machine"].items())),
        ("versions", ", ".join(f"{key} {value}" for key, value in head["versions"].items())),
        ("limits", limits),
        ("rows made at", ", ".join(commits)),
    ]


def _failures(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row['name']}: {row['error']}" for row in rows if "error" in row and "unfit" not in row
    ]


def _numeric(cells: Sequence[str]) -> bool:
    return all(not text or text[0].isdigit() or text[0] in "-+<>" for text in cells)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
