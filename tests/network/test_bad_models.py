"""Bad models: each is one clear line and exit code 2, from both commands."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from offloadasp.base.errors import InputError
from offloadasp.network.model import load_model
from tests.support.invoking import offload_asp
from tests.support.onnx_models import model, saved, single, small_network

X, W = np.ones((1, 1, 6, 6), np.float32), np.ones((2, 1, 3, 3), np.float32)


def refused(command: str, path: Path, folder: Path) -> str:
    """The one line with which a command refuses a model; nothing is written."""
    out = folder / "out"
    ran = offload_asp(command, path, "--accelerator=gap8", f"--out={out}")
    assert ran.code == 2
    assert not out.exists()
    return ran.error_line


def conv() -> ModelProto:
    return single("Conv", {"x": X}, {"w": W}, ["x", "w"])


def _absent(folder: Path) -> Path:
    return folder / "absent.onnx"


def _folder(folder: Path) -> Path:
    return folder


def _empty(folder: Path) -> Path:
    path = folder / "empty.onnx"
    path.write_bytes(b"")
    return path


def _text(folder: Path) -> Path:
    path = folder / "text.onnx"
    path.write_text("this is not a model\n" * 50)
    return path


def _truncated(folder: Path) -> Path:
    data = conv().SerializeToString()
    path = folder / "truncated.onnx"
    path.write_bytes(data[: len(data) // 2])
    return path


def _tensor(folder: Path) -> Path:
    path = folder / "tensor.onnx"
    path.write_bytes(numpy_helper.from_array(X).SerializeToString())
    return path


def _no_convolution(folder: Path) -> Path:
    node = helper.make_node("Relu", ["x"], ["y"])
    return saved(model([node], {"x": X}, ["y"], {}), folder)


def _only_3d(folder: Path) -> Path:
    x, w = np.ones((1, 1, 4, 4, 4), np.float32), np.ones((1, 1, 2, 2, 2), np.float32)
    return saved(single("Conv", {"x": x}, {"w": w}, ["x", "w"]), folder)


def _opset(version: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        proto = conv()
        proto.opset_import[0].version = version
        return saved(proto, folder)

    return make


def _future_format(folder: Path) -> Path:
    proto = conv()
    proto.ir_version = 10_000
    return saved(proto, folder)


def _no_opset(folder: Path) -> Path:
    proto = conv()
    del proto.opset_import[:]
    return saved(proto, folder)


def _unknown_operator(folder: Path) -> Path:
    proto = conv()
    proto.graph.node[0].op_type = "NoSuchOperator"
    return saved(proto, folder)


def _undefined_input(folder: Path) -> Path:
    proto = conv()
    proto.graph.node[0].input[1] = "nowhere"
    return saved(proto, folder)


def _wrong_attribute(folder: Path) -> Path:
    proto = conv()
    proto.graph.node[0].attribute.append(helper.make_attribute("strides", "wide"))
    return saved(proto, folder)


def external(folder: Path, length: int) -> Path:
    """A model whose weights are in a file of their own, of which some bytes are there."""
    proto = conv()
    (tensor,) = proto.graph.initializer
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", str(len(data)))):
        tensor.external_data.add(key=key, value=value)
    if length:
        (folder / "weights.bin").write_bytes(data[:length])
    return saved(proto, folder)


def _external_missing(folder: Path) -> Path:
    return external(folder, 0)


def _external_truncated(folder: Path) -> Path:
    return external(folder, W.nbytes - 1)


def _foreign(beginning: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "foreign.onnx"
        path.write_bytes(beginning + bytes(200))
        return path

    return make


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 72\n"


def _external_pointer(folder: Path) -> Path:
    path = external(folder, W.nbytes)
    (folder / "weights.bin").write_bytes(POINTER + b" " * 40)
    return path


BAD: list[tuple[Callable[[Path], Path], list[str]]] = [
    (_absent, ["absent.onnx", "cannot be read"]),
    (_folder, ["cannot be read"]),
    (_empty, ["empty.onnx", "not an ONNX model"]),
    (_text, ["text.onnx", "not an ONNX model"]),
    (_truncated, ["truncated.onnx", "truncated"]),
    (_foreign(POINTER), ["foreign.onnx", "git lfs pull"]),
    (_foreign(b"<!DOCTYPE html><html>"), ["foreign.onnx", "a web page"]),
    (_foreign(b"PK\x03\x04"), ["foreign.onnx", "zip archive"]),
    (_foreign(b"\x1c\0\0\0TFL3"), ["foreign.onnx", "TensorFlow Lite"]),
    (_tensor, ["tensor.onnx", "not an ONNX model"]),
    (_no_convolution, ["holds no convolution", "Conv"]),
    (_only_3d, ["no convolution that can be offloaded", "3-D"]),
    (_opset(99_999), ["opset 99999", "unknown"]),
    (_opset(0), ["opset 0", "unknown"]),
    (_future_format, ["10000", "unknown"]),
    (_no_opset, ["not a valid ONNX model"]),
    (_unknown_operator, ["NoSuchOperator"]),
    (_undefined_input, ["nowhere"]),
    (_wrong_attribute, ["strides"]),
    (_external_pointer, ["weights.bin", "git lfs pull"]),
    (_external_missing, ["weights.bin", "missing", "w"]),
    (_external_truncated, ["weights.bin", "35 bytes" if W.nbytes == 36 else str(W.nbytes)]),
]


@pytest.mark.parametrize(("make", "words"), BAD)
@pytest.mark.parametrize("command", ["import", "network"])
def test_a_bad_model_is_refused_in_one_line(
    command: str, make: Callable[[Path], Path], words: list[str], tmp_path: Path
) -> None:
    line = refused(command, make(tmp_path), tmp_path)
    for word in words:
        assert word in line
    assert len(line) < 600


def test_a_model_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    data = conv().SerializeToString()
    path = tmp_path / "cut.onnx"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(InputError) as error:
            load_model(path)
        assert str(path) in str(error.value)
    path.write_bytes(data)
    load_model(path)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_download_cache_s_links_are_followed(
    link: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    link(snapshot / "model.onnx", external(blobs, W.nbytes))
    link(snapshot / "weights.bin", (blobs / "weights.bin").rename(blobs / "c6edb9"))
    found = load_model(snapshot / "model.onnx")
    assert found.shapes["w"] == W.shape


def test_weights_in_a_file_of_their_own_are_used(tmp_path: Path) -> None:
    path = external(tmp_path, W.nbytes)
    accelerator = tmp_path / "chip.toml"
    accelerator.write_text(
        'name = "chip"\n[accelerator]\nmemory = 300\nload_cycles = 1\nwrite_cycles = 1\n'
        "compute_cycles = 4\nmacs_per_step = 64\n"
    )
    options = [f"--accelerator={accelerator}", f"--out={tmp_path / 'out'}", "--time-limit=0.2"]
    report = offload_asp("network", path, *options, "--jobs=1", "--verify", "--json").json
    # All weights are one, so that they are drawn: from the file they come where they differ.
    assert report["verification"]["verified"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["name", "missing"]),
        ('name = "a"\n', ["accelerator", "missing"]),
        ('name = "a"\n[accelerator]\nmemory = 0\n', ["accelerator"]),
        ('name = "a"\n[machine]\n', ["machine", "unknown key"]),
        ("name = ", ["not valid TOML"]),
    ],
)
def test_a_bad_accelerator_file_is_refused_in_one_line(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "chip.toml"
    path.write_text(text)
    ran = offload_asp(
        "import", saved(small_network(), tmp_path), f"--accelerator={path}", "--out=o"
    )
    assert ran.code == 2
    assert "chip.toml" in ran.error_line
    for word in words:
        assert word in ran.error_line
