"""The suite ``simulate``: the replay of a plan against plain matrix products."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.child import Children
from bench.networks import LayerTable, networks
from bench.offload import solve, toml
from bench.record import Row
from bench.scale import FIRST_PLAN
from bench.suite import PEAK, Column, Limits, Suite, Task, cell, measured

_REPEATS = 3
_GOAL = 3.0


@dataclass(frozen=True)
class Case:
    """A layer, and how many output positions a step may compute.

    ``judged``: whether the goal is meant for it.
    """

    layer: str
    positions: int
    judged: bool = False

    @property
    def name(self) -> str:
        """Layer and positions a step."""
        return f"{self.layer}, {self.positions} a step"


CASES = (
    Case("vgg16-conv1_2", 64, judged=True),
    Case("vgg16-conv1_2", 1),
    Case("resnet8-stack1", 16),
    Case("resnet8-stack1", 1),
    Case("lenet5-conv2", 4),
)


def _text(case: Case, layer: LayerTable) -> str:
    channels, height, width = layer["input"]
    taps = layer["kernel_shape"][0] * layer["kernel_shape"][1]
    weights = channels * layer["kernels"] * taps
    # Enough for all kernels and a good many rows, so that the plan is a simple one.
    memory = weights + (channels + layer["kernels"]) * height * width // 4
    return toml(
        {
            "name": f"simulate-{case.layer}-{case.positions}",
            "layer": layer,
            "accelerator": {
                "memory": memory,
                "load_cycles": 1,
                "write_cycles": 1,
                "compute_cycles": 1,
                "macs_per_step": weights * case.positions,
            },
            "decomposition": {"kernel_groups": 1, "channel_groups": 1},
        }
    )


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every layer and step size."""
    layers = dict(networks())
    first = Limits(FIRST_PLAN, limits.threads, limits.seed)

    def task(case: Case) -> Task:
        def work(children: Children) -> Row:
            with tempfile.TemporaryDirectory() as folder:
                run = solve(children, _text(case, layers[case.layer]), first, keep=Path(folder))
                if not run.report:
                    return run.row
                ended = children.run(
                    "bench.throughput", run.report["strategy"], str(_REPEATS), str(limits.seed)
                )
            if ended.code:
                return {"code": ended.code, "error": ended.last_error}
            times = json.loads(ended.out)
            return {
                **times,
                "judged": case.judged,
                "ratio": times["replay"] / times["products_and_operands"],
                "ratio_products": times["replay"] / times["products"],
                "step_seconds": times["replay"] / times["steps"],
                "seconds": ended.seconds,
                "peak_bytes": ended.peak_bytes,
            }

        return Task(case.name, work)

    return [task(case) for case in CASES]


def _summary(rows: Sequence[Row]) -> list[str]:
    lines = [
        f"{row['name']}: {row['ratio']:.2f} times as long, goal {_GOAL:.0f}; "
        f"{row['step_seconds'] * 1e6:.0f} microseconds a step over {row['steps']} steps."
        for row in measured(rows)
        if row["judged"]
    ]
    wrong = [str(row["name"]) for row in measured(rows) if not row["verified"]]
    return [*lines, f"WRONG RESULT: {', '.join(wrong)}."] if wrong else lines


SUITE = Suite(
    name="simulate",
    title="Simulate: replaying a plan against plain matrix products",
    about=(
        "Replay: the simulation of a plan on 8-bit integers, its checks and its comparison "
        "with direct convolution included. Against it the same convolution as one float64 matrix "
        "product a tap, kernels x channels times channels x output positions, on the shifted "
        "padded input. x: the ratio if making the shifted operands contiguous counts on both "
        "sides, as the replay gathers its operands, too. x bare: the ratio if for the products it "
        f"does not count. The shortest of {_REPEATS} repetitions each. MB: peak memory of the "
        "process that measures both."
    ),
    columns=(
        Column("layer", cell("name")),
        Column("steps", cell("steps")),
        Column("replay s", cell("replay", "{:.3f}")),
        Column("products s", cell("products_and_operands", "{:.3f}")),
        Column("bare s", cell("products", "{:.3f}")),
        Column("x", cell("ratio", "{:.2f}")),
        Column("x bare", cell("ratio_products", "{:.2f}")),
        Column("us/step", lambda row: f"{row['step_seconds'] * 1e6:.0f}"),
        PEAK,
    ),
    summary=_summary,
)
