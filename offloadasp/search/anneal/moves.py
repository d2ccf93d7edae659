"""Moves: small changes of an arrangement, each in the operations of a few consecutive steps.

Most begin with an operation and one near it: near on the output, in the same or in other groups.
Such operations share blocks, so it pays to compute them together or soon after each other.
"""

from enum import IntEnum

from offloadasp.search.anneal.numba_or_python import compiled
from offloadasp.search.anneal.state import LayerData, Random, State


class Move(IntEnum):
    """What a move does with two operations or their steps, or with a block."""

    SWAP = 0  # two operations change places
    PASS = 1  # one moves to another's place; each step between gives an operation on
    JOIN = 2  # one joins the step of another
    REVERSE = 3  # the operations in a row are reversed
    TURN = 4  # the first ones of operations in a row come last
    REVERSE_STEPS = 5  # steps in a row are reversed
    TURN_STEPS = 6  # the first ones of steps in a row come last
    DIVIDE = 7  # two consecutive steps divide their operations anew
    FLIP = 8  # a kernel or output block becomes resident, or no longer is


# One of eight partners is near the operation in the sequence, the others are near on the output.
_ALONG = 8
_32_BITS = 0xFFFFFFFF


@compiled
def below(random: Random, limit: int) -> int:
    """Return a random number from 0 to limit − 1 (xorshift of 32 bits; Marsaglia, 2003)."""
    x = random.state
    x ^= (x << 13) & _32_BITS
    x ^= x >> 17
    x ^= (x << 5) & _32_BITS
    random.state = x
    return (x * limit) >> 32


@compiled
def apply_move(state: State, move: int) -> bool:
    """Change the arrangement by a :class:`Move` at random; return False where nothing came of it.

    ``state.change`` says in which steps, and :func:`undo_move` takes it back.
    """
    layer, random, positions = state.layer, state.random, state.positions
    state.change.flipped = -1
    operation = below(random, layer.operations)
    if move == Move.FLIP:
        return _flip(state, operation)
    here = positions.place[operation]
    along = below(random, _ALONG) == 0
    if along:
        there = _place_behind(random, layer, here)
    else:
        there = positions.place[_operation_near(random, layer, operation)]
    step = positions.step[here]
    other = _other_step(random, step, positions.step[there], state.steps, move)
    if step == other:
        return False
    _open(state, min(step, other), max(step, other))
    if move == Move.DIVIDE:
        _divide(state, step)
    elif move == Move.JOIN:
        _join(state, here, other)
    elif move == Move.REVERSE_STEPS:
        _rearrange_steps(state, 0)
    elif move == Move.TURN_STEPS:
        _rearrange_steps(state, _first_steps(random, step - other, along))
    else:
        _rearrange_operations(state, move, here, there)
    note_positions(state)
    return True


@compiled
def undo_move(state: State) -> None:
    """Take the last move back."""
    sequence, start, resident = state.arrangement
    flipped, first, last = state.change.flipped, state.change.first_step, state.change.last_step
    if flipped >= 0:
        resident[flipped] = 1 - resident[flipped]
        return
    for k in range(last - first + 2):
        start[first + k] = state.undo.start[k]
    place = start[first]
    for k in range(start[last + 1] - place):
        sequence[place + k] = state.undo.sequence[k]
    note_positions(state)


@compiled
def note_positions(state: State) -> None:
    """Take note of where the operations of the changed steps are now."""
    sequence, start, _ = state.arrangement
    for step in range(state.change.first_step, state.change.last_step + 1):
        for place in range(start[step], start[step + 1]):
            state.positions.place[sequence[place]] = place
            state.positions.step[place] = step


