"""Small strategies made by hand, and what breaks when one of their lists is changed."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from offloadasp.model.strategy import Strategy

Json = dict[str, Any]
Edit = Callable[[Json], object]


def made(layer: Json, groups: tuple[Json, Json], steps: list[Json], duration: int) -> Json:
    """Return a strategy file's content; one byte an element, four a partial sum."""
    accelerator = {
        "memory": 11,
        "load_cycles": 1,
        "write_cycles": 1,
        "compute_cycles": 10,
        "macs_per_step": 4,
    }
    return {
        "instance": {
            "name": "hand-made",
            "layer": layer,
            "accelerator": accelerator,
            "decomposition": {"kernel_groups": groups[0], "channel_groups": groups[1]},
        },
        "duration": duration,
        "lower_bound": 0,
        "status": "feasible",
        "steps": steps,
    }


def step(
    free: Json | None = None,
    write: Json | None = None,
    load: Json | None = None,
    compute: Any = (),
) -> Json:
    return {
        "free": free or {},
        "write": write or {},
        "load": load or {},
        "compute": list(compute),
    }


ONE: Any = [[0, 1]]
TWO: Any = [[0, 1], [1, 2]]

# A 2x2 kernel moves one column to the right: two of its four pixels stay on chip.
HALO = made(
    {"input": [1, 2, 3], "kernels": 1, "kernel_shape": [2, 2]},
    (ONE, ONE),
    [
        step(
            load={"pixels": [[0, 0, 2, 0, 2]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 1, 0, 1]],
        ),
        step(
            free={"pixels": [[0, 0, 2, 0, 1]]},
            write={"outputs": [[0, 0, 1, 0, 1]]},
            load={"pixels": [[0, 0, 2, 2, 3]]},
            compute=[[0, 0, 0, 1, 1, 2]],
        ),
        step(
            free={"pixels": [[0, 0, 2, 1, 3]], "kernels": [[0, 0]]},
            write={"outputs": [[0, 0, 1, 1, 2]]},
        ),
    ],
    duration=32,
)

# Two channel groups and a 1x1 kernel at two positions; the left partial sum is spilled.
SPILL = made(
    {"input": [2, 1, 2], "kernels": 1, "kernel_shape": [1, 1]},
    (ONE, TWO),
    [
        step(
            load={"pixels": [[0, 0, 1, 0, 2]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 1, 0, 2]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 0, 2]], "kernels": [[0, 0]]},
            write={"partial_sums": [[0, 0, 1, 0, 1]]},
            load={"pixels": [[1, 0, 1, 1, 2]], "kernels": [[0, 1]]},
            compute=[[0, 1, 0, 1, 1, 2]],
        ),
        step(
            free={"pixels": [[1, 0, 1, 1, 2]]},
            write={"outputs": [[0, 0, 1, 1, 2]]},
            load={"pixels": [[1, 0, 1, 0, 1]], "partial_sums": [[0, 0, 1, 0, 1]]},
            compute=[[0, 1, 0, 1, 0, 1]],
        ),
        step(
            free={"pixels": [[1, 0, 1, 0, 1]], "kernels": [[0, 1]]},
            write={"outputs": [[0, 0, 1, 0, 1]]},
        ),
    ],
    duration=46,
)

# Stride 3 and a 1x1 kernel: the two columns between the outputs are never used.
GAP = made(
    {"input": [1, 1, 4], "kernels": 1, "kernel_shape": [1, 1], "strides": [1, 3]},
    (ONE, ONE),
    [
        step(
            load={"pixels": [[0, 0, 1, 0, 1], [0, 0, 1, 3, 4]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 1, 0, 2]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 0, 1], [0, 0, 1, 3, 4]], "kernels": [[0, 0]]},
            write={"outputs": [[0, 0, 1, 0, 2]]},
        ),
    ],
    duration=15,
)

# Two convolution groups, each with its own channel and kernel.
DEPTHWISE = made(
    {"input": [2, 1, 1], "kernels": 2, "kernel_shape": [1, 1], "group": 2},
    (TWO, TWO),
    [
        step(
            load={
                "pixels": [[0, 0, 1, 0, 1], [1, 0, 1, 0, 1]],
                "kernels": [[0, 0], [1, 1]],
            },
            compute=[[0, 0, 0, 1, 0, 1], [1, 1, 0, 1, 0, 1]],
        ),
        step(
            free={
                "pixels": [[0, 0, 1, 0, 1], [1, 0, 1, 0, 1]],
                "kernels": [[0, 0], [1, 1]],
            },
            write={"outputs": [[0, 0, 1, 0, 1], [1, 0, 1, 0, 1]]},
        ),
    ],
    duration=16,
)

VALID = {"halo": HALO, "spill": SPILL, "gap": GAP, "depthwise": DEPTHWISE}


