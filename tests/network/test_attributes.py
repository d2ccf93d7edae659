"""Attributes are validated before anything is computed from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper

from offloadasp.network.attributes import BadAttributesError, read_attributes
from offloadasp.network.convolutions import convolutions
from offloadasp.network.model import load_model
from offloadasp.network.tensor_data import load_external
from tests.engines import model_mutants
from tests.support.invoking import offload_asp
from tests.support.onnx_models import machine, model, saved

X, W = np.ones((1, 1, 6, 6), np.float32), np.ones((2, 1, 3, 3), np.float32)


def odd_beside_fine(
    attribute: AttributeProto, *more: AttributeProto, op: str = "Conv"
) -> ModelProto:
    """A node with these attributes, beside a convolution that is fine."""
    nodes: list[NodeProto] = [helper.make_node("Conv", ["x", "w"], ["z"], "fine")]
    if op == "MaxPool":
        nodes.append(helper.make_node(op, ["x"], ["y"], "odd"))
        nodes.append(helper.make_node("Conv", ["y", "w"], ["u"], "after"))
    else:
        nodes.append(helper.make_node(op, ["x", "w"], ["y"], "odd"))
    proto = model(nodes, {"x": X}, [nodes[-1].output[0], "z"], {"w": W})
    proto.graph.node[1].attribute.extend([attribute, *more])
    return proto


def ints(name: str, *values: int) -> AttributeProto:
    made = AttributeProto(name=name, type=AttributeProto.INTS)
    made.ints.extend(values)
    return made


def word(value: Any) -> AttributeProto:
    return helper.make_attribute("auto_pad", value)


@pytest.mark.parametrize("same", [False, True], ids=["explicit", "SAME"])
@pytest.mark.parametrize(
    ("attribute", "named"),
    [
        (ints("strides", 2), "strides"),
        (ints("strides"), "strides"),
        (ints("strides", 1, 2, 3), "strides"),
        (ints("strides", 0, 1), "strides"),
        (ints("strides", 1, -1), "strides"),
        (ints("strides", 2**62, 2**62), "strides"),
        (ints("dilations", 0, 0), "dilations"),
        (ints("dilations", 1), "dilations"),
        (ints("kernel_shape", 3), "kernel_shape"),
        (ints("kernel_shape", 0, 3), "kernel_shape"),
        (ints("kernel_shape", 2, 3), "kernel_shape"),
        (ints("pads"), "pads"),
        (ints("pads", 1, 1), "pads"),
        (ints("pads", *[2**62] * 4), "pads"),
        (helper.make_attribute("group", 0), "group"),
        (helper.make_attribute("group", -1), "group"),
        (helper.make_attribute("group", 2**40), "group"),
    ],
)
def test_an_attribute_that_cannot_be_is_named(
    attribute: AttributeProto, named: str, same: bool, tmp_path: Path
) -> None:
    more = [word("SAME_UPPER")] if same else []
    path = saved(odd_beside_fine(attribute, *more), tmp_path)
    found = convolutions(load_model(path), machine())
    assert [entry.node for entry in found.convolutions] == ["fine"]
    (skipped,) = found.skipped
    assert skipped.node == "odd"
    assert named in skipped.reason


@pytest.mark.parametrize("value", ["same_upper", "SAME", b"\xff\xfe", "NOTSET "])
def test_a_padding_of_an_unknown_name_is_named(value: Any, tmp_path: Path) -> None:
    path = saved(odd_beside_fine(word(value)), tmp_path)
    (skipped,) = convolutions(load_model(path), machine()).skipped
    assert "auto_pad" in skipped.reason


@pytest.mark.parametrize(
    ("way", "pads", "fits"),
    [
        ("VALID", (0, 0, 0, 0), True),
        ("VALID", (1, 1, 1, 1), False),
        ("SAME_UPPER", (1, 1, 1, 1), True),
        ("SAME_UPPER", (0, 0, 0, 0), False),
        ("SAME_LOWER", (1, 1, 2, 0), False),
        ("NOTSET", (1, 1, 2, 0), True),
    ],
)
def test_pads_given_in_both_ways_must_agree(
    way: str, pads: tuple[int, ...], fits: bool, tmp_path: Path
) -> None:
    proto = odd_beside_fine(word(way), ints("pads", *pads))
    for value in proto.graph.output:
        value.type.tensor_type.ClearField("shape")
    skipped = convolutions(load_model(saved(proto, tmp_path)), machine()).skipped
    assert (skipped == ()) is fits
    if not fits:
        assert f"contradict its auto_pad {way}" in skipped[0].reason


def test_an_attribute_given_twice_is_named() -> None:
    node = odd_beside_fine(ints("strides", 1, 1), ints("strides", 2, 2)).graph.node[1]
    with pytest.raises(BadAttributesError, match="strides is given twice"):
        read_attributes(node)


def test_what_follows_a_node_that_cannot_be_names_it(tmp_path: Path) -> None:
    proto = odd_beside_fine(ints("strides", 0, 0), ints("kernel_shape", 2, 2), op="MaxPool")
    (skipped,) = convolutions(load_model(saved(proto, tmp_path)), machine()).skipped
    assert skipped.node == "after"
    assert "odd (MaxPool), which cannot be" in skipped.reason


@pytest.mark.parametrize(("key", "value"), [
    ("offset", "abc"), ("offset", "-1"), ("offset", ""), ("offset", "1e3"), ("length", "x"),
    ("length", "-4"), ("length", "7"), ("location", ""), ("location", "../w.bin"),
    ("location", "/etc/hostname"), ("location", "absent.bin"),
])  # fmt: skip
def test_an_entry_of_external_data_that_cannot_be_is_one_line(
    key: str, value: str, tmp_path: Path
) -> None:
    proto = model([helper.make_node("Conv", ["x", "w"], ["y"], "conv")], {"x": X}, ["y"], {"w": W})
    (tensor,) = proto.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    entries = {"location": "w.bin", "offset": "0", "length": "72"} | {key: value}
    for name, entry in entries.items():
        tensor.external_data.add(key=name, value=entry)
    (tmp_path / "w.bin").write_bytes(W.tobytes())
    ran = offload_asp(
        "import", saved(proto, tmp_path), "--accelerator=gap8", f"--out={tmp_path / 'out'}"
    )
    assert ran.code == 2
    assert "tensor w" in ran.error_line


@pytest.mark.parametrize("length", [None, "0", "72"])
def test_a_length_that_is_left_out_or_0_is_that_of_the_shape(
    length: str | None, tmp_path: Path
) -> None:
    proto = model([helper.make_node("Conv", ["x", "w"], ["y"], "conv")], {"x": X}, ["y"], {"w": W})
    (tensor,) = proto.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for name, entry in (("location", "w.bin"), ("offset", "8"), ("length", length)):
        if entry is not None:
            tensor.external_data.add(key=name, value=entry)
    (tmp_path / "w.bin").write_bytes(bytes(8) + W.tobytes() + b"what follows")
    read = load_model(saved(proto, tmp_path))
    load_external(read.path, read.proto)
    np.testing.assert_array_equal(numpy_helper.to_array(read.graph.initializer[0]), W)


def test_the_models_that_are_mutated_are_read(tmp_path: Path) -> None:
    for files in model_mutants.unbroken():
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        assert convolutions(load_model(tmp_path / "m.onnx"), machine()).convolutions


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: raw + b"0", lambda _: b"0000"]
)
def test_weights_of_another_length_than_their_shape_are_one_line(
    change: Any, tmp_path: Path
) -> None:
    proto = model([helper.make_node("Conv", ["x", "w"], ["y"], "conv")], {"x": X}, ["y"], {"w": W})
    (tensor,) = proto.graph.initializer
    tensor.raw_data = change(tensor.raw_data)
    for command in ("import", "network"):
        ran = offload_asp(
            command, saved(proto, tmp_path), "--accelerator=gap8", f"--out={tmp_path / 'out'}"
        )
        assert ran.code == 2
        assert "tensor w is 2x1x3x3" in ran.error_line
