"""The suite ``networks``: whole ONNX models planned, and executed under their plans."""

import importlib.util
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.case import Case, load
from bench.child import Children
from bench.networks import LayerTable, chain
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.base.errors import InputError

# Networks without branches that are made of their layers.
_CHAINS = ("MobileNetV1-0.25",)
# The gap of a layer that is as good as closed, and of one that is named.
_NEARLY, _WIDE = 0.001, 0.02
# What a judged row may take on two cores.
_MOST_SECONDS = 600


class Model(Case):
    """A model on a shipped accelerator: one of onnx's light ones, or a chain of ``layers.toml``.

    ``judged``: whether it is among those that must be planned within ten minutes together.
    """

    network: str
    accelerator: str
    judged: bool = False

    @property
    def name(self) -> str:
        """Network and accelerator."""
        return f"{self.network} on {self.accelerator}"


def model_path(network: str) -> Path:
    """Return the file of a light model.

    Raises
    ------
    InputError
        The package onnx is not installed, or has no such model.
    """
    found = importlib.util.find_spec("onnx")
    if found is None or found.origin is None:
        raise InputError("networks: the package onnx is not installed; the extra 'onnx' has it")
    path = Path(found.origin).parent / f"backend/test/data/light/light_{network}.onnx"
    if not path.is_file():
        raise InputError(f"networks: the package onnx that is installed has no {path.name}")
    return path


def chain_model(network: str) -> bytes:
    """Return a network without branches as an ONNX model: ReLU after each layer, seeded weights."""
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    layers = chain(network)
    nodes, weights, name, before = [], [], "x", [*layers[0]["input"]]
    for number, layer in enumerate(layers):
        if layer["input"][1:] != before[1:]:
            nodes.append(helper.make_node("GlobalAveragePool", [name], [f"p{number}"]))
            name = f"p{number}"
        group, kernels = layer.get("group", 1), layer["kernels"]
        shape = (kernels, layer["input"][0] // group, *layer["kernel_shape"])
        scale = np.sqrt(2 / np.prod(shape[1:]))
        for key, size in (("w", shape), ("b", (kernels,))):
            drawn = (generator.normal(size=size) * scale).astype(np.float32)
            weights.append(numpy_helper.from_array(drawn, f"{key}{number}"))
        geometry = {key: layer[key] for key in ("strides", "pads")}
        inputs, out = [name, f"w{number}", f"b{number}"], f"c{number}"
        nodes.append(helper.make_node("Conv", inputs, [out], out, group=group, **geometry))
        nodes.append(helper.make_node("Relu", [out], [f"r{number}"]))
        name = f"r{number}"
        before = [kernels, *_output_plane(layer)]
    graph = helper.make_graph(
        nodes,
        network,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *layers[0]["input"]])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *before])],
        weights,
    )
    opsets = [helper.make_opsetid("", 17)]
    made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return made


def _output_plane(layer: LayerTable) -> tuple[int, int]:
    """Return height and width of a layer's output."""
    top, left, bottom, right = layer["pads"]
    sizes = zip(
        layer["input"][1:], (top + bottom, left + right), layer["kernel_shape"], layer["strides"],
        strict=True,
    )  # fmt: skip
    height, width = ((size + pad - kernel) // stride + 1 for size, pad, kernel, stride in sizes)
    return height, width


def _cases() -> list[Model]:
    cases = load("networks", Model)
    for case in cases:
        # A missing package or model is said before anything is planned.
        if case.network not in _CHAINS:
            model_path(case.network)
    return cases


def _work(children: Children, case: Model, limits: Limits) -> Row:
    # Threads are processes that plan a layer each.
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / f"{case.network}.onnx"
        if case.network in _CHAINS:
            model.write_bytes(chain_model(case.network))
        else:
            model = model_path(case.network)
        ended = children.run(
            "offloadasp",
            "network",
            str(model),
            f"--accelerator={case.accelerator}",
            f"--time-limit={limits.time_limit}",
            f"--jobs={limits.threads}",
            f"--seed={limits.seed}",
            f"--out={folder}",
            "--verify",
            "--json",
        )
    seconds = round(ended.seconds, 2)
    if not ended.out:
        return {"code": ended.code, "error": ended.last_error}
    report = json.loads(ended.out)
    total, verification = report["totals"], report["verification"]
    gaps = {one["name"]: one["gap"] for one in report["layers"] if one.get("gap") is not None}
    return {
        "layers": total["runs"],
        "distinct": len(report["layers"]),
        "optimal": sum(layer["status"] == "optimal" for layer in report["layers"]),
        "missing": total["runs_without_strategy"],
        "skipped": len(report["not_offloaded"]),
        "duration": total["duration"],
        "lower_bound": total["lower_bound"],
        "gap": total["gap"],
        "median_gap": statistics.median(gaps.values()),
        "nearly": sum(gap <= _NEARLY for gap in gaps.values()),
        "widest": max(gaps.values(), default=0),
        "wide": {name: gap for name, gap in gaps.items() if gap > _WIDE},
        "shares": total["shares"],
        "verified": verification["verified"],
        "executed": len(verification["executed"]),
        "judged": case.judged,
        "seconds": seconds,
        "peak_bytes": ended.peak_bytes,
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    there = measured(rows)
    judged = [row for row in there if row["judged"]]
    lines = []
    expected = [case for case in load("networks", Model) if case.judged]
    if len(judged) == len(expected):
        networks = " and ".join(case.network for case in expected)
        total = sum(row["seconds"] for row in judged)
        lines.append(
            f"{networks} on {expected[0].accelerator}: {total:.0f} s together, check of the "
            f"whole network included; goal {_MOST_SECONDS} s."
        )
    wrong = [str(row["name"]) for row in there if not row["verified"]]
    missing = [str(row["name"]) for row in there if row["missing"]]
    lines += [f"WRONG RESULT: {', '.join(wrong)}."] if wrong else []
    lines += [
        f"Above {_WIDE:.0%} on {row['name'].partition(' on ')[2]}: {name} {gap:.1%}."
        for row in there
        for name, gap in row["wide"].items()
    ]
    return lines + ([f"Layers without a strategy: {', '.join(missing)}."] if missing else [])


def _shares(row: Row) -> str:
    return " ".join(f"{row['shares'][part] * 100:.0f}" for part in ("load", "write", "compute"))


SUITE = Suite(
    name="networks",
    title="Networks: whole ONNX models planned and executed",
    about=(
        "Light models of the package onnx, and MobileNetV1-0.25 made of its layers. Every "
        "convolution and fully connected layer is planned, equal ones once, by as many processes "
        "as threads are allowed, each within the time limit; then the network runs on random "
        "inputs and weights, every such node executed step by step by the simulator, and all "
        "their outputs are compared with ONNX's reference evaluator. Layers: all, and distinct "
        "ones; optimal: of these; nearly: those with a gap of at most 0.1 %. Gap: of the sums of "
        "all layers' durations and bounds; median and widest: of the distinct layers. Shares: "
        "percent of load, write and compute in the duration. s: everything. MB: the largest "
        "process."
    ),
    columns=(
        Column("network", cell("name")),
        Column("layers", lambda row: f"{row['layers']} ({row['distinct']})"),
        Column("optimal", cell("optimal")),
        Column("nearly", cell("nearly")),
        Column("gap", lambda row: f"{row['gap']:.2%}"),
        Column("median", lambda row: f"{row['median_gap']:.2%}"),
        Column("widest", lambda row: f"{row['widest']:.1%}"),
        Column("shares", _shares),
        Column("verified", lambda row: "yes" if row["verified"] else "NO"),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=_cases,
    work=_work,
)
