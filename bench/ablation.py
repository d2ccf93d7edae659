"""The suite ``ablation``: what each cut of the search program is worth."""

from collections.abc import Sequence

from bench.child import Children
from bench.flat import Flat, square
from bench.offload import solve, toml
from bench.record import Row
from bench.suite import SECONDS, Column, Limits, Suite, Task, cell, measured
from offloadasp.base.resources import encodings_folder
from offloadasp.search.refute.cuts import cut_files

_ALL = "all"


def _grouped(name: str, channels: int, kernels: int, side: tuple[int, int], memory: int) -> str:
    """Return a layer with as many groups as kernels and channels, two operations a step."""
    return toml(
        {
            "name": name,
            "layer": {"input": [channels, *side], "kernels": kernels, "kernel_shape": [2, 2]},
            "accelerator": {
                "memory": memory,
                "load_cycles": 1,
                "write_cycles": 1,
                "compute_cycles": 4,
                "macs_per_step": 8,
            },
            "precision": {"output": 1, "partial_sum": 2},
            "decomposition": {
                "tile": [1, 1],
                "kernel_groups": kernels,
                "channel_groups": channels,
            },
        }
    )


_FLAT = (
    square(6, 4, 16, 40),
    square(7, 3, 16, 55),
    square(7, 4, 16, 61),
    square(8, 4, 20, 70),
    square(9, 4, 20, 89),
    Flat((11, 11), 2, 16, stride=2),
    Flat((6, 6), 3, 15, pad=1),
)
# Kernels or channels, one a group; height and width of the input; bytes of memory.
_KERNEL_GROUPS = ((2, 3, 4, 13), (2, 4, 4, 15), (3, 3, 4, 14))
_CHANNEL_GROUPS = ((2, 3, 4, 14), (2, 3, 4, 16), (2, 4, 4, 18))


def _cases() -> dict[str, str]:
    texts = {case.name: case.text for case in _FLAT}
    for count, height, width, memory in _KERNEL_GROUPS:
        name = f"{height}x{width}-{count}-kernels-{memory}"
        texts[name] = _grouped(name, 1, count, (height, width), memory)
    for count, height, width, memory in _CHANNEL_GROUPS:
        name = f"{height}x{width}-{count}-channels-{memory}"
        texts[name] = _grouped(name, count, 1, (height, width), memory)
    return texts


CASES = _cases()


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every case with all cuts, without each of them, and without any."""
    cuts = list(cut_files(encodings_folder()))
    variants = {"": [], **{cut: [cut] for cut in cuts}, _ALL: cuts}

    def task(case: str, variant: str) -> Task:
        options = [f"--without={cut}" for cut in variants[variant]]

        def work(children: Children) -> Row:
            run = solve(children, CASES[case], limits, *options)
            if not run.report:
                return run.row
            return {
                **run.row,
                "case": case,
                "without": variant or "none",
                "found": run.report["duration"],
                "proven": run.report["lower_bound"],
            }

        return Task(f"{case} without {variant or 'none'}", work)

    return [task(case, variant) for case in CASES for variant in variants]


def _summary(rows: Sequence[Row]) -> list[str]:
    found = measured(rows)
    lines = []
    for variant in dict.fromkeys(row["without"] for row in found):
        alike = [row for row in found if row["without"] == variant]
        optimal = sum(row["status"] == "optimal" for row in alike)
        seconds = sum(row["seconds"] for row in alike)
        lines.append(f"Without {variant}: {optimal} of {len(alike)} proved, {seconds:.0f} s.")
    for case in dict.fromkeys(row["case"] for row in found):
        alike = [row for row in found if row["case"] == case]
        if max(row["proven"] for row in alike) > min(row["found"] for row in alike):
            lines.append(f"CONTRADICTION: {case}: a bound exceeds a duration.")
    return lines


SUITE = Suite(
    name="ablation",
    title="Ablation: what each cut is worth",
    about=(
        "Small layers (as in flat; then input, kernels or channels that are groups of their own, "
        "and bytes of memory, with 2x2 kernels, two operations a step and partial sums), solved "
        "with all cuts of encodings/proof/, without each of them in turn, and without all. Found "
        "and proven: duration and lower bound in cycles. s: wall time of the process, which ends "
        "with the proof or at the time limit."
    ),
    columns=(
        Column("case", cell("case")),
        Column("without", cell("without")),
        Column("found", cell("found")),
        Column("proven", cell("proven")),
        Column("status", cell("status")),
        SECONDS,
    ),
    summary=_summary,
)
