"""The lower bound against exact optima, known figures, and what certificates prove."""

import itertools
import json
import tracemalloc
from fractions import Fraction
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.base.arrays import IntArray
from offloadasp.base.errors import InputError
from offloadasp.bounds import Bound, least_memory, lower_bound, verify_certificate
from offloadasp.bounds.geometry.operations import OperationFootprint
from offloadasp.bounds.view import View
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.objectives import prices_of
from offloadasp.model.problem import Problem, finest
from tests.engines.exhaustive import game_of, optimal_duration, optimum
from tests.support.bounds_cases import small_layers, tight_problems
from tests.support.layers import accelerator, problem_with, problems, with_memory


def resident(layer: Layer, memory: int, precision: Precision | None = None) -> Problem:
    """All kernels and channels in one group, one patch a step at most, loads alone count."""
    whole = Resolved(
        tile=(1, 1), kernel_groups=((0, layer.kernels),), channel_groups=((0, layer.input[0]),)
    )
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    macs = taps * layer.kernels * layer.input[0]
    chip = accelerator(memory=memory, write=0, compute=0, macs=macs)
    return problem_with(layer, chip, precision or Precision(output=0), whole)


@given(tight_problems())
@settings(max_examples=150, deadline=None)
def test_bound_never_exceeds_the_optimum(problem: Problem) -> None:
    optimum = optimal_duration(problem)
    if optimum is not None:
        assert lower_bound(problem).value <= optimum


@given(tight_problems())
@settings(max_examples=80, deadline=None)
def test_a_bound_on_the_energy_never_exceeds_the_optimum_and_holds_all_macs(
    problem: Problem,
) -> None:
    energy = problem.instance.energy
    assert energy is not None
    bound = lower_bound(problem.at(prices_of("energy", problem.instance)))
    all_macs = energy.mac * sum(operation.macs for operation in game_of(problem).operations)
    assert bound.value >= all_macs
    found = optimum(problem, ["energy"])
    if found is not None:
        assert bound.value <= found[0]


