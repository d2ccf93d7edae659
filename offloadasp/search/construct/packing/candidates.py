"""Blockings whose operations are split so that every step is full, the most promising first."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.instance import Instance, Resolved
from offloadasp.model.problem import Problem
from offloadasp.search.construct.blocking import Blocking
from offloadasp.search.construct.packing.splits import splits
from offloadasp.search.construct.shortlist import blockings


def packable(problems: Sequence[Problem]) -> list[tuple[float, Blocking]]:
    """Return blockings with estimates of what they cost once steps are full, best first.

    Their operations are still whole; :func:`split` splits them.
    """
    found = [
        (cost, len(problem.kernel_sizes) * len(problem.channel_sizes), k, blocking)
        for k, problem in enumerate(problems)
        if problem.decomposition.tile == (1, 1) and problem.prices.compute
        for cost, blocking in blockings(problem, full=True)
    ]
    return [(cost, blocking) for cost, _, _, blocking in sorted(found, key=lambda e: e[:3])]


def split(blocking: Blocking, most: int) -> Iterator[tuple[float, Blocking]]:
    """Yield the blocking with its operations split, few operations first, with ever fuller steps.

    Parameters
    ----------
    most
        Operations at positions of a plan, at most.

    Yields
    ------
    float, Blocking
        The share of the compute actions that is left idle, and the blocking.
    """
    coarse = blocking.problem
    layer, instance = coarse.layer, coarse.instance
    kernels, channels = int(coarse.kernel_sizes.max()), int(coarse.channel_sizes.max())
    limit = coarse.accelerator.macs_per_step // (layer.kernel_shape[0] * layer.kernel_shape[1])
    pairs = most // (coarse.positions * coarse.exists.count)
    free = True, True
    if isinstance(instance, Instance):
        free = instance.fixed_kernel_groups is None, instance.fixed_channel_groups is None
    each = layer.kernels // layer.group, layer.input[0] // layer.group
    if kernels <= each[0] and channels <= each[1]:
        for parts in splits(kernels, channels, limit, pairs, free):
            yield parts.loss, _split(blocking, parts.kernels, parts.channels)
    elif all(free) and channels * each[0] == kernels * each[1] and each[0] * each[1] <= limit:
        # Groups of the convolution stay whole; parts hold the same ones of kernels and channels.
        for parts in splits(kernels // each[0], 1, limit // (each[0] * each[1]), pairs):
            sizes = [tuple(part * size for part in parts.kernels) for size in each]
            yield parts.loss, _split(blocking, *sizes)


def resplit(blocking: Blocking, most: int) -> Iterator[Blocking]:
    """Yield the blocking with its operations split otherwise, as well as can be."""
    assert blocking.coarse is not None
    options = list(split(replace(blocking, problem=blocking.coarse, coarse=None), most))
    for loss, other in options:
        if loss == options[-1][0] and other.problem.decomposition != blocking.problem.decomposition:
            yield other


def _split(blocking: Blocking, kernels: tuple[int, ...], channels: tuple[int, ...]) -> Blocking:
    """Return the blocking with every group of kernels, and of channels, in parts of these sizes."""
    coarse = blocking.problem
    decomposition = Resolved(
        tile=coarse.decomposition.tile,
        kernel_groups=_groups(coarse.kernel_sizes, kernels),
        channel_groups=_groups(coarse.channel_sizes, channels),
    )
    fine = coarse.with_decomposition(decomposition)
    return replace(blocking, problem=fine, coarse=coarse)


def _groups(sizes: IntArray, parts: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Split groups of some sizes like the largest of them; smaller ones lose first parts."""
    total, ends = 0, [0]
    stops = np.cumsum(parts)
    for size in sizes.tolist():
        inner = np.maximum(stops - (stops[-1] - size), 0)
        ends += [total + int(stop) for stop in inner if stop > 0]
        total += size
    return tuple(pairwise(ends))