@dataclass(frozen=True)
class Mutant:
    """A broken strategy, and all its violations: (step, rule, block).

    The stated duration is the unbroken one's; that it may be wrong as well is not listed.
    """

    data: Json
    expected: frozenset[tuple[int, str, str]]

    @property
    def strategy(self) -> Strategy:
        return Strategy.model_validate(self.data)


def mutant(base: Json, expected: str, *edits: Edit) -> Mutant:
    """Edit a valid strategy; ``expected`` are lines ``step rule block``."""
    data = copy.deepcopy(base)
    for edit in edits:
        edit(data)
    found = [line.split() for line in expected.splitlines() if line.strip()]
    return Mutant(data, frozenset((int(t), rule, "".join(block)) for t, rule, *block in found))


def put(at: int, path: str, value: Any) -> Edit:
    """Set one list of a step, such as ``load.pixels`` of step 2."""

    def edit(data: Json) -> None:
        *tables, name = path.split(".")
        target = data["steps"][at - 1]
        for key in tables:
            target = target[key]
        target[name] = value

    return edit


def insert(at: int, value: Json) -> Edit:
    return lambda data: data["steps"].insert(at - 1, value)


def limit(name: str, value: int) -> Edit:
    return lambda data: data["instance"]["accelerator"].update({name: value})


LEFT_PIXELS = [[0, 0, 2, 0, 2]]
LEFT_OUTPUT, RIGHT_OUTPUT = [0, 0, 1, 0, 1], [0, 0, 1, 1, 2]

