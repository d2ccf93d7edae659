"""The suite ``scaled``: is it the bound or the plan? Layers small enough for exact optima."""

import statistics
from collections.abc import Sequence
from fractions import Fraction

from bench.child import Children
from bench.offload import parse, solve, toml, whole
from bench.record import Row
from bench.suite import SECONDS, Column, Limits, Suite, Task, cell, measured
from offloadasp.bounds import lower_bound
from offloadasp.bounds.geometry.compulsory import compulsory_loads, compulsory_writes

# Output positions in a row, kernels, channels, width of a kernel: 12 to 20 operations.
_SHAPES = (
    (2, 2, 3, 2),
    (3, 2, 3, 1),
    (3, 2, 3, 2),
    (3, 3, 2, 1),
    (3, 3, 2, 2),
    (4, 2, 2, 1),
    (4, 2, 2, 2),
    (5, 2, 2, 1),
    (5, 2, 2, 2),
)
_DENOMINATORS = (4, 3)


def _text(shape: tuple[int, int, int, int], denominator: int) -> str:
    positions, kernels, channels, taps = shape
    width = positions + taps - 1
    data = channels * width + kernels * channels * taps + kernels * positions
    return toml(
        {
            "name": f"scaled-{'x'.join(map(str, shape))}-{denominator}",
            "layer": {
                "input": [channels, 1, width],
                "kernels": kernels,
                "kernel_shape": [1, taps],
            },
            "accelerator": {
                "memory": data // denominator,
                "load_cycles": 1,
                "write_cycles": 1,
                "compute_cycles": 0,
                "macs_per_step": kernels * channels * taps * positions,
            },
            "precision": {"input": 1, "weight": 1, "output": 1, "partial_sum": 2},
            "decomposition": {
                "tile": [1, 1],
                "kernel_groups": kernels,
                "channel_groups": channels,
            },
        }
    )


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every shape and memory."""

    def task(name: str, text: str) -> Task:
        def work(children: Children) -> Row:
            run = solve(children, text, limits)
            if not run.report:
                return run.row
            report, problem = run.report, whole(parse(text))
            constructed = min(map(Fraction, report["baselines"].values()))
            return {
                **run.row,
                "memory": problem.memory,
                "compulsory": compulsory_loads(problem) + compulsory_writes(problem),
                "bound": int(lower_bound(problem).value),
                "proven": int(Fraction(report["lower_bound"])),
                "found": int(Fraction(report["duration"])),
                "constructed": int(constructed),
            }

        return Task(name, work)

    texts = {}
    for shape in _SHAPES:
        for denominator in _DENOMINATORS:
            name = f"{'x'.join(map(str, shape))} 1/{denominator}"
            texts[name] = _text(shape, denominator)
    return [task(name, text) for name, text in texts.items()]


def _summary(rows: Sequence[Row]) -> list[str]:
    found = measured(rows)
    decided = [row for row in found if row["status"] == "optimal"]
    if not decided:
        return ["No optimum is known."]
    gap = _share(decided, "constructed", "bound")
    return [
        f"Optimum known: {len(decided)} of {len(found)}. There bound and constructed plan are "
        f"{gap:.1%} of the plan apart on average: the optimum is "
        f"{_share(decided, 'constructed', 'found'):.1%} below the plan and "
        f"{_share(decided, 'found', 'bound'):.1%} above the bound."
    ]


def _share(rows: Sequence[Row], high: str, low: str) -> float:
    """Mean difference between two columns, as a share of the constructed plan."""
    shares = [float(row[high] - row[low]) / float(row["constructed"]) for row in rows]
    return statistics.mean(shares)


SUITE = Suite(
    name="scaled",
    title="Scaled down: is it the bound or the plan?",
    about=(
        "Layers of one row (positions x kernels x channels x width of a kernel), every pixel, "
        "kernel and channel a group of its own, at a part of their data, judged on transfers: gaps "
        "arise as in the suite layers, but complete search can close them. bound: proved without "
        "a search; proven, found: after it; constructed: the best plan before it. All in cycles, "
        "at one byte a cycle."
    ),
    columns=(
        Column("layer", cell("name")),
        Column("memory", cell("memory")),
        Column("compuls.", cell("compulsory")),
        Column("bound", cell("bound")),
        Column("proven", cell("proven")),
        Column("found", cell("found")),
        Column("constructed", cell("constructed")),
        Column("status", cell("status")),
        SECONDS,
    ),
    summary=_summary,
)
