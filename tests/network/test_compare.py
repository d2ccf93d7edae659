"""What counts as equal: shape and type first, then values by what their type can tell apart."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from offloadasp.network.compare import compare
from tests.support.onnx_models import Array

NAN, INF = float("nan"), float("inf")
BFLOAT16 = helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16)


def floats(*values: float, kind: Any = np.float32) -> Array:
    return np.array(values).astype(kind)


@pytest.mark.parametrize("kind", [np.float16, BFLOAT16, np.float32, np.float64])
def test_nan_equals_nan_and_an_infinity_its_own_kind(kind: Any) -> None:
    one = floats(NAN, INF, -INF, 1, kind=kind)
    found = compare("y", one, one.copy())
    assert found.equal
    assert found.max_abs_error == 0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((1, 2), (1, INF)),
        ((1, INF), (1, 2)),
        ((1, INF), (1, -INF)),
        ((1, NAN), (1, 2)),
        ((1, 2), (1, NAN)),
        ((1, NAN), (1, INF)),
    ],
)
def test_a_value_that_is_finite_in_one_only_is_wrong_whatever_is_allowed(
    found: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    compared = compare("y", floats(*found), floats(*expected), allowed=1e30)
    assert compared.equal is False
    assert compared.max_abs_error == INF


def test_one_infinity_allows_nothing_elsewhere() -> None:
    compared = compare("y", floats(1, INF), floats(2, INF), allowed=0.5)
    assert compared.equal is False
    assert compared.max_abs_error == 1


@pytest.mark.parametrize(
    ("found", "expected", "word"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), "shape"),
        (np.zeros((1, 3), np.float32), np.zeros(3, np.float32), "shape"),
        (np.zeros(3, np.float32), np.zeros(3, np.float64), "type"),
        (np.zeros(3, np.int8), np.zeros(3, np.uint8), "type"),
        (np.zeros(3, bool), np.zeros(3, np.uint8), "type"),
    ],
)
def test_shape_and_element_type_come_first(found: Array, expected: Array, word: str) -> None:
    compared = compare("y", found, expected, allowed=INF)
    assert compared.equal is False
    assert word in compared.note


@pytest.mark.parametrize("kind", ["int8", "uint8", "int64", "uint64"])
def test_integers_are_equal_or_not(kind: str) -> None:
    limits = np.iinfo(kind)
    expected = np.array([limits.min, limits.max, 3], kind)
    assert compare("y", expected.copy(), expected).equal
    found = expected.copy()
    # Beyond 2**53 the two are the same as floats.
    found[1] -= 1
    compared = compare("y", found, expected)
    assert compared.equal is False
    assert compared.max_abs_error == 1
    assert compared.differing == 1


def test_truth_values_and_strings_are_equal_or_not() -> None:
    truth, words = np.array([True, False]), np.array(["a", "b"], object)
    for one in (truth, words):
        assert compare("y", one.copy(), one).equal
        assert compare("y", one[::-1].copy(), one).equal is False


def test_a_step_is_allowed_where_it_is_and_counted() -> None:
    expected = np.arange(10, dtype=np.int8)
    found = expected.copy()
    found[[2, 5, 7]] += 1
    compared = compare("y", found, expected, allowed=1.0)
    assert compared.equal
    assert compared.differing == 3
    found[2] += 1
    assert compare("y", found, expected, allowed=1.0).equal is False


def test_what_is_no_tensor_is_not_judged() -> None:
    assert compare("y", [np.zeros(3)], [np.zeros(3)]).equal is None


def test_no_elements_are_equal() -> None:
    assert compare("y", floats(), floats()).equal


@settings(deadline=None)
@given(
    errors=st.lists(st.floats(0, 4), min_size=1, max_size=6),
    limits=st.lists(st.floats(0, 4), min_size=6, max_size=6),
)
def test_each_value_has_its_own_limit(errors: list[float], limits: list[float]) -> None:
    allowed = np.array(limits[: len(errors)])
    expected = np.zeros(len(errors))
    found = compare("y", np.array(errors), expected, allowed)
    assert found.equal == all(e <= a for e, a in zip(errors, allowed, strict=True))
    # What is reported decides it in the same way.
    assert found.equal == (found.max_abs_error <= found.tolerance)
