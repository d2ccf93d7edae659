"""Real input that nobody here wrote: ONNX's recordings from PyTorch, and the models it ships."""

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from offloadasp.bounds import least_memory
from offloadasp.model.instance import Layer, SearchOptions
from offloadasp.model.problem import finest, problem_of
from offloadasp.network.accelerators import Machine
from offloadasp.network.convolutions import convolutions, instances
from offloadasp.network.dataset import read_data_set
from offloadasp.network.model import load_model
from offloadasp.network.plan import plan_layer
from offloadasp.network.record import Planned
from offloadasp.network.verify import expect, verify
from offloadasp.report.text.instances import data_bytes
from tests.support.onnx_models import CASES, DATA, LIGHT, machine

QUICK = SearchOptions(time_limit=0.2, threads=1)


def test_there_are_recorded_cases_of_every_kind() -> None:
    names = {case.name for case in CASES}
    assert {"test_operator_conv", "test_Conv1d", "test_Conv2d"} <= names
    for kind in ("Conv1d", "Conv2d"):
        assert len([name for name in names if name.startswith(f"test_{kind}")]) >= 8
    data = {path.parent for case in CASES for path in case.rglob("input_0.pb")}
    assert len(data) >= len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_recorded_convolution_planned_in_several_steps_gives_the_recorded_output(
    case: Path, tmp_path: Path
) -> None:
    model = load_model(case / "model.onnx")
    tight = _tight(case)
    imported = convolutions(model, tight)
    assert not imported.skipped
    (instance,) = instances(imported, tight, QUICK)
    found = plan_layer(instance, tmp_path)
    assert isinstance(found, Planned)
    assert found.compute_steps > 1
    assert found.peak_memory <= tight.accelerator.memory < data_bytes(instance)
    for data in sorted(case.glob("test_data_set_*")):
        recorded = read_data_set(model, data)
        strategies = {instance.name: tmp_path / found.strategy}
        shown = verify(expect(model, imported, recorded, seed=0), strategies)
        assert shown.against == "recorded"
        assert len(shown.executed) == 1
        assert not shown.drawn
        assert shown.verified
        # Nothing but the rounding of float32 is between them.
        assert all(entry.max_abs_error < 1e-5 for entry in shown.outputs)
        assert all(entry.spread > 0.1 for entry in shown.outputs)


def _tight(case: Path) -> Machine:
    """A machine with the least memory for this case, and an eighth more of what is beyond."""
    loose = machine(2**40, 2**40)
    (instance,) = instances(convolutions(load_model(case / "model.onnx"), loose), loose, QUICK)
    least = least_memory(problem_of(instance, finest(instance.layer))).value
    memory = least + (data_bytes(instance) - least) // 8
    return machine(memory, 2**40)


# Weights and biases of the published models without batch normalisation: VGG-19 has 143,667,240
# parameters (arXiv:1409.1556, table 2: 144 million), AlexNet 60,965,224 (Caffe's bvlc_alexnet),
# GoogLeNet 6,998,552 (Caffe's bvlc_googlenet without its side classifiers) and SqueezeNet 1.1
# 1,235,496 (its authors' release).
PARAMETERS = {
    "light_vgg19": 143_667_240,
    "light_bvlc_alexnet": 60_965_224,
    "light_inception_v1": 6_998_552,
    "light_squeezenet": 1_235_496,
}


def test_there_are_the_light_models() -> None:
    assert PARAMETERS.keys() <= {path.stem for path in LIGHT}
    assert len(LIGHT) >= 9


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_every_convolution_of_a_light_model_is_imported(path: Path) -> None:
    model = load_model(path)
    imported = convolutions(model, machine())
    nodes = [n for n in onnx.load(path).graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    assert [entry.output for entry in imported.convolutions] == [n.output[0] for n in nodes]
    assert len(nodes) >= 8
    assert not imported.skipped
    for entry, node in zip(imported.convolutions, nodes, strict=True):
        # The layer's output, by its own formula, is what ONNX infers of the node.
        inferred = model.shapes[node.output[0]]
        assert (1, *entry.layer.output_shape)[: len(inferred)] == inferred
    if path.stem in PARAMETERS:
        assert (
            sum(_parameters(entry.layer) for entry in imported.convolutions)
            == (PARAMETERS[path.stem])
        )


def _parameters(layer: Layer) -> int:
    weights = layer.kernels * (layer.input[0] // layer.group) * math.prod(layer.kernel_shape)
    return weights + (layer.kernels if layer.bias else 0)


def test_the_recorded_data_is_what_is_read() -> None:
    case = next(case for case in CASES if case.name == "test_Conv2d")
    folder = case / "test_data_set_0"
    read = read_data_set(load_model(case / "model.onnx"), folder)
    assert read.outputs is not None
    tensor = TensorProto()
    tensor.ParseFromString((folder / "output_0.pb").read_bytes())
    np.testing.assert_array_equal(read.outputs[0], onnx.numpy_helper.to_array(tensor))
    assert DATA in folder.parents
