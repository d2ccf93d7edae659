"""Direct convolution against SciPy, ONNX's reference evaluator and recordings from PyTorch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.base.errors import InputError
from offloadasp.judge.simulator import direct_convolution
from offloadasp.judge.simulator.tensors import is_poison, prepare
from offloadasp.model.instance import Layer
from tests.support.layers import layers
from tests.support.oracles import (
    RECORDINGS,
    Array,
    draw_tensors,
    onnx_convolution,
    recording,
    scipy_convolution,
    shapes,
)


def rounding(layer: Layer, x: Array, w: Array, bias: Array | None, digits: int) -> Array:
    """Bound, an output, of the rounding error of any summation with so many binary digits."""
    terms = int(np.prod(w.shape[1:])) + 1
    sums = direct_convolution(layer, abs(x), abs(w), None if bias is None else abs(bias))
    return sums * (2 * terms * 2.0**-digits)


@settings(deadline=None, max_examples=100)
@given(layer=layers(), seed=st.integers(0, 2**32 - 1))
def test_integers_equal_scipy_bit_for_bit(layer: Layer, seed: int) -> None:
    x, w, bias = draw_tensors(layer, "int64", seed)
    found = direct_convolution(layer, x, w, bias)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, scipy_convolution(layer, x, w, bias))


@settings(deadline=None, max_examples=60)
@given(layer=layers(), seed=st.integers(0, 2**32 - 1))
def test_integers_too_large_for_float64_equal_scipy_bit_for_bit(layer: Layer, seed: int) -> None:
    x, w, bias = draw_tensors(layer, "int64", seed)
    x, w = x * 2**20 + 1, w * 2**20 + 1
    x.flat[0] = w.flat[0] = 2**27
    assert prepare(layer, x, w, bias).x.dtype == np.int64
    found = direct_convolution(layer, x, w, bias)
    np.testing.assert_array_equal(found, scipy_convolution(layer, x, w, bias))


@settings(deadline=None, max_examples=60)
@given(
    layer=layers(),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_floats_equal_scipy_up_to_float64_rounding(layer: Layer, dtype: str, seed: int) -> None:
    x, w, bias = draw_tensors(layer, dtype, seed)
    found = direct_convolution(layer, x, w, bias)
    assert found.dtype == np.float64
    wide = (x.astype(float), w.astype(float), None if bias is None else bias.astype(float))
    assert (abs(found - scipy_convolution(layer, *wide)) <= rounding(layer, *wide, 53)).all()


@settings(deadline=None, max_examples=60)
@given(layer=layers(), batch=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_batches_of_integers_equal_onnx_bit_for_bit(layer: Layer, batch: int, seed: int) -> None:
    x, w, bias = draw_tensors(layer, "float64", seed, batch)
    x, w = np.round(x * 50), np.round(w * 50)
    bias = None if bias is None else np.round(bias * 50)
    narrow = None if bias is None else bias.astype(np.int16)
    found = direct_convolution(layer, x.astype(np.int16), w.astype(np.int16), narrow)
    np.testing.assert_array_equal(found, onnx_convolution(layer, x, w, bias, "Conv"))


@settings(deadline=None, max_examples=60)
@given(layer=layers(), seed=st.integers(0, 2**32 - 1))
def test_bytes_equal_onnx_conv_integer_bit_for_bit(layer: Layer, seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 256, (1, *layer.input), np.uint8)
    w = generator.integers(0, 256, shapes(layer)[1], np.uint8)
    plain = layer.model_copy(update={"bias": False})
    found = direct_convolution(plain, x, w)
    np.testing.assert_array_equal(found, onnx_convolution(plain, x, w, None, "ConvInteger"))


@settings(deadline=None, max_examples=60)
@given(
    layer=layers(), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 2**32 - 1)
)
def test_floats_equal_onnx_up_to_its_rounding(layer: Layer, dtype: str, seed: int) -> None:
    x, w, bias = draw_tensors(layer, dtype, seed, batch=2)
    found = direct_convolution(layer, x, w, bias)
    bound = rounding(layer, x, w, bias, 53 if dtype == "float64" else 24)
    assert (abs(found - onnx_convolution(layer, x, w, bias, "Conv")) <= bound).all()


def test_there_are_recordings_of_every_kind() -> None:
    assert len(RECORDINGS) >= 11
    found = [recording(name)[0] for name in RECORDINGS]
    assert any(layer.group > 1 for layer in found)
    assert any(layer.dilations != (1, 1) for layer in found)
    assert any(layer.strides != (1, 1) for layer in found)
    assert any(any(layer.pads) for layer in found)
    assert any(not layer.bias for layer in found)


@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_from_pytorch_are_met_up_to_float32_rounding(name: str) -> None:
    layer, x, w, bias, y = recording(name)
    found = direct_convolution(layer, x, w, bias)
    assert (abs(found - y) <= rounding(layer, x, w, bias, 24)).all()


@settings(deadline=None, max_examples=30)
@given(layer=layers(), seed=st.integers(0, 2**32 - 1))
def test_torch_agrees_where_it_is_installed(layer: Layer, seed: int) -> None:
    torch = pytest.importorskip("torch")
    x, w, bias = draw_tensors(layer, "float64", seed, batch=2)
    top, left, bottom, right = layer.pads
    theirs = torch.nn.functional.conv2d(
        torch.nn.functional.pad(torch.from_numpy(x), (left, right, top, bottom)),
        torch.from_numpy(w),
        None if bias is None else torch.from_numpy(bias),
        stride=layer.strides,
        dilation=layer.dilations,
        groups=layer.group,
    ).numpy()
    found = direct_convolution(layer, x, w, bias)
    assert (abs(found - theirs) <= rounding(layer, x, w, bias, 53)).all()


PLAIN = Layer(input=(2, 3, 4), kernels=3, kernel_shape=(2, 2))
BIASED = PLAIN.model_copy(update={"bias": True})
X, W, B = (np.ones(shape, dtype=np.int64) for shape in shapes(PLAIN))


@pytest.mark.parametrize(
    ("layer", "x", "w", "bias", "words"),
    [
        (PLAIN, X[0], W, None, ["input", "3 x 4", "2 x 3 x 4", "B x 2 x 3 x 4"]),
        (PLAIN, X[None][:0], W, None, ["input", "0 x 2 x 3 x 4"]),
        (PLAIN, X[None, None], W, None, ["input", "1 x 1 x 2 x 3 x 4"]),
        (PLAIN, [[1, 2], [3]], W, None, ["input", "ragged"]),
        (PLAIN, X, W[:2], None, ["weight", "2 x 2 x 2 x 2", "3 x 2 x 2 x 2"]),
        (PLAIN, X, W[None], None, ["weight", "1 x 3 x 2 x 2 x 2"]),
        (PLAIN, X, W, B, ["bias", "None"]),
        (BIASED, X, W, None, ["bias", "missing", "shape 3"]),
        (BIASED, X, W, B[:1], ["bias", "shape 1", "shape 3 is wanted"]),
        (PLAIN, X.astype(object), W, None, ["input", "object", "float64"]),
        (PLAIN, X.astype(complex), W, None, ["input", "complex128"]),
        (PLAIN, X.astype(bool), W, None, ["input", "bool"]),
        (PLAIN, X, W.astype(np.longdouble), None, ["weight", "longdouble|float128"]),
        (PLAIN, X, W.astype(str), None, ["weight", "<U"]),
        (PLAIN, X * np.nan, W, None, ["input", "2 x 3 x 4", "NaN"]),
        (PLAIN, X, W * np.inf, None, ["weight", "3 x 2 x 2 x 2", "infinity"]),
        (BIASED, X, W, B * np.nan, ["bias", "shape 3", "NaN"]),
        (PLAIN, X * 2**31, W * 2**31, None, ["integers", "2**63"]),
        (PLAIN, X * 1e200, W * 1e200, None, ["overflow", "float64"]),
    ],
)
def test_wrong_tensors_are_refused_in_one_line(
    layer: Layer, x: Any, w: Any, bias: Any, words: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        direct_convolution(layer, x, w, bias)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert any(part in message for part in word.split("|")), message


def test_pads_beyond_any_memory_are_refused() -> None:
    layer = Layer(
        input=(1, 1, 1), kernels=1, kernel_shape=(1, 1), strides=(16384, 16384), pads=(16384,) * 4
    )
    with pytest.raises(InputError, match=r"input with pads has 1073807361 elements"):
        direct_convolution(layer, np.ones((1, 1, 1)), np.ones((1, 1, 1, 1)))


@pytest.mark.parametrize(
    ("peak", "dtype"),
    [(2**12 - 1, "float32"), (2**12, "float64"), (2**26, "float64"), (2**27, "int64")],
)
def test_arithmetic_is_the_narrowest_that_stays_exact(peak: int, dtype: str) -> None:
    # One product an output: its largest is peak * 2 * peak, a power of two in the limit.
    layer = Layer(input=(1, 1, 1), kernels=1, kernel_shape=(1, 1))
    tensors = prepare(layer, np.array([[[peak]]]), np.array([[[[peak]]]]))
    assert tensors.largest_sum == peak**2
    assert tensors.x.dtype == np.dtype(dtype)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1])
def test_unsigned_integers_beyond_int64_are_refused_even_if_the_sums_are_small(value: int) -> None:
    layer = Layer(input=(1, 1, 1), kernels=1, kernel_shape=(1, 1))
    with pytest.raises(InputError, match=r"2\*\*63"):
        direct_convolution(layer, np.array([[[value]]], np.uint64), np.zeros((1, 1, 1, 1), int))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_what_was_never_computed_shows_as_nan(dtype: str) -> None:
    layer = Layer(input=(1, 1, 2), kernels=1, kernel_shape=(1, 1))
    big = {"float32": 1, "float64": 2**20, "int64": 2**30}[dtype]
    tensors = prepare(layer, np.full((1, 1, 2), big), np.full((1, 1, 1, 1), big))
    assert tensors.x.dtype == np.dtype(dtype)
    least = np.iinfo(np.int64).min
    out = np.full((1, 1, 1, 2), least if dtype == "int64" else np.nan, dtype=dtype)
    out[..., 0] = 7
    np.testing.assert_array_equal(is_poison(out), [[[[False, True]]]])
    np.testing.assert_array_equal(tensors.finish(out), [[[7.0, np.nan]]])
