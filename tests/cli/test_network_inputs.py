"""What `offload-asp network` and `import` make of odd input: said early, shown whole, cleaned."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from offloadasp.base.errors import InputError
from offloadasp.network import plan as planning
from offloadasp.network import whole_model
from tests.support.invoking import TINY, Ran, offload_asp
from tests.support.onnx_models import Array, evaluated, model, saved

ACCELERATOR = """name = "tested"
[accelerator]
memory = 4096
load_cycles = 1
write_cycles = 1
compute_cycles = 16
macs_per_step = 2304
"""
X = np.random.default_rng(1).normal(size=(1, 2, 6, 6)).astype(np.float32)
W = np.random.default_rng(2).normal(size=(3, 2, 3, 3)).astype(np.float32)


def one(name: str = "conv") -> ModelProto:
    """A model of one convolution."""
    return model([helper.make_node("Conv", ["x", "w"], ["y"], name)], {"x": X}, ["y"], {"w": W})


def ran(command: str, proto: ModelProto, folder: Path, *options: str | Path) -> Ran:
    chip = folder / "chip.toml"
    if not chip.exists():
        chip.write_text(ACCELERATOR)
    more = ["--time-limit=0.2", "--jobs=1"] if command == "network" else []
    out = (
        []
        if any(str(option).startswith("--out") for option in options)
        else [f"--out={folder / 'made'}"]
    )
    path = saved(proto, folder)
    return offload_asp(command, path, f"--accelerator={chip}", *more, *out, *options)


def never(*_: object, **__: object) -> None:
    raise AssertionError("planned all the same")


def test_what_the_evaluator_cannot_run_is_said_before_anything_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proto = one()
    proto.opset_import.append(helper.make_opsetid("elsewhere", 1))
    proto.graph.node.append(helper.make_node("Odd", ["y"], ["z"], "odd", domain="elsewhere"))
    monkeypatch.setattr(whole_model, "plan", never)
    found = ran("network", proto, tmp_path, "--verify")
    assert found.code == 2
    assert "cannot run odd (elsewhere.Odd)" in found.error_line
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("command", ["import", "network"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_planned(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "plan_layer", never)
    closed = Path("/proc/1") if Path("/proc/1").is_dir() else tmp_path / "closed"
    if not closed.exists():
        closed.mkdir(mode=0o500)
    found = ran(command, one(), tmp_path, f"--out={closed / 'made'}")
    assert found.code == 2
    assert "--out" in found.error_line
    assert "cannot be written" in found.error_line


def test_a_plan_is_shown_though_its_check_could_not_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise InputError("the disk is on fire")

    monkeypatch.setattr(whole_model, "verify", broken)
    report = ran("network", one(), tmp_path, "--verify", "--json").json
    assert report["layers"][0]["status"] in ("optimal", "feasible")
    assert report["verification"]["verified"] is None
    assert "on fire" in report["verification"]["notes"][0]
    shown = ran("network", one(), tmp_path, "--verify")
    assert shown.code == 0
    assert "conv" in shown.out
    assert "not judged" in shown.out
    assert "on fire" in " ".join(shown.out.split())


def test_a_plan_is_shown_though_its_check_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(whole_model, "verify", interrupted)
    found = ran("network", one(), tmp_path, "--verify")
    assert found.code == 130
    assert "conv" in found.out
    assert "interrupted" in " ".join(found.out.split())


def recorded(folder: Path, change: Any) -> str:
    data = folder / "data"
    data.mkdir()
    for name, value in (("input_0", X), ("output_0", change(evaluated(one(), {"x": X}).copy()))):
        (data / f"{name}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())
    return f"--data={data}"


def _garbage(y: Array) -> Array:
    found: Array = np.random.default_rng(3).normal(size=y.shape).astype(y.dtype) * np.float32(1000)
    found.flat[0] = np.inf
    return found


def test_recorded_garbage_with_an_infinity_is_not_verified(tmp_path: Path) -> None:
    found = ran("network", one(), tmp_path, recorded(tmp_path, _garbage), "--json")
    assert found.code == 5
    verification = json.loads(found.out)["verification"]
    assert verification["verified"] is False
    (inner,), (output,) = verification["inner"], verification["outputs"]
    # The node itself is right.
    assert inner["equal"]
    assert output["equal"] is False
    assert output["max_abs_error"] is None


def test_a_name_cannot_move_or_colour_the_terminal(tmp_path: Path) -> None:
    odd = "a\nb\x1b[31m\x07\u202e"
    weight = helper.make_node("ConvTranspose", ["x", "v"], ["z"], odd)
    proto = model(
        [helper.make_node("Conv", ["x", "w"], ["y"], odd), weight],
        {"x": X},
        ["y", "z"],
        {"w": W, "v": W.reshape(2, 3, 3, 3)},
    )
    for command, options in (("import", []), ("network", ["--verify"])):
        found = ran(command, proto, tmp_path, *options)
        assert found.code == 0
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", found.out)
        assert "a b" in found.out


def test_totals_and_notes_are_in_the_object(tmp_path: Path) -> None:
    proto = one()
    proto.graph.value_info.append(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 9, 9])
    )
    proto.graph.output[0].name = "r"
    proto.graph.node.append(helper.make_node("Relu", ["y"], ["r"]))
    proto.graph.node.append(helper.make_node("ConvTranspose", ["r", "v"], ["t"], "back"))
    proto.graph.initializer.append(numpy_helper.from_array(W.reshape(3, 2, 3, 3), "v"))
    report = ran("network", proto, tmp_path, "--json").json
    # 16 positions of 3 kernels of 2 x 3 x 3, and as many on the way back.
    assert report["totals"]["macs"] == report["totals"]["macs_not_offloaded"] == 16 * 3 * 18
    assert report["totals"]["nodes_of_unknown_macs"] == 0
    assert report["not_offloaded"][0].keys() == {"node", "op", "reason"}
    assert "1x3x9x9" in report["notes"][0]
    shown = ran("network", proto, tmp_path)
    assert "864 multiply-accumulates (50.00 %)" in shown.out
    assert "note: the shape 1x3x9x9" in shown.out


def test_there_are_no_notes_where_there_is_nothing_to_note(tmp_path: Path) -> None:
    report = ran("import", one(), tmp_path, "--json").json
    assert report.keys() == {"layers", "not_offloaded"}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "chip.toml").write_text("\ufeff" + ACCELERATOR, encoding="utf-8")
    assert ran("import", one(), tmp_path).code == 0
    instance = tmp_path / "tiny.toml"
    instance.write_text("\ufeff" + TINY, encoding="utf-8")
    assert offload_asp("facts", instance).code == 0
