"""The suite ``scale``: time and memory to the first verified plan with its bound."""

import math
from collections.abc import Sequence

from bench.child import Children
from bench.offload import solve, toml
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, Task, cell, measured

# So short that the search ends with its first plan; the bound comes before it in any case.
FIRST_PLAN = 0.001

_SIDES = (16, 32, 64, 112, 160, 224)
_FROM, _TO = 32, 224
_CHANNELS = _KERNELS = 16
_TAPS = 9
_DECOMPOSITIONS = {"1 x 1": {"tile": [1, 1], "kernel_groups": 1, "channel_groups": 1}, "auto": {}}


def _text(side: int, decomposition: str) -> str:
    weights = _CHANNELS * _KERNELS * _TAPS
    # All kernels, an output, and of the input a row and a patch: always below the two rows and
    # three pixels of which each pixel is loaded once, always enough for strips half as wide.
    pixels = side + _TAPS
    return toml(
        {
            "name": f"scale-{side}",
            "layer": {
                "input": [_CHANNELS, side, side],
                "kernels": _KERNELS,
                "kernel_shape": [3, 3],
                "pads": [1, 1, 1, 1],
            },
            "accelerator": {
                "memory": weights + _KERNELS + pixels * _CHANNELS,
                "load_cycles": 1,
                "write_cycles": 1,
                "compute_cycles": _TAPS,
                "macs_per_step": weights,
            },
            "decomposition": _DECOMPOSITIONS[decomposition],
        }
    )


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every size, with groups given and left open."""
    first = Limits(FIRST_PLAN, limits.threads, limits.seed)

    def task(side: int, decomposition: str) -> Task:
        def work(children: Children) -> Row:
            run = solve(children, _text(side, decomposition), first)
            if not run.report:
                return run.row
            report = run.report
            groups = report["decomposition"]
            return {
                **run.row,
                "positions": side * side,
                "groups": decomposition,
                "chosen": f"{len(groups['kernel_groups'])} x {len(groups['channel_groups'])}",
                "duration": report["duration"],
                "lower_bound": report["lower_bound"],
                "gap": report["gap"],
            }

        return Task(f"{side}x{side} {decomposition}", work)

    return [task(side, name) for name in _DECOMPOSITIONS for side in _SIDES]


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
)
