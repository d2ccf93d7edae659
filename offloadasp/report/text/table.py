"""Tables of text that fit the screen: folded or without their least important columns."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from offloadasp.report.text.screen import GAP, LABEL, NARROWEST, print_line

# Before the folded column gets narrower than this, other columns are left out.
_COMFORTABLE = 24
_INDENT = "  "
# Stands for a blank at which a line is not broken.
_JOINED = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class _Column:
    """A column: its head and its cells, and whether these are numbers, which are flush right."""

    head: str
    cells: tuple[str, ...]
    right: bool

    @property
    def width(self) -> int:
        return max(map(len, (self.head, *self.cells)))

    def least(self, wanted: int) -> int:
        """Return the width with which it can be folded: as wanted if possible."""
        words = (len(word) for cell in self.cells for word in cell.split())
        return min(self.width, max(wanted, len(self.head), *words, 0))

    def padded(self, text: str, width: int) -> str:
        return text.rjust(width) if self.right else text.ljust(width)


def show_table(
    screen: Console,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    flexible: int = 0,
    spare: Sequence[str] = (),
) -> None:
    """Print a table; columns of numbers are flush right, whole numbers below whole ones.

    Parameters
    ----------
    flexible
        The column whose texts are folded where the screen is too narrow.
    spare
        Heads of columns that are left out where it is still too narrow, the first one first; a
        line below says which ones are. Where that is not enough, the first column gets lines of
        its own.
    """
    cells = [tuple(column) for column in zip(head, *rows, strict=True)]
    columns = [_column(title, texts) for title, *texts in cells]
    folded, missing = columns[flexible], list(spare)
    while missing and not _fits(columns, folded, _COMFORTABLE, screen.width):
        columns = [column for column in columns if column.head != missing[0]]
        del missing[0]
    above = columns[0] is not folded and not _fits(columns, folded, NARROWEST, screen.width)
    _print(screen, columns, folded, above=above)
    left_out = spare[: len(spare) - len(missing)]
    if left_out:
        screen.print()
        screen.print(f"no room for: {', '.join(left_out)}; a wider terminal or a pipe shows all")


def _column(head: str, cells: Sequence[str]) -> _Column:
    numbers = all(map(_is_number, cells))
    return _Column(head, aligned(cells) if numbers else tuple(cells), numbers)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[<\d./ %-]+", cell) is not None


def aligned(cells: Sequence[str]) -> tuple[str, ...]:
    """Pad whole numbers, so that they line up with the whole parts of mixed ones in a column."""
    parts = [re.fullmatch(r"(.*?)(?:(?:^| )(\d+/\d+))?", cell) for cell in cells]
    pairs = [(part[1], f" {part[2]}" if part[2] else "") for part in parts if part]
    room = max((len(fraction) for _, fraction in pairs), default=0)
    return tuple(whole + fraction.ljust(room) for whole, fraction in pairs)


def _fits(columns: Sequence[_Column], folded: _Column, wanted: int, width: int) -> bool:
    widths = [c.least(wanted) if c is folded else c.width for c in columns]
    return sum(widths) + len(widths) - 1 <= width


def _print(screen: Console, columns: list[_Column], folded: _Column, *, above: bool) -> None:
    shown, indent = (columns[1:], _INDENT) if above else (columns, "")
    room = screen.width - len(indent)
    gap = GAP if sum(c.width for c in shown) + len(GAP) * (len(shown) - 1) <= room else " "
    others = sum(c.width for c in shown if c is not folded) + len(gap) * (len(shown) - 1)
    least = folded.least(NARROWEST)
    widths = [min(c.width, max(room - others, least)) if c is folded else c.width for c in shown]
    for number in range(-1, len(folded.cells)):
        style = LABEL if number < 0 else ""
        texts = [c.head if number < 0 else c.cells[number] for c in columns]
        if above:
            print_line(screen, Text(texts.pop(0), style))
        place = next(k for k, c in enumerate(shown) if c is folded)
        for part, line in enumerate(_lines(texts[place], widths[place])):
            row = [text if part == 0 else "" for text in texts]
            row[place] = line
            cells = zip(shown, row, widths, strict=True)
            padded = (column.padded(text, width) for column, text, width in cells)
            print_line(screen, Text(f"{indent}{gap.join(padded)}".rstrip(), style))


def _lines(text: str, width: int) -> list[str]:
    """Fold a text at its commas; a phrase that is still too wide is folded at its blanks."""
    if len(text) <= width:
        return [text]
    phrases = (p.replace(" ", _JOINED) if len(p) < width else p for p in text.split(", "))
    folded = textwrap.wrap(
        ", ".join(phrases), width, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_JOINED, " ") for line in folded]
