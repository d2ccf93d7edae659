"""What is shipped for whole networks: accelerators with their sources, and layers as instances."""

import re
from pathlib import Path

import pytest

from bench.networks import shipped
from bench.shipped import files
from offloadasp.base.resources import network_instances_folder
from offloadasp.model.catalogue import find_accelerator, find_instance, shipped_accelerators
from offloadasp.model.instance import Layer, load_instance
from offloadasp.network.accelerators import load_machine
from tests.support.invoking import offload_asp

KIB = 1024
ACCELERATORS = shipped_accelerators()


def test_there_are_accelerators_of_every_class() -> None:
    memories = {
        load_machine(path).name: load_machine(path).accelerator.memory for path in ACCELERATORS
    }
    assert any(10 * KIB <= memory < 100 * KIB for memory in memories.values())
    assert any(100 * KIB <= memory < 1000 * KIB for memory in memories.values())
    assert any("vta" in name for name in memories)


@pytest.mark.parametrize("path", ACCELERATORS, ids=lambda path: path.stem)
def test_an_accelerator_is_valid_found_by_its_name_and_cites_its_source(path: Path) -> None:
    machine = load_machine(path)
    assert machine.name == path.stem
    assert find_accelerator(path.stem) == path
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    text = "\n".join(comments)
    assert "Source" in text
    assert re.search(r"https://|arXiv:\d{4}\.\d{4,5}", text)


def test_the_files_are_what_the_script_writes() -> None:
    written = dict(files())
    there = {path.name: path.read_text() for path in network_instances_folder().glob("*.toml")}
    assert there == written
    assert len(there) == len({text.split("\n", 3)[3] for text in there.values()})


def test_every_distinct_layer_of_a_network_is_shipped_once() -> None:
    found: dict[str, list[Layer]] = {}
    for network, name, table in shipped():
        layer = Layer.model_validate(table)
        assert layer not in found.setdefault(network.name, [])
        found[network.name].append(layer)
        assert load_instance(find_instance(name)).layer == layer
    assert found.keys() == {"VGG-16", "ResNet-18", "MobileNetV1-0.25", "DS-CNN"}


# Millions of multiply-accumulates, as commonly reported: VGG-16's convolutions 15,347 (15,470 with
# the fully connected layers), ResNet-18 1,814 (arXiv:1512.03385, table 1: 1.8 billion), MLPerf
# Tiny's MobileNetV1 7.5 and DS-CNN 2.66. How often a layer occurs is the networks' definition.
OCCURS = {
    "VGG-16": {"vgg16-conv3_2": 2, "vgg16-conv4_2": 2, "vgg16-conv5_1": 3},
    "ResNet-18": {"conv2": 4, "conv3": 3, "conv4": 3, "conv5": 3},
    "MobileNetV1-0.25": {"mobilenetv1-dw7": 5, "mobilenetv1-pw7": 5},
    "DS-CNN": {"ds-cnn-dw": 4, "ds-cnn-pw": 4},
}
MILLIONS = {"VGG-16": 15347, "ResNet-18": 1814, "MobileNetV1-0.25": 7.5, "DS-CNN": 2.66}


@pytest.mark.parametrize("network", MILLIONS)
def test_the_layers_add_up_to_the_published_work_of_their_network(network: str) -> None:
    total = 0
    for name, table in ((name, table) for of, name, table in shipped() if of.name == network):
        layer = Layer.model_validate(table)
        kernels, height, width = layer.output_shape
        window = layer.input[0] // layer.group * layer.kernel_shape[0] * layer.kernel_shape[1]
        times = OCCURS[network]
        total += kernels * height * width * window * times.get(name, times.get(name[9:], 1))
    assert total / 1e6 == pytest.approx(MILLIONS[network], rel=0.005)


@pytest.mark.parametrize("name", ["ds-cnn-conv1", "mobilenetv1-dw13"])
def test_a_shipped_layer_is_planned_by_its_name_however_short_the_time(
    name: str, tmp_path: Path
) -> None:
    ran = offload_asp("run", name, "--time-limit=0.05", "--json", f"--out={tmp_path}")
    assert ran.code == 0
    assert ran.json["verified"]
    assert ran.json["baselines"].keys() == {"row_by_row", "zigzag", "strips"}
