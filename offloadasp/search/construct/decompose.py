"""The decompositions that ``auto`` leaves open, coarse ones first."""

import itertools
from collections.abc import Iterator, Sequence

from offloadasp.model.instance import Instance, Layer, Resolved, split_evenly
from offloadasp.model.problem import coarsest, finest

Groups = tuple[tuple[int, int], ...]

# More pairs of groups than this are not tried, the finest decomposition excepted: by then every
# kernel block is small beside the pixels.
_PAIRS_LIMIT = 1024


def scope(instance: Instance) -> Resolved:
    """Return the decomposition to which bounds refer: as fixed, and the finest where ``auto``.

    It contains every decomposition that the search may choose, since blocks and operations of a
    coarser one are unions of its own.
    """
    fine = finest(instance.layer)
    tile = instance.choice.tile
    return Resolved(
        tile=(1, 1) if tile == "auto" else tile,
        kernel_groups=instance.fixed_kernel_groups or fine.kernel_groups,
        channel_groups=instance.fixed_channel_groups or fine.channel_groups,
    )


def coarsest_in_scope(instance: Instance) -> Resolved:
    """Return the decomposition that divides least: as fixed, and the coarsest where ``auto``.

    Its blocks and operations are unions of those of every other in `scope`.
    """
    coarse, tile = coarsest(instance.layer), instance.choice.tile
    return Resolved(
        tile=coarse.tile if tile == "auto" else tile,
        kernel_groups=instance.fixed_kernel_groups or coarse.kernel_groups,
        channel_groups=instance.fixed_channel_groups or coarse.channel_groups,
    )


def decompositions(instance: Instance) -> list[Resolved]:
    """Return what the search tries: every number of even groups with its own largest size.

    In a grouped convolution, groups of kernels and channels are cut along the convolution's own
    groups, so that a kernel group does not touch channel groups with which it shares little.
    """
    base = scope(instance)
    pairs = [pair for pair in _even(instance) if len(pair[0]) * len(pair[1]) <= _PAIRS_LIMIT]
    pairs.sort(key=lambda pair: (len(pair[0]) * len(pair[1]), len(pair[1])))
    found = [Resolved(tile=base.tile, kernel_groups=n, channel_groups=q) for n, q in pairs]
    return found if base in found else [*found, base]


def finer(instance: Instance, least: int, most: int) -> Iterator[Resolved]:
    """Yield what `decompositions` leaves out, of so many pairs that have operations, few first.

    Where the memory is too small for all that it returns, these lie between them and the finest
    decomposition, of which a large layer has far too many operations.
    """
    layer = instance.layer
    aligned = layer.group > 1 and not (
        instance.fixed_kernel_groups or instance.fixed_channel_groups
    )
    found: list[tuple[int, int, Groups, Groups]] = []
    for kernels, channels in _even(instance):
        n, q = len(kernels), len(channels)
        # Aligned groups meet those of the same convolution groups only.
        count = n * q // min(n, q, layer.group) if aligned else n * q
        if n * q > _PAIRS_LIMIT and least <= count <= most:
            found.append((count, q, kernels, channels))
    for _, _, kernels, channels in sorted(found, key=lambda entry: entry[:2]):
        yield Resolved(tile=scope(instance).tile, kernel_groups=kernels, channel_groups=channels)


def _even(instance: Instance) -> list[tuple[Groups, Groups]]:
    """Return the pairs of even groups of kernels and of channels, of every size of the largest."""
    layer = instance.layer
    kernels, channels = instance.fixed_kernel_groups, instance.fixed_channel_groups
    if layer.group > 1 and not (kernels or channels):
        return _aligned(layer)
    return list(
        itertools.product(
            [kernels] if kernels else _splits(layer.kernels),
            [channels] if channels else _splits(layer.input[0]),
        )
    )


def _counts(total: int) -> Sequence[int]:
    """Return the numbers of groups to try: the least one for each size of the largest group."""
    return sorted({-(-total // size) for size in range(1, total + 1)})


def _splits(total: int) -> list[Groups]:
    return [split_evenly(total, count) for count in _counts(total)]


def _aligned(layer: Layer) -> list[tuple[Groups, Groups]]:
    group = layer.group
    whole = [count for count in range(1, group + 1) if group % count == 0]
    pairs = [(split_evenly(layer.kernels, x), split_evenly(layer.input[0], x)) for x in whole]
    kernels, channels = layer.kernels // group, layer.input[0] // group
    for n, q in itertools.product(_counts(kernels), _counts(channels)):
        if n * q > 1:
            pairs.append((_within(layer.kernels, group, n), _within(layer.input[0], group, q)))
    return pairs


def _within(total: int, group: int, parts: int) -> Groups:
    size = total // group
    return tuple(
        (start + a, start + b)
        for start in range(0, total, size)
        for a, b in split_evenly(size, parts)
    )
