"""Tiny problems of every kind for the tests of bounds, drawn by hypothesis."""

import itertools
from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from offloadasp.bounds import least_memory
from offloadasp.model.instance import Layer, Resolved
from offloadasp.model.problem import Problem, finest
from tests.engines.exhaustive import game_of
from tests.support.layers import (
    ENERGIES,
    PRECISIONS,
    RATES,
    accelerator,
    problem_with,
    splits,
    with_memory,
)

PADS = st.sampled_from([0, 0, 0, 1, 2])


@st.composite
def small_layers(
    draw: st.DrawFn, positions: int = 6, kernel: int = 3, *, single: bool = False
) -> Layer:
    """Layers with few outputs: strided (over the kernel too), padded, dilated, grouped, ragged.

    Parameters
    ----------
    positions
        Most output positions.
    kernel
        Largest side of the kernel.
    single
        One channel and one kernel without bias.
    """
    height = draw(st.integers(1, positions))
    outputs = (height, draw(st.integers(1, positions // height)))
    kernel_shape = draw(st.tuples(st.integers(1, kernel), st.integers(1, kernel)))
    strides = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilations = draw(st.tuples(st.sampled_from([1, 1, 2, 3]), st.sampled_from([1, 1, 2, 3])))
    pads = list(draw(st.tuples(PADS, PADS, PADS, PADS)))
    sides = []
    for axis in (0, 1):
        span = (outputs[axis] - 1) * strides[axis] + dilations[axis] * (kernel_shape[axis] - 1) + 1
        ragged = draw(st.integers(0, strides[axis] - 1))
        if span + ragged <= pads[axis] + pads[axis + 2]:  # no input would be left
            pads[axis] = pads[axis + 2] = 0
        sides.append(span + ragged - pads[axis] - pads[axis + 2])
    group = 1 if single else draw(st.sampled_from([1, 1, 1, 2, 3]))
    most = 1 if single else 3 if group == 1 else 2
    return Layer(
        input=(group * draw(st.integers(1, most)), sides[0], sides[1]),
        kernels=group * draw(st.integers(1, min(most, 2))),
        kernel_shape=kernel_shape,
        strides=strides,
        pads=(pads[0], pads[1], pads[2], pads[3]),
        dilations=dilations,
        group=group,
        bias=not single and draw(st.booleans()),
    )


@st.composite
def decompositions(draw: st.DrawFn, layer: Layer) -> Resolved:
    """Any groups and small tiles, or the finest decomposition."""
    if draw(st.integers(0, 2)) == 0:
        return finest(layer)
    _, height, width = layer.output_shape
    tile = (1, 1)
    if draw(st.booleans()):
        tile = (draw(st.integers(1, min(2, height))), draw(st.integers(1, min(3, width))))
    return Resolved(
        tile=tile,
        kernel_groups=draw(splits(layer.kernels)),
        channel_groups=draw(splits(layer.input[0])),
    )


@st.composite
def tiny_problems(draw: st.DrawFn, operations: int, blocks: int, kernel: int = 3) -> Problem:
    """Problems with at most so many operations and input blocks, on ample memory."""

    def is_tiny(problem: Problem) -> bool:
        pairs = problem.exists.count
        pixels = int(problem.used.sum()) * len(problem.pixel_bytes)
        tiles = problem.tile_grid[0] * problem.tile_grid[1]
        return pairs * tiles <= operations and pixels + pairs <= blocks

    layer = draw(small_layers(positions=operations, kernel=kernel))
    problem = problem_with(layer, accelerator(), draw(PRECISIONS), draw(decompositions(layer)))
    if not is_tiny(problem):
        problem = draw(
            st.builds(
                lambda precision: problem_with(layer, accelerator(), precision, _coarse(layer)),
                PRECISIONS,
            ).filter(is_tiny)
        )
    return problem


def _coarse(layer: Layer) -> Resolved:
    return Resolved(
        tile=(1, 1),
        kernel_groups=((0, layer.kernels),),
        channel_groups=((0, layer.input[0]),),
    )


@st.composite
def tight_problems(
    draw: st.DrawFn, operations: int = 6, blocks: int = 14, kernel: int = 3
) -> Problem:
    """Tiny problems on about the least memory, some with few MACs a step, at drawn prices."""
    problem = draw(tiny_problems(operations, blocks, kernel))
    macs = [operation.macs for operation in game_of(problem).operations]
    steps = draw(st.sampled_from([max(macs), max(macs) * 2, sum(macs)]))
    problem = problem_with(
        problem.layer,
        accelerator(
            load=draw(RATES),
            write=draw(RATES),
            compute=draw(RATES),
            macs=steps,
            mac=draw(st.sampled_from([Fraction(0), Fraction(2, 31)])),
        ),
        problem.precision,
        problem.decomposition,
        energy=draw(ENERGIES),
    )
    return with_memory(problem, max(1, least_memory(problem).value + draw(st.integers(-1, 12))))


def without_bias_if_grouped(problem: Problem) -> Problem:
    """What the footprints speak of: they leave the biases of grouped layers out."""
    layer = problem.layer
    if layer.group == 1:
        return problem
    plain = layer.model_copy(update={"bias": False})
    instance = problem.resolved_instance().model_copy(update={"layer": plain})
    return replace(problem, instance=instance)


def input_lines(layer: Layer, axis: int, tile: int) -> list[set[int]]:
    """The input rows (axis 0) or columns (axis 1) that each row (column) of tiles uses."""
    outputs, size = layer.output_shape[1 + axis], layer.input[1 + axis]
    found = []
    for first in range(0, outputs, tile):
        lines: set[int] = set()
        for i, t in itertools.product(
            range(first, min(first + tile, outputs)), range(layer.kernel_shape[axis])
        ):
            at = i * layer.strides[axis] - layer.pads[axis] + t * layer.dilations[axis]
            if 0 <= at < size:
                lines.add(at)
        found.append(lines)
    return found


def unions(sets: list[int]) -> list[int]:
    """The union of every subset of bit sets, indexed by the subset as a bit set."""
    out = [0]
    for members in sets:
        out += [union | members for union in out]
    return out


def least_by_count(values: list[int], members: int) -> list[int]:
    """The least value over the subsets of each size; ``values`` by subset as a bit set."""
    least = [min(values)] * (members + 1)
    for count in range(members + 1):
        least[count] = min(v for subset, v in enumerate(values) if subset.bit_count() == count)
    return least