@pytest.mark.parametrize(("height", "width"), [(3, 3), (3, 4)])
@pytest.mark.parametrize("more", range(4))
def test_bound_never_exceeds_the_optimum_with_padding_all_round(
    height: int, width: int, more: int
) -> None:
    layer = Layer(input=(1, height, width), kernels=1, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    problem = resident(layer, 9 + 9 + more)
    optimum = optimal_duration(problem)
    assert optimum is not None
    assert lower_bound(problem).value <= optimum


@given(small_layers(positions=9, kernel=3, single=True), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_bound_never_exceeds_the_optimum_with_a_resident_kernel(layer: Layer, more: int) -> None:
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    problem = resident(layer, 2 * taps + more)
    optimum = optimal_duration(problem)
    assert optimum is not None
    assert lower_bound(problem).value <= optimum


@given(problems())
@settings(max_examples=60, deadline=None)
def test_certificate_proves_exactly_the_bound_after_a_round_trip_through_json(
    problem: Problem,
) -> None:
    bound = lower_bound(problem)
    certificate = json.loads(json.dumps(bound.certificate))
    assert verify_certificate(problem, certificate) == bound.value
    rates = problem.accelerator
    apart = (
        rates.load_cycles * bound.load_bytes
        + rates.write_cycles * bound.write_bytes
        + rates.compute_cycles * bound.steps
    )
    assert bound.value > apart if "together" in certificate else bound.value == apart


@given(problems(), st.integers(1, 10))
@settings(max_examples=60, deadline=None)
def test_certificate_proves_the_bound_even_where_no_strategy_exists(
    problem: Problem, less: int
) -> None:
    too_small = problem.within(max(1, least_memory(problem).value - less))
    bound = lower_bound(too_small)
    assert verify_certificate(too_small, json.loads(json.dumps(bound.certificate))) == bound.value


@given(problems())
@settings(max_examples=40, deadline=None)
def test_bound_is_at_least_that_of_the_finest_decomposition(problem: Problem) -> None:
    fine = lower_bound(problem.with_decomposition(finest(problem.layer)))
    bound = lower_bound(problem)
    assert bound.load_bytes >= fine.load_bytes
    assert bound.write_bytes == fine.write_bytes == problem.output_total
    assert bound.steps >= fine.steps
    assert bound.load_bytes >= problem.input_total + problem.kernel_total


@given(problems(), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_more_memory_never_raises_the_bound(problem: Problem, more: int) -> None:
    larger = with_memory(problem, problem.memory + more)
    assert lower_bound(larger).value <= lower_bound(problem).value


@given(tight_problems(), st.data())
@settings(max_examples=60, deadline=None)
def test_no_certificate_proves_more_than_the_optimum(problem: Problem, data: st.DataObject) -> None:
    optimum = optimal_duration(problem)
    if optimum is None:
        return
    bound = lower_bound(problem)
    view = View(problem, finest=data.draw(st.booleans()), inner=data.draw(st.booleans()))
    operations = view.sizes.operations
    cuts = data.draw(st.sets(st.integers(1, operations)))
    stops = [0, *sorted(cuts - {operations}), operations]
    loads = {
        "bound": data.draw(st.sampled_from(["phases", "passes"])),
        **view.name,
        "partial_sums": data.draw(st.booleans()),
        "phases": [[b - a, 1] for a, b in itertools.pairwise(stops)],
        "kind": data.draw(st.sampled_from(["kernels", "pixels"])),
        "limit": data.draw(st.integers(1, 12)),
    }
    steps = data.draw(
        st.fixed_dictionaries(
            {
                "bound": st.sampled_from(["size", "memory"]),
                "decomposition": st.just(view.name["decomposition"]),
                "inner": st.just(view.inner),
                "least_macs": st.integers(1, 40),
                "group": st.integers(1, 12),
            }
        )
    )
    together = {"bound": "pace", **view.name, "length": data.draw(st.integers(1, 6))}
    forged = bound.certificate | {"loads": loads, "steps": steps, "together": together}
    assert verify_certificate(problem, forged) <= optimum


VALID: dict[str, Any] = {
    "loads": {
        "bound": "phases",
        "decomposition": "given",
        "inner": False,
        "partial_sums": False,
        "phases": [[4, 1], [3, 2]],
    },
    "writes": {"bound": "compulsory"},
    "steps": {"bound": "memory", "decomposition": "finest", "inner": False, "group": 3},
    "together": {"bound": "pace", "decomposition": "finest", "inner": False, "length": 2},
}

PASSES: dict[str, Any] = {
    "bound": "passes",
    "decomposition": "finest",
    "inner": False,
    "kind": "kernels",
}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("loads",), None, "loads"),
        (("loads",), [], "loads"),
        (("loads", "bound"), "oracle", "loads.bound"),
        (("loads", "bound"), ["phases"], "loads.bound"),
        (("loads", "decomposition"), "mine", "loads.decomposition"),
        (("loads", "decomposition"), ["given"], "loads.decomposition"),
        (("loads", "inner"), 1, "loads.inner"),
        (("loads", "inner"), None, "loads.inner"),
        (("loads", "partial_sums"), 0, "loads.partial_sums"),
        (("loads", "phases"), [], "loads.phases"),
        (("loads", "phases"), "4x1", "loads.phases"),
        (("loads", "phases"), [[4, 1], [3]], "loads.phases"),
        (("loads", "phases"), [[4, 1], [3.0, 2]], "loads.phases"),
        (("loads", "phases"), [[4, 1], [True, 6]], "loads.phases"),
        (("loads", "phases"), [[4, 1], [3, 3]], "loads.phases"),
        (("loads", "phases"), [[13, 1], [3, -1]], "loads.phases"),
        (("loads", "phases"), [[0, 5], [10, 1]], "loads.phases"),
        (("loads", "phases"), [[10**30, 1]], "loads.phases"),
        (("loads",), {"bound": "passes", "kind": "outputs", "limit": 3}, "loads.kind"),
        (("loads",), {"bound": "passes", "kind": ["kernels"], "limit": 3}, "loads.kind"),
        (("loads",), {"bound": "passes", "kind": "pixels", "limit": 3}, "loads.decomposition"),
        (("loads",), {**PASSES, "limit": 0}, "loads.limit"),
        (("loads",), {**PASSES, "limit": None}, "loads.limit"),
        (("writes",), 7, "writes"),
        (("writes", "bound"), "none", "writes.bound"),
        (("steps",), None, "steps"),
        (("steps", "bound"), "loads", "steps.bound"),
        (("steps", "decomposition"), 3, "steps.decomposition"),
        (("steps", "group"), 0, "steps.group"),
        (("steps", "group"), "3", "steps.group"),
        (("together",), 3, "together"),
        (("together", "bound"), "phases", "together.bound"),
        (("together", "length"), 0, "together.length"),
        (("together", "inner"), "no", "together.inner"),
        (
            ("steps",),
            {"bound": "size", "decomposition": "given", "inner": False},
            "steps.least_macs",
        ),
    ],
)
def test_malformed_certificate_is_refused_in_one_line(
    path: tuple[str, ...], value: object, named: str
) -> None:
    problem = resident(Layer(input=(1, 2, 5), kernels=1, kernel_shape=(1, 1)), 100)
    assert verify_certificate(problem, VALID) >= 0
    certificate = json.loads(json.dumps(VALID))
    place = certificate
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError, match=f"^certificate.{named}: .*$") as raised:
        verify_certificate(problem, certificate)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("certificate", [{}, {"loads": {}}, {"loads": {"bound": "compulsory"}}])
