"""Text on a terminal or in a pipe: labelled lines, coloured only on a terminal."""

import json
import sys

from rich.console import Console
from rich.text import Text

Rows = list[tuple[str, str | Text]]

_WIDTH = 80
# A pipe has no width: a row of a table stays one line.
_PIPED_TABLE_WIDTH = 1000
NARROWEST = 12
LABEL = "cyan"
GAP = "  "


def console(*, wide: bool = False) -> Console:
    """Return the console on standard output.

    Parameters
    ----------
    wide
        Whether lines may be long where standard output is no terminal.
    """
    width = None if sys.stdout.isatty() else _PIPED_TABLE_WIDTH if wide else _WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def show_rows(screen: Console, rows: Rows) -> None:
    """Print labels in a column, and their texts beside them."""
    left = max(len(label) for label, _ in rows)
    for label, content in rows:
        text = content if isinstance(content, Text) else Text(content)
        room = max(screen.width - left - len(GAP), NARROWEST)
        for number, line in enumerate(text.wrap(screen, room)):
            line.rstrip()
            start = (label if number == 0 else "").ljust(left) + GAP
            print_line(screen, Text.assemble((start, LABEL), line))


def show_path(screen: Console, label: str, path: str, rows: Rows) -> None:
    """Print a path as one more of the rows, in one line however long, so that it can be copied."""
    left = max(len(label) for label, _ in rows)
    print_line(screen, Text.assemble((label.ljust(left) + GAP, LABEL), path))


def print_json(found: object) -> None:
    """Print one JSON value, and nothing else, on standard output."""
    sys.stdout.write(json.dumps(found, allow_nan=False) + "\n")


def print_line(screen: Console, line: Text) -> None:
    """Print a line as it is, however long."""
    screen.print(line, soft_wrap=True)
