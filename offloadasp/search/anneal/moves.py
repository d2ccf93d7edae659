"""Small changes of an arrangement: each one rearranges the operations of a few consecutive steps.

Most begin with an operation and one near it: near on the output, in the same or in other groups.
Such operations share blocks, so it pays to compute them together or soon after each other.
"""

from offloadasp.search.anneal.compiled import Ints, compiled
from offloadasp.search.anneal.evaluation import FLIPPED, HIGH, LOW, RANDOM, Layout, Sizes

# Two operations change places; one passes through the steps to another's place, each step between
# giving one on; one joins the step of another; operations in a row are reversed, or their first
# ones come last; the same with steps; two steps divide their operations anew; a kernel or output
# block becomes resident, or no longer is.
SWAP, PASS, JOIN, REVERSE, TURN, REVERSE_STEPS, TURN_STEPS, DIVIDE, FLIP = range(9)

# Every so many-th partner is one in the sequence, not on the output.
_ALONG = 8
_MASK = 0xFFFFFFFF


@compiled
def below(cells: Ints, limit: int) -> int:
    """Return a random number from 0 to limit − 1 (xorshift of 32 bits; Marsaglia, 2003)."""
    x = cells[RANDOM]
    x ^= (x << 13) & _MASK
    x ^= x >> 17
    x ^= (x << 5) & _MASK
    cells[RANDOM] = x
    return (x * limit) >> 32


@compiled
def change(cells: Ints, at: Layout, of: Sizes, kind: int) -> bool:
    """Change an arrangement at random; return False where nothing came of it."""
    cells[FLIPPED] = -1
    o = below(cells, of.operations)
    if kind == FLIP:
        return _flip(cells, at, of, o)
    x = cells[at.place + o]
    along = below(cells, _ALONG) == 0
    y = _along(cells, of, x) if along else cells[at.place + _near(cells, of, o)]
    a = cells[at.step + x]
    b = _other_step(cells, of, a, cells[at.step + y], kind)
    if a == b:
        return False
    _open(cells, at, min(a, b), max(a, b))
    if kind == SWAP:
        cells[at.sequence + x] = cells[at.sequence + y]
        cells[at.sequence + y] = o
    elif kind in (PASS, JOIN):
        _pass(cells, at, x, y, b, kind == JOIN)
    elif kind in (REVERSE, TURN):
        _rearrange(cells, at, min(x, y), max(x, y) + 1, kind == REVERSE)
    elif kind == DIVIDE:
        _divide(cells, at, a)
    else:
        _rearrange_steps(cells, at, _cut(cells, a - b, along, kind == REVERSE_STEPS))
    settle(cells, at)
    return True


@compiled
def settle(cells: Ints, at: Layout) -> None:
    """Take note of where the operations of the changed steps are now."""
    for t in range(cells[LOW], cells[HIGH] + 1):
        for x in range(cells[at.start + t], cells[at.start + t + 1]):
            cells[at.place + cells[at.sequence + x]] = x
            cells[at.step + x] = t


@compiled
def undo(cells: Ints, at: Layout) -> None:
    """Take the last change back."""
    if cells[FLIPPED] >= 0:
        flipped = at.resident + cells[FLIPPED]
        cells[flipped] = 1 - cells[flipped]
        return
    low, high = cells[LOW], cells[HIGH]
    for k in range(high - low + 2):
        cells[at.start + low + k] = cells[at.old_start + k]
    first = cells[at.start + low]
    for k in range(cells[at.start + high + 1] - first):
        cells[at.sequence + first + k] = cells[at.old_sequence + k]
    settle(cells, at)


@compiled
def _other_step(cells: Ints, of: Sizes, a: int, b: int, kind: int) -> int:
    """Return the step beside step a that a change concerns: step b, or one near either."""
    if kind == DIVIDE:
        return min(a + 1, of.steps)
    if kind == JOIN:
        # Now and then the step beside b, which may be empty: then the operation gets its own.
        aside = below(cells, 8)
        if aside == 0:
            return min(b + 1, of.steps)
        if aside == 1:
            return max(b - 1, 1)
    return b


@compiled
def _cut(cells: Ints, distance: int, along: bool, reverse: bool) -> int:
    """Return how many of the first steps come last; 0: reverse all."""
    if reverse:
        return 0
    if along:
        return 1 + below(cells, abs(distance))
    # The operation's own step moves beside the other one.
    return 1 if distance < 0 else distance


