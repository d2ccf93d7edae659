"""The suite ``scaled``: is it the bound or the plan? Layers small enough for exact optima."""

import statistics
from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from bench.case import Case, load
from bench.child import Children
from bench.offload import instance_file, parse, solve, whole
from bench.record import Row
from bench.suite import SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.bounds import lower_bound
from offloadasp.bounds.geometry.compulsory import compulsory_loads, compulsory_writes


class Shape(Case):
    """A layer of one row; see ``bench/cases/scaled.toml``."""

    positions: int
    kernels: int
    channels: int
    taps: int
    denominator: int

    @property
    def shape(self) -> str:
        """Positions x kernels x channels x width of a kernel."""
        return f"{self.positions}x{self.kernels}x{self.channels}x{self.taps}"

    @property
    def name(self) -> str:
        """The shape, and the part of the data that fits."""
        return f"{self.shape} 1/{self.denominator}"

    @property
    def text(self) -> str:
        """The instance file."""
        width = self.positions + self.taps - 1
        weights = self.kernels * self.channels * self.taps
        data = self.channels * width + weights + self.kernels * self.positions
        return instance_file(
            f"scaled-{self.shape}-{self.denominator}",
            {
                "input": [self.channels, 1, width],
                "kernels": self.kernels,
                "kernel_shape": [1, self.taps],
            },
            memory=data // self.denominator,
            macs=weights * self.positions,
            compute=0,
            precision={"input": 1, "weight": 1, "output": 1, "partial_sum": 2},
            decomposition={
                "tile": [1, 1],
                "kernel_groups": self.kernels,
                "channel_groups": self.channels,
            },
        )


def _work(children: Children, case: Shape, limits: Limits) -> Row:
    run = solve(children, case.text, limits)
    if not run.report:
        return run.row
    report, problem = run.report, whole(parse(case.text))
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
    cases=partial(load, "scaled", Shape),
    work=_work,
)