def test_incomplete_certificate_is_refused(certificate: dict[str, Any]) -> None:
    problem = resident(Layer(input=(1, 2, 5), kernels=1, kernel_shape=(1, 1)), 100)
    with pytest.raises(InputError):
        verify_certificate(problem, certificate)


# Outputs, kernel, stride, pixels on chip; pixel loads once proved by phases and one separator, and
# those of a known plan.
KNOWN = [
    (28, 5, 1, 33, 1860, 1992),
    (28, 5, 1, 53, 1224, 1336),
    (28, 5, 1, 79, 1078, 1130),
    (10, 5, 1, 25, 520, 520),
    (10, 5, 1, 36, 240, 276),
    (32, 3, 1, 17, 1448, 1524),
    (32, 3, 1, 42, 1185, 1215),
    (16, 3, 2, 9, 1539, 1539),
    (16, 3, 2, 19, 1123, 1147),
]


def proved(outputs: int, kernel: int, stride: int, pixels: int) -> Bound:
    side = (outputs - 1) * stride + kernel
    layer = Layer(
        input=(1, side, side), kernels=1, kernel_shape=(kernel, kernel), strides=(stride, stride)
    )
    return lower_bound(resident(layer, kernel * kernel + pixels))


def test_lines_close_a_third_of_what_phases_and_one_separator_leave_open() -> None:
    gaps = [reached - least for *_, least, reached in KNOWN]
    left = [row[5] - (proved(*row[:4]).load_bytes - row[1] ** 2) for row in KNOWN]
    assert 3 * sum(left) <= 2 * sum(gaps)


@pytest.mark.parametrize(("outputs", "kernel", "stride", "pixels", "least", "reached"), KNOWN)
def test_bound_is_at_least_the_known_one_and_at_most_what_a_plan_reaches(
    outputs: int, kernel: int, stride: int, pixels: int, least: int, reached: int
) -> None:
    """Pixel loads beside a resident kernel, one patch a step, m pixels of one byte on chip."""
    taps = kernel * kernel
    bound = proved(outputs, kernel, stride, pixels)
    assert least <= bound.load_bytes - taps <= reached
    assert bound.steps == outputs * outputs


@pytest.mark.parametrize(("memory", "moved"), [(3072, 35872), (4096, 35072), (8192, 35072)])
def test_bound_stays_below_what_a_strip_that_keeps_its_halo_moves(memory: int, moved: int) -> None:
    layer = Layer(input=(16, 32, 32), kernels=16, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    chip = accelerator(memory=memory, compute=0)
    bound = lower_bound(problem_with(layer, chip, Precision(), finest(layer)))
    compulsory = 16 * 32 * 32 + 16 * 16 * 9 + 16 * 32 * 32
    assert compulsory <= bound.value <= moved
    assert moved > compulsory or bound.value == compulsory


def test_memory_for_a_full_row_of_patches_leaves_only_compulsory_loads() -> None:
    """The separator's threshold is exact: from there on row-major order loads each pixel once."""
    layer = Layer(input=(1, 12, 10), kernels=1, kernel_shape=(3, 3))
    threshold = 9 + 2 * 10 + 3
    assert lower_bound(resident(layer, threshold)).load_bytes == 9 + 120
    assert lower_bound(resident(layer, threshold - 1)).load_bytes > 9 + 120


def test_steps_count_whole_operations() -> None:
    layer = Layer(input=(1, 2, 5), kernels=1, kernel_shape=(1, 2))
    whole = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1),))
    chip = accelerator(load=0, write=0, compute=Fraction(7, 2), macs=5)
    bound = lower_bound(problem_with(layer, chip, Precision(), whole))
    assert bound.steps == 4  # 8 operations of 2 MACs, two a step; 16 MACs alone would allow 4 too
    chip = accelerator(load=0, write=0, compute=Fraction(7, 2), macs=3)
    bound = lower_bound(problem_with(layer, chip, Precision(), whole))
    assert bound.steps == 8
    assert bound.value == 28


def test_bound_of_a_vgg_layer_in_full_detail_takes_little_work_and_memory() -> None:
    layer = Layer(input=(64, 224, 224), kernels=64, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    problem = problem_with(layer, accelerator(memory=16384), Precision(), finest(layer))
    asked = 0
    footprint = OperationFootprint.at

    def counted(self: OperationFootprint, n: IntArray, output_bytes: int = 0) -> IntArray:
        nonlocal asked
        asked += len(n)
        return footprint(self, n, output_bytes)

    with mock.patch.object(OperationFootprint, "at", counted):
        tracemalloc.start()
        bound = lower_bound(problem)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert bound.load_bytes > problem.layer.input[0] * 224 * 224 + 64 * 64 * 9
    assert asked < 20_000  # numbers of operations, of 206 million operations
    assert peak < 400 * 2**20
    assert verify_certificate(problem, bound.certificate) == bound.value