@compiled
def _near(cells: Ints, of: Sizes, o: int) -> int:
    """Return an operation at most two rows and columns away, often in the same groups."""
    tiles = of.rows * of.columns
    pair, tile = o // tiles, o % tiles
    pairs = of.operations // tiles
    if pairs > 1 and below(cells, 2):
        pair = below(cells, pairs)
    i = min(max(tile // of.columns + below(cells, 5) - 2, 0), of.rows - 1)
    j = min(max(tile % of.columns + below(cells, 5) - 2, 0), of.columns - 1)
    return pair * tiles + i * of.columns + j


@compiled
def _along(cells: Ints, of: Sizes, x: int) -> int:
    """Return a place behind another one: of every distance, near ones more often."""
    distance = 1 + below(cells, 2 << below(cells, 8))
    return min(x + distance, of.operations - 1)


@compiled
def _open(cells: Ints, at: Layout, low: int, high: int) -> None:
    """Copy the steps that a change may rearrange."""
    first = cells[at.start + low]
    for k in range(cells[at.start + high + 1] - first):
        cells[at.old_sequence + k] = cells[at.sequence + first + k]
    for k in range(high - low + 2):
        cells[at.old_start + k] = cells[at.start + low + k]
    cells[LOW], cells[HIGH] = low, high


@compiled
def _pass(cells: Ints, at: Layout, x: int, y: int, b: int, joins: bool) -> None:
    """Move the operation at place x to place y, or to the end of step b, which then grows."""
    a = cells[at.step + x]
    if joins:
        y = cells[at.start + b + 1] - (1 if a < b else 0)
        for t in range(min(a, b) + 1, max(a, b) + 1):
            cells[at.start + t] += -1 if a < b else 1
    o = cells[at.sequence + x]
    way = 1 if x < y else -1
    for z in range(at.sequence + x, at.sequence + y, way):
        cells[z] = cells[z + way]
    cells[at.sequence + y] = o


@compiled
def _rearrange(cells: Ints, at: Layout, x: int, y: int, reverse: bool) -> None:
    """Reverse the operations at places x to y − 1, or let some of the first ones come last."""
    old, count = at.old_sequence + x - cells[at.start + cells[LOW]], y - x
    cut = 1 + below(cells, count - 1)
    for k in range(count):
        cells[at.sequence + x + k] = cells[old + (count - 1 - k if reverse else (k + cut) % count)]


@compiled
def _rearrange_steps(cells: Ints, at: Layout, cut: int) -> None:
    """Let as many of the first steps come last as cut says; 0: reverse their order."""
    low, count = cells[LOW], cells[HIGH] - cells[LOW] + 1
    first = cells[at.old_start]
    x = first
    for k in range(count):
        t = at.old_start + ((k + cut) % count if cut else count - 1 - k)
        cells[at.start + low + k] = x
        for y in range(cells[t] - first, cells[t + 1] - first):
            cells[at.sequence + x] = cells[at.old_sequence + y]
            x += 1


@compiled
def _divide(cells: Ints, at: Layout, a: int) -> None:
    """Divide the operations of steps a and a + 1 anew."""
    first, middle, end = cells[at.start + a], cells[at.start + a + 1], cells[at.start + a + 2]
    place = first + below(cells, end - first)
    cells[at.start + a + 1] = place if place < middle else place + 1


@compiled
def _flip(cells: Ints, at: Layout, of: Sizes, o: int) -> bool:
    """Let a kernel or output block of an operation stay from its first to its last use, or not."""
    nth = below(cells, 2)
    b = cells[at.needs + o * of.taps + nth]
    if b < of.pixels:
        return False
    low, high = 1, of.steps
    if b >= of.pixels + of.kernels:
        tiles = of.rows * of.columns
        low, high = of.steps, 1
        for other in range(o % tiles, of.operations, tiles):
            if cells[at.needs + other * of.taps + nth] == b:
                step = cells[at.step + cells[at.place + other]]
                low, high = min(low, step), max(high, step)
    cells[at.resident + b] = 1 - cells[at.resident + b]
    cells[FLIPPED], cells[LOW], cells[HIGH] = b, low, high
    return True