@compiled
def _operation_near(random: Random, layer: LayerData, operation: int) -> int:
    """Return an operation at most two rows and columns away, often in the same groups."""
    tiles = layer.rows * layer.columns
    pair, tile = operation // tiles, operation % tiles
    pairs = layer.operations // tiles
    if pairs > 1 and below(random, 2):
        pair = below(random, pairs)
    row = min(max(tile // layer.columns + below(random, 5) - 2, 0), layer.rows - 1)
    column = min(max(tile % layer.columns + below(random, 5) - 2, 0), layer.columns - 1)
    return pair * tiles + row * layer.columns + column


@compiled
def _place_behind(random: Random, layer: LayerData, place: int) -> int:
    """Return a place behind another one: at every distance, near ones more often."""
    distance = 1 + below(random, 2 << below(random, 8))
    return min(place + distance, layer.operations - 1)


@compiled
def _other_step(random: Random, step: int, partner: int, steps: int, move: int) -> int:
    """Return the other step that a move concerns: the partner's, or one near either."""
    if move == Move.DIVIDE:
        return min(step + 1, steps)
    if move == Move.JOIN:
        # Now and then the step beside it, which may be empty: then the operation gets its own.
        aside = below(random, 8)
        if aside == 0:
            return min(partner + 1, steps)
        if aside == 1:
            return max(partner - 1, 1)
    return partner


@compiled
def _open(state: State, first: int, last: int) -> None:
    """Copy the steps that a move may rearrange."""
    sequence, start, _ = state.arrangement
    place = start[first]
    for k in range(start[last + 1] - place):
        state.undo.sequence[k] = sequence[place + k]
    for k in range(last - first + 2):
        state.undo.start[k] = start[first + k]
    state.change.first_step, state.change.last_step = first, last


@compiled
def _rearrange_operations(state: State, move: int, here: int, there: int) -> None:
    """Make a move that changes the order of the operations from one place to another."""
    if move == Move.SWAP:
        _swap(state, here, there)
    elif move == Move.PASS:
        _pass(state, here, there)
    elif move == Move.REVERSE:
        _reverse(state, min(here, there), max(here, there) + 1)
    else:
        _turn(state, min(here, there), max(here, there) + 1)


@compiled
def _swap(state: State, here: int, there: int) -> None:
    """Let the operations at two places change places."""
    sequence = state.arrangement.sequence
    operation = sequence[here]
    sequence[here] = sequence[there]
    sequence[there] = operation


@compiled
def _pass(state: State, here: int, there: int) -> None:
    """Move the operation at one place to another; the operations between make way."""
    sequence = state.arrangement.sequence
    operation = sequence[here]
    way = 1 if here < there else -1
    for place in range(here, there, way):
        sequence[place] = sequence[place + way]
    sequence[there] = operation


@compiled
def _join(state: State, here: int, other: int) -> None:
    """Move the operation at a place to the end of another step, which then grows."""
    start, step = state.arrangement.start, state.positions.step[here]
    earlier = step < other
    there = start[other + 1] - (1 if earlier else 0)
    for moved in range(min(step, other) + 1, max(step, other) + 1):
        start[moved] += -1 if earlier else 1
    _pass(state, here, there)


@compiled
def _reverse(state: State, first: int, end: int) -> None:
    """Reverse the operations at the places from the first to before the end."""
    # This number is not used. It is drawn so that the ones after it stay what they were.
    below(state.random, end - first - 1)
    old = state.undo.sequence
    mirror = end - 1 - state.arrangement.start[state.change.first_step]
    for k in range(end - first):
        state.arrangement.sequence[first + k] = old[mirror - k]


@compiled
def _turn(state: State, first: int, end: int) -> None:
    """Let the first ones of the operations from one place to before the end come last."""
    old, count = state.undo.sequence, end - first
    shift = first - state.arrangement.start[state.change.first_step]
    cut = 1 + below(state.random, count - 1)
    for k in range(count):
        state.arrangement.sequence[first + k] = old[shift + (k + cut) % count]


@compiled
def _first_steps(random: Random, distance: int, along: bool) -> int:
    """Return how many of the first steps come last."""
    if along:
        return 1 + below(random, abs(distance))
    # The operation's own step moves beside the other one.
    return 1 if distance < 0 else distance


@compiled
def _rearrange_steps(state: State, cut: int) -> None:
    """Let as many of the first steps come last as cut says; 0: reverse their order."""
    sequence, start, _ = state.arrangement
    old_sequence, old_start = state.undo
    first, count = state.change.first_step, state.change.last_step - state.change.first_step + 1
    place = old_start[0]
    shift = place
    for k in range(count):
        moved = (k + cut) % count if cut else count - 1 - k
        start[first + k] = place
        for old in range(old_start[moved] - shift, old_start[moved + 1] - shift):
            sequence[place] = old_sequence[old]
            place += 1


@compiled
def _divide(state: State, step: int) -> None:
    """Divide the operations of a step and the next one anew."""
    start = state.arrangement.start
    first, middle, end = start[step], start[step + 1], start[step + 2]
    place = first + below(state.random, end - first)
    start[step + 1] = place if place < middle else place + 1


@compiled
def _flip(state: State, operation: int) -> bool:
    """Let a kernel or output block of an operation be resident, or no longer."""
    layer, resident = state.layer, state.arrangement.resident
    nth = below(state.random, 2)
    block = layer.needs[operation * layer.taps + nth]
    if block < layer.pixels:
        return False
    resident[block] = 1 - resident[block]
    first, last = 1, state.steps
    if block >= layer.pixels + layer.kernels:
        first, last = _span(state, operation, block, nth)
    state.change.flipped, state.change.first_step, state.change.last_step = block, first, last
    return True


@compiled
def _span(state: State, operation: int, block: int, nth: int) -> tuple[int, int]:
    """Return the first and the last step that use an output, the nth need of an operation."""
    layer, positions = state.layer, state.positions
    tiles = layer.rows * layer.columns
    first, last = state.steps, 1
    for other in range(operation % tiles, layer.operations, tiles):
        if layer.needs[other * layer.taps + nth] == block:
            step = positions.step[positions.place[other]]
            first, last = min(first, step), max(last, step)
    return first, last
