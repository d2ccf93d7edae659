"""The suite ``simulate``: the replay of a plan against plain matrix products."""

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.case import Case, load
from bench.child import Children
from bench.networks import networks
from bench.offload import instance_file, solve
from bench.record import Row
from bench.scale import FIRST_PLAN
from bench.suite import PEAK, Column, Limits, Suite, cell, measured

_REPEATS = 3
_GOAL = 3.0


class Replay(Case):
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

    @property
    def text(self) -> str:
        """The instance file."""
        layer = dict(networks())[self.layer]
        channels, height, width = layer["input"]
        weights = channels * layer["kernels"] * math.prod(layer["kernel_shape"])
        return instance_file(
            f"simulate-{self.layer}-{self.positions}",
            layer,
            # Enough for all kernels and a good many rows, so that the plan is a simple one.
            memory=weights + (channels + layer["kernels"]) * height * width // 4,
            macs=weights * self.positions,
            compute=1,
            decomposition={"kernel_groups": 1, "channel_groups": 1},
        )


def _work(children: Children, case: Replay, limits: Limits) -> Row:
    first = replace(limits, time_limit=FIRST_PLAN)
    with tempfile.TemporaryDirectory() as folder:
        run = solve(children, case.text, first, keep=Path(folder))
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
    cases=partial(load, "simulate", Replay),
    work=_work,
)
