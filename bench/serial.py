"""The suite ``serial``: the kernel stays on chip and each step computes one patch."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.child import Children
from bench.offload import parse, proved, solve, toml, whole
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, Task, cell, measured


@dataclass(frozen=True)
class Serial:
    """One channel, one kernel, one patch a step.

    Attributes
    ----------
    outputs
        Side of the output.
    pixels
        Pixels that fit beside the kernel.
    bound, best
        Pixel loads to prove and to reach.
    """

    outputs: int
    kernel: int
    pixels: int
    bound: int
    best: int
    stride: int = 1

    @property
    def name(self) -> str:
        """A name that says everything."""
        stride = f"-s{self.stride}" if self.stride != 1 else ""
        return f"{self.outputs}x{self.outputs}-k{self.kernel}{stride}-m{self.pixels}"

    @property
    def text(self) -> str:
        """The instance file."""
        side = (self.outputs - 1) * self.stride + self.kernel
        return toml(
            {
                "name": self.name,
                "layer": {
                    "input": [1, side, side],
                    "kernels": 1,
                    "kernel_shape": [self.kernel] * 2,
                    "strides": [self.stride] * 2,
                },
                "accelerator": {
                    "memory": self.pixels + self.kernel**2,
                    "load_cycles": 1,
                    "write_cycles": 1,
                    "compute_cycles": 1,
                    "macs_per_step": self.kernel**2,
                },
                "precision": {"output": 0},
                "decomposition": {"tile": [1, 1], "kernel_groups": 1, "channel_groups": 1},
            }
        )


CASES = (
    Serial(28, 5, 33, 1860, 1992),
    Serial(28, 5, 53, 1224, 1336),
    Serial(28, 5, 79, 1078, 1130),
    Serial(10, 5, 25, 520, 520),
    Serial(10, 5, 36, 240, 276),
    Serial(32, 3, 17, 1448, 1524),
    Serial(32, 3, 42, 1185, 1215),
    Serial(16, 3, 9, 1539, 1539, stride=2),
    Serial(16, 3, 19, 1123, 1147, stride=2),
)


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every case."""

    def task(case: Serial) -> Task:
        def work(children: Children) -> Row:
            run = solve(children, case.text, limits)
            if not run.report:
                return run.row
            parts = proved(whole(parse(case.text)), run.report["certificate"])
            fixed = parts.steps + case.kernel**2
            found, proven = (run.report[key] - fixed for key in ("duration", "lower_bound"))
            return {
                **run.row,
                "proven": proven,
                "found": found,
                "open": found - proven,
                "bound": case.bound,
                "best": case.best,
                "open_before": case.best - case.bound,
                "met": found <= case.best and proven >= case.bound,
            }

        return Task(case.name, work)

    return [task(case) for case in CASES]


def _summary(rows: Sequence[Row]) -> list[str]:
    rows = measured(rows)
    now, before = (sum(row[key] for row in rows) for key in ("open", "open_before"))
    worse = [str(row["name"]) for row in rows if not row["met"]]
    share = 100 * abs(before - now) / before if before else 0
    return [
        f"Open between the two over {len(rows)} of {len(CASES)} rows: {now} pixels, "
        f"{share:.1f} % {'more' if now > before else 'less'} than the {before} to beat.",
        f"Rows with a lesser bound or more loads: {', '.join(worse) or 'none'}.",
    ]


SUITE = Suite(
    name="serial",
    title="Serial: kernel resident, one patch a step",
    about=(
        "Output height x width, k: kernel, s: stride (1), m: pixels that fit beside the kernel. "
        "Outputs have no bytes. Proven and found: pixel loads, that is lower bound and duration "
        "less the compute cycles and the kernel's bytes. The columns after them are the figures "
        "to beat, and open is the difference. s and MB: wall time and peak memory of the process."
    ),
    columns=(
        Column("case", cell("name")),
        Column("proven", cell("proven")),
        Column("found", cell("found")),
        Column("open", cell("open")),
        Column("bound", cell("bound")),
        Column("best", cell("best")),
        Column("open", cell("open_before")),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
)
