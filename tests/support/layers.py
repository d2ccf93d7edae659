"""Small layers on small accelerators, drawn by hypothesis or made by hand."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
from hypothesis import strategies as st

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import (
    Accelerator,
    Energy,
    Layer,
    Precision,
    Resolved,
    ResolvedInstance,
)
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem, problem_of
from offloadasp.model.strategy import Strategy, steps_of
from offloadasp.search import baselines
from offloadasp.search.construct.construct import Constructor
from offloadasp.search.construct.residency import plan_of

Span = tuple[int, int]


@st.composite
def splits(draw: st.DrawFn, total: int) -> tuple[Span, ...]:
    """Any contiguous groups of ``total`` things, uneven ones included."""
    cuts = sorted(draw(st.sets(st.integers(1, total - 1)))) if total > 1 else []
    stops = [0, *cuts, total]
    return tuple(pairwise(stops))


@st.composite
def layers(draw: st.DrawFn, side: int = 6, reach: int = 3, channels: int = 2) -> Layer:
    """Layers of every kind: grouped, depthwise, strided, padded unevenly, dilated, with a bias.

    Parameters
    ----------
    side
        Largest side of the input.
    reach
        Largest side of the kernel; strides go one further.
    channels
        Most channels, and most kernels, of one convolution group; up to three groups.
    """
    small = st.integers(1, reach)
    kernel_shape = draw(st.tuples(small, small))
    dilations = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    pads = draw(st.tuples(*[st.integers(0, 2)] * 4))
    sides = []
    for axis in (0, 1):
        span = dilations[axis] * (kernel_shape[axis] - 1) + 1
        least = max(1, span - pads[axis] - pads[axis + 2])
        sides.append(draw(st.integers(least, max(least, side))))
    group = draw(st.integers(1, 3))
    return Layer(
        input=(group * draw(st.integers(1, channels)), sides[0], sides[1]),
        kernels=group * draw(st.integers(1, channels)),
        kernel_shape=kernel_shape,
        strides=draw(st.tuples(st.integers(1, reach + 1), st.integers(1, reach + 1))),
        pads=pads,
        dilations=dilations,
        group=group,
        bias=draw(st.booleans()),
    )


RATES = st.sampled_from([Fraction(0), Fraction(1), Fraction(3), Fraction(1, 4), Fraction(5, 2)])
ENERGIES = st.builds(Energy, load=RATES, write=RATES, mac=RATES, compute=RATES, static=RATES)
PRECISIONS = st.builds(
    Precision,
    input=st.integers(1, 3),
    weight=st.integers(1, 3),
    output=st.integers(0, 5),
    partial_sum=st.integers(1, 5),
)


@st.composite
def problems(
    draw: st.DrawFn,
    layer: st.SearchStrategy[Layer] | None = None,
    *,
    tiled: bool = True,
    grouped: bool = True,
) -> Problem:
    """Problems with any decomposition, in which each operation can be computed at all.

    The memory lies between what the largest operation needs and what all blocks take.
    """
    drawn = draw(layers() if layer is None else layer)
    _, height, width = drawn.output_shape
    tile = draw(st.tuples(st.integers(1, height), st.integers(1, width))) if tiled else (1, 1)
    kernel_groups = draw(splits(drawn.kernels)) if grouped else ((0, drawn.kernels),)
    channel_groups = draw(splits(drawn.input[0])) if grouped else ((0, drawn.input[0]),)
    problem = problem_with(
        drawn,
        accelerator(),
        draw(PRECISIONS),
        Resolved(tile=tile, kernel_groups=kernel_groups, channel_groups=channel_groups),
    )
    largest = int(problem.operation_macs.max()) * tile[0] * tile[1]
    chip = accelerator(
        memory=draw(st.integers(least_memory(problem), problem.all_bytes)),
        load=draw(RATES),
        write=draw(RATES),
        compute=draw(RATES),
        macs=largest * draw(st.integers(1, 4)) + draw(st.integers(0, largest)),
    )
    energy = draw(st.none() | ENERGIES)
    return problem_with(drawn, chip, problem.precision, problem.decomposition, energy=energy)


def least_memory(problem: Problem) -> int:
    """Bytes that the largest operation needs by itself, its outputs at their larger size."""
    height, width = problem.decomposition.tile
    rows, columns = (taps(problem.layer, axis) for axis in (0, 1))
    pixels = max(
        int(rows[i : i + height].any(axis=0).sum()) for i in range(0, len(rows), height)
    ) * max(int(columns[j : j + width].any(axis=0).sum()) for j in range(0, len(columns), width))
    outputs = height * width * np.maximum(problem.partial_bytes, problem.output_bytes)
    n, q = problem.exists.every()
    needed = pixels * problem.pixel_bytes[q] + problem.kernel_bytes[n, q] + outputs[n]
    return int(needed.max())


def taps(layer: Layer, axis: int) -> BoolArray:
    """Which input rows (columns) each output row (column) uses: (Ho, H) or (Wo, W)."""
    inputs, outputs = layer.input[1 + axis], layer.output_shape[1 + axis]
    mask = np.zeros((outputs, inputs), dtype=np.bool_)
    for output, tap in product(range(outputs), range(layer.kernel_shape[axis])):
        at = output * layer.strides[axis] + tap * layer.dilations[axis] - layer.pads[axis]
        if 0 <= at < inputs:
            mask[output, at] = True
    return mask


def shared(problem: Problem) -> IntArray:
    """Channels that each kernel shares with a channel group, summed by kernel group: (N, Q)."""
    layer, groups = problem.layer, problem.decomposition
    found = np.zeros((len(groups.kernel_groups), len(groups.channel_groups)), dtype=np.int64)
    for (n, kernels), (q, channels) in product(
        enumerate(groups.kernel_groups), enumerate(groups.channel_groups)
    ):
        for k, c in product(range(*kernels), range(*channels)):
            ours, theirs = k * layer.group // layer.kernels, c * layer.group // layer.input[0]
            found[n, q] += ours == theirs
    return found


def accelerator(
    memory: int = 10**6,
    load: Fraction | int = 1,
    write: Fraction | int = 1,
    compute: Fraction | int = 1,
    macs: int = 10**6,
    mac: Fraction | int = 0,
) -> Accelerator:
    """An accelerator on which, by default, everything fits."""
    return Accelerator(
        memory=memory,
        load_cycles=Fraction(load),
        write_cycles=Fraction(write),
        compute_cycles=Fraction(compute),
        macs_per_step=macs,
        mac_cycles=Fraction(mac),
    )


def problem_with(
    layer: Layer,
    chip: Accelerator,
    precision: Precision,
    decomposition: Resolved,
    name: str = "test",
    energy: Energy | None = None,
) -> Problem:
    """A problem without a file."""
    instance = ResolvedInstance(
        name=name,
        layer=layer,
        accelerator=chip,
        precision=precision,
        energy=energy,
        decomposition=decomposition,
    )
    return problem_of(instance, decomposition)


def on_accelerator(problem: Problem, chip: Accelerator) -> Problem:
    """The same layer on another accelerator, whose rates are the prices."""
    instance = problem.resolved_instance().model_copy(update={"accelerator": chip})
    return problem_of(instance, problem.decomposition)


def with_energy(problem: Problem, energy: Energy) -> Problem:
    """The same layer on an accelerator whose energy is known."""
    instance = problem.resolved_instance().model_copy(update={"energy": energy})
    return problem_of(instance, problem.decomposition)


def with_memory(problem: Problem, memory: int) -> Problem:
    """The same layer on an accelerator with so many bytes on chip."""
    chip = problem.accelerator.model_copy(update={"memory": memory})
    return on_accelerator(problem, chip).at(problem.prices)


def strategy_of(problem: Problem, plan: Plan) -> Strategy:
    """Return a plan, valid or not, as a strategy; the durations it states are not meant."""
    return Strategy(
        instance=problem.resolved_instance(),
        duration=Fraction(0),
        lower_bound=Fraction(0),
        status="feasible",
        steps=steps_of(plan),
    )


# Its plan along one traversal has thousands of steps.
VGG = Layer(input=(3, 224, 224), kernels=64, kernel_shape=(3, 3), pads=(1, 1, 1, 1))


def plan_by_one_traversal(layer: Layer, memory: int, macs_per_step: int) -> Strategy:
    """Return a strategy along the traversal that looks best, without any further search."""
    resolved = Resolved(kernel_groups=((0, layer.kernels),), channel_groups=((0, layer.input[0]),))
    rates = {"load_cycles": 1, "write_cycles": 1, "compute_cycles": 16}
    accelerator = Accelerator.model_validate(
        {"memory": memory, "macs_per_step": macs_per_step, **rates}
    )
    given = problem_with(layer, accelerator, Precision(), resolved, name="planned")
    best = Constructor([given], Clock(evaluations=1), 0).run().overall
    assert best is not None
    return baselines.strategy_of(plan_of(given, best.schedule))
