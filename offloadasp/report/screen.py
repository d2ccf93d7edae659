"""Text on a terminal or in a pipe: labelled lines and tables, coloured only on a terminal."""

import json
import re
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

Rows = list[tuple[str, str | Text]]

_WIDTH = 80
# In a pipe nothing says how wide a line may be: a row of a table should stay one line.
_PIPED_TABLE_WIDTH = 1000
_NARROWEST = 12
_LABEL = "cyan"
_GAP = "  "


def console(*, wide: bool = False) -> Console:
    """Return the console on standard output.

    Parameters
    ----------
    wide
        Whether lines may be of any length where no terminal limits it.
    """
    width = None if sys.stdout.isatty() else _PIPED_TABLE_WIDTH if wide else _WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def show_rows(screen: Console, rows: Rows) -> None:
    """Print labels in a column, and their texts beside them."""
    left = max(len(label) for label, _ in rows)
    for label, content in rows:
        text = content if isinstance(content, Text) else Text(content)
        room = max(screen.width - left - len(_GAP), _NARROWEST)
        for number, line in enumerate(text.wrap(screen, room)):
            line.rstrip()
            start = (label if number == 0 else "").ljust(left) + _GAP
            _print_line(screen, Text.assemble((start, _LABEL), line))


def show_path(screen: Console, label: str, path: str, rows: Rows) -> None:
    """Print a path as one more of the rows, in one line however long, so that it can be copied."""
    left = max(len(label) for label, _ in rows)
    _print_line(screen, Text.assemble((label.ljust(left) + _GAP, _LABEL), path))


def show_table(
    screen: Console, head: Sequence[str], rows: Sequence[Sequence[str]], *, flexible: int = 0
) -> None:
    """Print a table; columns of numbers are flush right.

    Parameters
    ----------
    flexible
        The column whose texts are wrapped where the screen is too narrow.
    """
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numbers = [all(map(_is_number, column[1:])) for column in columns]
    gap = _GAP if sum(widths) + len(_GAP) * (len(widths) - 1) <= screen.width else " "
    others = sum(widths) - widths[flexible] + len(gap) * (len(widths) - 1)
    widths[flexible] = min(widths[flexible], max(screen.width - others, _NARROWEST))
    for number, row in enumerate((head, *rows)):
        style = _LABEL if number == 0 else ""
        wrapped = Text(row[flexible]).wrap(screen, widths[flexible])
        for part, line in enumerate(wrapped):
            cells = [cell if part == 0 else "" for cell in row]
            cells[flexible] = line.plain.rstrip()
            padded = (
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(cells, widths, numbers, strict=True)
            )
            _print_line(screen, Text(gap.join(padded).rstrip(), style))


def print_json(found: object) -> None:
    """Print one JSON value, and nothing else, on standard output."""
    sys.stdout.write(json.dumps(found, allow_nan=False) + "\n")


def _print_line(screen: Console, line: Text) -> None:
    screen.print(line, soft_wrap=True)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[<\d./ %-]+", cell) is not None