MUTANTS = [
    # the form of boxes
    mutant(
        HALO,
        "1 empty_box pixel(1,0,0)",
        put(1, "load.pixels", [*LEFT_PIXELS, [0, 1, 1, 0, 2]]),
    ),
    mutant(HALO, "3 empty_box op(0,1,0,0)", put(3, "compute", [[0, 0, 0, 1, 1, 0]])),
    mutant(
        HALO,
        "2 empty_box output(1,0,0)",
        put(2, "write.outputs", [LEFT_OUTPUT, [0, 1, 0, 0, 1]]),
    ),
    mutant(
        HALO,
        "1 overlapping_boxes pixel(1,1,0)",
        put(1, "load.pixels", [*LEFT_PIXELS, [0, 1, 2, 1, 2]]),
    ),
    mutant(
        HALO,
        "3 overlapping_boxes pixel(0,1,0)\n3 overlapping_boxes pixel(1,1,0)",
        put(3, "free.pixels", [[0, 0, 2, 1, 2], [0, 0, 2, 1, 3]]),
    ),
    mutant(HALO, "1 overlapping_boxes kernel(0,0)", put(1, "load.kernels", [[0, 0], [0, 0]])),
    mutant(
        HALO,
        "3 overlapping_boxes output(0,1,0)",
        put(3, "write.outputs", [RIGHT_OUTPUT, RIGHT_OUTPUT]),
    ),
    mutant(
        SPILL,
        "1 overlapping_boxes op(0,1,0,0)",
        put(1, "compute", [[0, 0, 0, 1, 0, 2], [0, 0, 0, 1, 1, 2]]),
    ),
    # names of what does not exist
    mutant(HALO, "2 not_a_block pixel(2,2,0)", put(2, "load.pixels", [[0, 0, 3, 2, 3]])),
    mutant(HALO, "3 not_a_block pixel(0,3,0)", put(3, "free.pixels", [[0, 0, 2, 1, 2**31 - 1]])),
    mutant(
        HALO,
        "1 not_a_block pixel(0,0,1)",
        put(1, "load.pixels", [*LEFT_PIXELS, [1, 0, 1, 0, 1]]),
    ),
    mutant(
        HALO,
        "3 not_a_block output(0,0,1)",
        put(3, "write.outputs", [RIGHT_OUTPUT, [1, 0, 1, 0, 1]]),
    ),
    mutant(HALO, "1 not_a_block kernel(0,1)", put(1, "load.kernels", [[0, 0], [0, 1]])),
    mutant(
        GAP,
        "1 not_a_block pixel(0,1,0)\n1 not_a_block pixel(0,2,0)",
        put(1, "load.pixels", [[0, 0, 1, 0, 4]]),
    ),
    mutant(
        DEPTHWISE,
        "1 not_a_block kernel(0,1)",
        put(1, "load.kernels", [[0, 0], [1, 1], [0, 1]]),
    ),
    mutant(
        DEPTHWISE,
        "2 not_a_block kernel(1,0)",
        put(2, "free.kernels", [[1, 0], [0, 0], [1, 1]]),
    ),
    mutant(DEPTHWISE, "2 not_an_operation op(0,0,0,1)", put(2, "compute", [[0, 1, 0, 1, 0, 1]])),
    mutant(HALO, "2 not_an_operation op(1,1,0,0)", put(2, "compute", [[0, 0, 0, 2, 1, 2]])),
    mutant(
        HALO,
        "2 not_an_operation op(0,2,0,0)",
        put(2, "compute", [[0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 2, 3]]),
    ),
    # what is not there
    mutant(HALO, "1 free_absent pixel(0,2,0)", put(1, "free.pixels", [[0, 0, 1, 2, 3]])),
    mutant(HALO, "1 free_absent kernel(0,0)", put(1, "free.kernels", [[0, 0]])),
    mutant(
        HALO,
        "2 free_absent pixel(1,2,0)",
        put(2, "free.pixels", [[0, 0, 2, 0, 1], [0, 1, 2, 2, 3]]),
    ),
    mutant(HALO, "1 write_absent output(0,0,0)", put(1, "write.outputs", [LEFT_OUTPUT])),
    mutant(HALO, "2 write_absent output(0,1,0)", put(2, "write.outputs", [[0, 0, 1, 0, 2]])),
    mutant(HALO, "2 write_absent output(0,0,0)", put(2, "write.partial_sums", [LEFT_OUTPUT])),
    mutant(SPILL, "3 write_absent output(0,0,0)", put(3, "write.partial_sums", [LEFT_OUTPUT])),
    mutant(
        HALO,
        """
        1 use_absent pixel(1,1,0)
        2 use_absent pixel(1,1,0)
        3 free_absent pixel(1,1,0)
        """,
        put(1, "load.pixels", [[0, 0, 1, 0, 2], [0, 1, 2, 0, 1]]),
    ),
    mutant(
        HALO,
        """
        1 use_absent kernel(0,0)
        2 use_absent kernel(0,0)
        3 free_absent kernel(0,0)
        """,
        put(1, "load.kernels", []),
    ),
    mutant(SPILL, "3 use_absent output(0,0,0)", put(3, "load.partial_sums", [])),
    # what is there already
    mutant(
        HALO,
        "2 load_present pixel(0,1,0)\n2 load_present pixel(1,1,0)",
        put(2, "load.pixels", [[0, 0, 2, 1, 3]]),
    ),
    mutant(HALO, "2 load_present kernel(0,0)", put(2, "load.kernels", [[0, 0]])),
    mutant(SPILL, "2 load_present output(0,1,0)", put(2, "load.partial_sums", [RIGHT_OUTPUT])),
    # outputs and partial sums
    mutant(
        SPILL,
        "2 write_incomplete output(0,0,0)\n4 never_computed op(0,0,0,1)",
        put(2, "write", {"outputs": [LEFT_OUTPUT]}),
        put(3, "load.partial_sums", []),
        put(3, "compute", []),
        put(4, "write.outputs", []),
    ),
    mutant(
        HALO,
        "2 write_complete_as_partial output(0,0,0)",
        put(2, "write", {"partial_sums": [LEFT_OUTPUT]}),
    ),
    mutant(
        SPILL,
        "4 write_complete_as_partial output(0,0,0)",
        put(4, "write", {"partial_sums": [LEFT_OUTPUT]}),
    ),
    mutant(SPILL, "1 load_unspilled output(0,0,0)", put(1, "load.partial_sums", [LEFT_OUTPUT])),
    mutant(HALO, "3 load_unspilled output(0,0,0)", put(3, "load.partial_sums", [LEFT_OUTPUT])),
    mutant(
        SPILL,
        "4 load_unspilled output(0,0,0)",
        put(4, "load.partial_sums", [LEFT_OUTPUT]),
    ),
    # operations
    mutant(
        HALO,
        "3 compute_twice op(0,1,0,0)",
        insert(3, step(compute=[[0, 0, 0, 1, 1, 2]])),
    ),
    mutant(
        HALO,
        "3 never_computed op(0,1,0,0)",
        put(2, "compute", []),
        put(3, "write.outputs", []),
    ),
    mutant(
        SPILL,
        "4 never_computed op(0,0,0,1)",
        put(3, "compute", []),
        put(4, "write", {"partial_sums": [LEFT_OUTPUT]}),
    ),
    mutant(HALO, "1 macs\n2 macs", limit("macs_per_step", 3)),
    mutant(SPILL, "1 macs", limit("macs_per_step", 1)),
    # memory before, during and after the compute action
    mutant(HALO, "1 memory\n2 memory", limit("memory", 8)),
    mutant(SPILL, "1 memory", limit("memory", 10)),
    mutant(SPILL, "1 memory\n2 memory\n3 memory", limit("memory", 5)),
    mutant(
        HALO,
        "2 memory",
        limit("memory", 9),
        insert(2, step(load={"pixels": [[0, 0, 2, 2, 3]]})),
        put(3, "load.pixels", []),
    ),
    # the whole
    mutant(HALO, "2 empty_step", insert(2, step())),
    mutant(
        HALO,
        """
        2 left_on_chip pixel(0,1,0)
        2 left_on_chip pixel(0,2,0)
        2 left_on_chip pixel(1,1,0)
        2 left_on_chip pixel(1,2,0)
        2 left_on_chip output(0,1,0)
        2 left_on_chip kernel(0,0)
        """,
        lambda data: data["steps"].pop(),
    ),
]
