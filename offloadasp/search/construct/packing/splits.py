"""How to split groups so that whole operations fill compute actions.

Which sizes fill a step together is a cutting-stock problem in two dimensions: an operation does as
much as its kernels times its channels. Splits are drawn at random, always the same ones, and each
is judged by packing the operations of some positions.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from offloadasp.search.construct.packing.fill import packed

# Splits that are drawn for one pair of groups, and the steps that each is judged by.
_DRAWN, _STEPS = 160, 48
# Parts of a group of channels, at most.
_CHANNEL_PARTS = 3
# Splits without loss that are kept: where one needs a step too many in the end, another may not.
_FULL = 4
# A loss of less than this is none.
_NOTHING = 1e-6
# Positions whose operations may wait beside those of a step, and operations at least.
_WAITING, _FEW = 2, 16


@dataclass(frozen=True)
class Split:
    """Parts of a kernel group and of a channel group.

    Attributes
    ----------
    kernels, channels
        Sizes of the parts.
    loss
        The share of full compute actions that is left idle.
    """

    kernels: tuple[int, ...]
    channels: tuple[int, ...]
    loss: float

    @property
    def pairs(self) -> int:
        """Operations that one becomes."""
        return len(self.kernels) * len(self.channels)


def looking_ahead(pairs: int) -> int:
    """Return how many operations to look ahead, where a position has so many together."""
    return max(_FEW, _WAITING * pairs)


@lru_cache(maxsize=256)
def splits(
    kernels: int, channels: int, limit: int, most: int, free: tuple[bool, bool] = (True, True)
) -> tuple[Split, ...]:
    """Return splits of a pair of groups: fewest operations first, each better than those before.

    The last ones may be several that lose nothing.

    Parameters
    ----------
    kernels, channels
        Sizes of the groups.
    limit
        Pairs of a kernel and a channel at one position that a compute action has room for.
    most
        Parts of one operation, at most.
    free
        Whether the group of kernels may be split, and whether that of channels.
    """
    found: list[Split] = []
    full: list[Split] = []
    for kernel_parts, channel_parts in _drawn(kernels, channels, limit, most, free):
        loss = idle_share(kernel_parts, channel_parts, limit)
        split = Split(kernel_parts, channel_parts, loss)
        if loss < _NOTHING:
            full.append(replace(split, loss=0.0))
        elif all(loss < other.loss or split.pairs < other.pairs for other in found):
            found = [other for other in found if other.pairs < split.pairs or other.loss < loss]
            found.append(split)
        if len(full) == _FULL:
            break
    most_of_full = min((split.pairs for split in full), default=most + 1)
    kept = [split for split in found if split.pairs < most_of_full]
    return (*sorted(kept, key=lambda split: split.pairs), *full)


def idle_share(kernels: tuple[int, ...], channels: tuple[int, ...], limit: int) -> float:
    """Return the share of compute actions that parts leave idle, by packing some of them."""
    sizes = [n * q for n in kernels for q in channels]
    positions = max(1, -(-_STEPS * limit // sum(sizes)))
    stream = sizes * positions
    steps = packed(stream, limit, looking_ahead(len(sizes)))
    # The last steps run out of operations, which says nothing.
    counted = steps[: max(1, len(steps) * 7 // 8)]
    done = sum(stream[k] for step in counted for k in step)
    return 1 - done / (limit * len(counted))


def _drawn(
    kernels: int, channels: int, limit: int, most: int, free: tuple[bool, bool]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield parts of both groups, fewest operations first; none does more than a step."""
    generator = random.Random(0)
    least = max(1, -(-kernels * channels // limit))
    numbers = [
        (n * q, n, q)
        for q in range(1, min(_CHANNEL_PARTS if free[1] else 1, channels, most) + 1)
        for n in range(1, min(kernels if free[0] else 1, most // q) + 1)
        if n * q >= least
    ]
    seen = set()
    each = max(2, _DRAWN // max(1, len(numbers)))
    if free[0]:
        yield from ((parts, (channels,)) for parts in _filling(kernels, limit // channels, most))
    for _, n, q in sorted(numbers):
        for _ in range(1 if n == q == 1 else each):
            parts = _parts(kernels, n, generator), _parts(channels, q, generator)
            if parts not in seen and parts[0][0] * parts[1][0] <= limit:
                seen.add(parts)
                yield parts


def _filling(total: int, size: int, most: int) -> Iterator[tuple[int, ...]]:
    """Yield parts that fill a step each, with the rest in some equal parts."""
    if 0 < size < total:
        full, rest = divmod(total, size)
        for count in range(1, min(rest, most - full) + 1):
            if rest % count == 0 and size % (rest // count) == 0:
                yield (size,) * full + (rest // count,) * count


def _parts(total: int, count: int, generator: random.Random) -> tuple[int, ...]:
    """Draw so many parts, the largest first: alike, of random sizes, or some alike and a rest."""
    kind = generator.randrange(4)
    if kind == 0 or count == 1:
        size, more = divmod(total, count)
        return (size + 1,) * more + (size,) * (count - more)
    if kind == 1:
        alike = generator.randint(1, count - 1)
        size = generator.randint(1, max(1, (total - count + alike) // alike))
        rest = total - size * alike
        if rest >= count - alike:
            parts = (size,) * alike + _random_parts(rest, count - alike, generator)
            return tuple(sorted(parts, reverse=True))
    return _random_parts(total, count, generator)


def _random_parts(total: int, count: int, generator: random.Random) -> tuple[int, ...]:
    """Draw so many sizes, from about alike to very different ones."""
    power = generator.choice((1, 2, 3))
    weights = [generator.random() ** power for _ in range(count)]
    spare = total - count
    parts = [1 + int(spare * weight / sum(weights)) for weight in weights]
    parts[parts.index(max(parts))] += total - sum(parts)
    return tuple(sorted(parts, reverse=True))
