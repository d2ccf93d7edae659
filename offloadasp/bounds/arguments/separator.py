"""The separator bound, ``cut`` in certificates: what is live when a row or column is complete.

All pixels that are needed both before and after that moment separate what is done from what is
left. Derivation: docs/bounds.md, section 5.
"""

import itertools
from collections import Counter
from collections.abc import Iterator

from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.compulsory import compulsory_loads
from offloadasp.bounds.geometry.runs import Run, runs_of_parts
from offloadasp.bounds.parameters import Params
from offloadasp.bounds.view import View
from offloadasp.model.instance import Layer
from offloadasp.model.semantics import EVERY


def _propose(view: View) -> Iterator[Params]:
    if not view.inner:  # runs leave border positions out by themselves
        yield Params()


def _value(view: View, _: Params) -> int:
    return compulsory_loads(view.problem) + extra_loads(view)


def _sentence(_: Params) -> str:
    return (
        "when the first row or column of outputs is complete, every pixel that is needed both "
        "before and after is on chip or is loaded again"
    )


def live_pixels(layer: Layer, tile: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Bound the pixels live at some moment of every order, for parts that share no pixels.

    Returns
    -------
    tuple of (live, parts)
        So many parts have at least so many live pixel blocks of every channel group, each at a
        moment of its own: needed both up to and from some operation on.
    """
    rows, columns = (runs_of_parts(layer, axis, tile[axis]) for axis in (0, 1))
    found: Counter[int] = Counter()
    for down, across in itertools.product(rows, columns):
        live = max((_live(*pair) for pair in itertools.product(down, across)), default=0)
        found[live] += rows[down] * columns[across]
    return tuple(sorted(found.items()))


def _live(row: Run, column: Run) -> int:
    full_row = column.used * row.shared + (row.least - row.shared) * column.least
    full_column = row.used * column.shared + (column.least - column.shared) * row.least
    return min(full_row, full_column)


def extra_loads(view: View) -> int:
    """Bound the bytes of pixels loaded beyond the first time, by one separator for every part.

    Of a channel group's live pixel blocks, those that fit beside the kernel block and the output
    block of the operation at the separator are kept at best; every other one is loaded twice.
    """
    sizes, memory = view.sizes, view.problem.capacity
    total = 0
    for live, count in live_pixels(view.problem.layer, view.tile):
        for kind in sizes.kinds:
            beside = kind.kernel_bytes[-1] + sizes.computing_bytes
            room = max(0, memory - beside) // kind.pixel_bytes
            total += count * kind.count * max(0, live - room) * kind.pixel_bytes
    return total


ARGUMENT = Argument(
    name="cut",
    quantity=Quantity.LOADS,
    params=Params,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
)
