"""The suite ``scale``: time and memory to the first verified plan with its bound."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

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


def _work(children: Children, case: Size, limits: Limits) -> Row:
    run = solve(children, case.text, replace(limits, time_limit=FIRST_PLAN))
    if not run.report:
        return run.row
    report = run.report
    groups = report["decomposition"]
    return {
        **run.row,
        "positions": case.side**2,
        "groups": case.groups,
        "chosen": f"{len(groups['kernel_groups'])} x {len(groups['channel_groups'])}",
        "duration": report["duration"],
        "lower_bound": report["lower_bound"],
        "gap": report["gap"],
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    lines = []
    for name in _DECOMPOSITIONS:
        alike = [row for row in measured(rows) if row["groups"] == name]
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


SUITE = Suite(
    name="scale",
    title="Scale: the first verified plan with its bound",
    about=(
        f"Input and output {_CHANNELS} channels of height x width, 3x3 kernels, pad 1, a step one "
        "output position with all channels. Memory: all kernels, one output block, and of the "
        "input one row and 9 pixels. Search off (--time-limit 0.001): bounds, one plan, its check "
        "by the rules and the simulator. Groups: kernel groups x channel groups, given as 1 x 1 or "
        "left open (auto), and those of the plan. total: seconds without the start of the process; "
        "s and MB: wall time and peak memory of the process."
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
    cases=partial(load, "scale", Size),
    work=_work,
)
