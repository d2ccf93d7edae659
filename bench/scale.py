"""The suite ``scale``: time and memory to the first verified plan with its bound."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from bench.case import Case, load
from bench.child import Children
from bench.offload import ONE_A_STEP, instance_file, solve
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured

# So short that the search ends with its first plan; the bound comes before it in any case.
FIRST_PLAN = 0.001

_FROM, _TO = 32, 224
_CHANNELS = _KERNELS = 16
_TAPS = 9
_DECOMPOSITIONS: dict[str, dict[str, Any]] = {"1 x 1": ONE_A_STEP, "auto": {}}


class Size(Case):
    """A square layer; see ``bench/cases/scale.toml``."""

    side: int
    groups: str

    @property
    def name(self) -> str:
        """Size and groups."""
        return f"{self.side}x{self.side} {self.groups}"

    @property
    def text(self) -> str:
        """The instance file."""
        weights = _CHANNELS * _KERNELS * _TAPS
        # All kernels, an output, and of the input a row and a patch: always below the two rows and
        # three pixels of which each pixel is loaded once, always enough for strips half as wide.
        pixels = self.side + _TAPS
        return instance_file(
            f"scale-{self.side}",
            {
                "input": [_CHANNELS, self.side, self.side],
                "kernels": _KERNELS,
                "kernel_shape": [3, 3],
                "pads": [1, 1, 1, 1],
            },
            memory=weights + _KERNELS + pixels * _CHANNELS,
            macs=weights,
            compute=_TAPS,
            decomposition=_DECOMPOSITIONS[self.groups],
        )


class Growing(Case):
    """A layer of which one size grows; see ``bench/cases/scale.toml``."""

    kind: Literal["depthwise", "row", "dilated row", "fully connected", "kernels"]
    size: int

    groups: ClassVar[str] = "auto"

    @property
    def name(self) -> str:
        """Kind and size."""
        return f"{self.kind} {self.size}"

    @property
    def text(self) -> str:
        """The instance file."""
        size, small = self.size, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        row = {"input": [8, 1, size], "kernels": 8, "kernel_shape": [1, 3]}
        layers: dict[str, dict[str, Any]] = {
            "depthwise": {"input": [size, 7, 7], "kernels": size, "group": size, **small},
            "row": {**row, "pads": [0, 1, 0, 1]},
            "dilated row": {**row, "pads": [0, 64, 0, 64], "dilations": [1, 64]},
            "fully connected": {"input": [1024, 1, 1], "kernels": size, "kernel_shape": [1, 1]},
            "kernels": {"input": [64, 7, 7], "kernels": size, **small},
        }
        return instance_file(
            self.name.replace(" ", "-"), layers[self.kind], memory=2**17, macs=2**17, compute=512
        )


def _work(children: Children, case: Size | Growing, limits: Limits) -> Row:
    run = solve(children, case.text, replace(limits, time_limit=FIRST_PLAN))
    if not run.report:
        return run.row
    report = run.report
    groups = report["decomposition"]
    return {
        **run.row,
        **_place(case),
        "groups": case.groups,
        "chosen": f"{len(groups['kernel_groups'])} x {len(groups['channel_groups'])}",
        "duration": report["duration"],
        "lower_bound": report["lower_bound"],
        "gap": report["gap"],
    }


def _place(case: Size | Growing) -> Row:
    if isinstance(case, Size):
        return {"positions": case.side**2}
    return {"kind": case.kind, "size": case.size}


def _summary(rows: Sequence[Row]) -> list[str]:
    return [*_squares(rows), *_growing(rows)]


def _growing(rows: Sequence[Row]) -> list[str]:
    """Say how time and memory grow with the size of each kind of layer."""
    lines = []
    alike: dict[str, list[Row]] = {}
    for row in measured(rows):
        if "kind" in row:
            alike.setdefault(row["kind"], []).append(row)
    for kind, found in alike.items():
        ends = min(row["size"] for row in found), max(row["size"] for row in found)
        if ends[0] < ends[1]:
            times = {row["size"]: row["inside"]["total"] for row in found}
            held = {row["size"]: row["peak_bytes"] for row in found}
            lines.append(
                f"{kind}: from {ends[0]} to {ends[1]} time grows as the size to the power "
                f"{_exponent(times, *ends):.2f}, memory {_exponent(held, *ends):.2f}. "
                "Goal: at most about 1."
            )
    return lines


def _squares(rows: Sequence[Row]) -> list[str]:
    lines = []
    for name in _DECOMPOSITIONS:
        alike = [row for row in measured(rows) if row["groups"] == name and "positions" in row]
        times = {row["positions"]: row["inside"]["total"] for row in alike}
        if {_FROM**2, _TO**2} <= set(times):
            ends = _exponent(times, _FROM**2, _TO**2)
            last = sorted(times)[-2:]
            lines.append(
                f"Groups {name}: from {_FROM}x{_FROM} to {_TO}x{_TO} time (without the start of "
                f"the process) grows as output positions to the power {ends:.2f}; over the last "
                f"step of sizes {_exponent(times, *last):.2f}. Goal: at most 1."
            )
    return lines


def _exponent(times: dict[int, float], first: int, last: int) -> float:
    return math.log(times[last] / times[first]) / math.log(last / first)


def _cases() -> list[Size | Growing]:
    return [*load("scale", Size), *load("scale", Growing, "growing")]


SUITE = Suite(
    name="scale",
    title="Scale: the first verified plan with its bound",
    about=(
        f"Input and output {_CHANNELS} channels of height x width, 3x3 kernels, pad 1, a step one "
        "output position with all channels. Memory: all kernels, one output block, and of the "
        "input one row and 9 pixels. Search off (--time-limit 0.001): bounds, one plan, its check "
        "by the rules and the simulator. Then layers of which one size grows, with 128 KiB and as "
        "many multiply-accumulates a step. Groups: kernel groups x channel groups, given as 1 x 1 "
        "or left open (auto), and those of the plan. total: seconds without the start of the "
        "process; s and MB: wall time and peak memory of the process."
    ),
    columns=(
        Column("outputs and groups", cell("name")),
        Column("chosen", cell("chosen")),
        Column("duration", cell("duration")),
        Column("bound", cell("lower_bound")),
        Column("gap", lambda row: f"{row['gap']:.2%}"),
        Column("total", lambda row: f"{row['inside']['total']:.2f}"),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=_cases,
    work=_work,
)
