"""A process in which AccelForge maps one layer onto one memory; prints JSON.

Input 16x32x32, 16 kernels 3x3, pad 1, one byte an element; a partial sum takes four bytes. One
memory holds all three operands, and main memory is above it. Only accesses to main memory cost
energy, and energy is minimised, so AccelForge minimises the bytes that it moves. All else is its
default. Its layers have no padding: the input is the padded one, 16x34x34.
"""

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accelforge import Spec
from accelforge.mapper.FFM.main import map_workload_to_arch

_SIZES = {"M": 16, "C": 16, "P": 32, "Q": 32, "R": 3, "S": 3}
_SIDE, _PAD = 32, 1
_BYTE, _SUM_BYTES = 8, 4


def main() -> None:
    """Map the layer onto as many bytes of memory as the command line says."""
    memory = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / "workload.yaml", Path(name) / "accelerator.yaml"]
        paths[0].write_text(json.dumps(_WORKLOAD), encoding="utf-8")
        paths[1].write_text(_accelerator(memory), encoding="utf-8")
        started = time.monotonic()
        spec = Spec.from_yaml(*map(str, paths))
        # In detail it would also draw the mapping, for which it needs a program of its own.
        found = map_workload_to_arch(spec, print_progress=False, eval_in_detail=False)
        seconds = time.monotonic() - started
    best = found.data.sort_values("Total<SEP>energy").iloc[0]
    # It charges four bytes for a sum that is complete as well, which leaves as one byte.
    complete = (_SUM_BYTES - 1) * _SIZES["M"] * _SIZES["P"] * _SIZES["Q"]
    moved = round(best["Total<SEP>energy"]) - complete
    loads = list(_input_loads(best["Total<SEP>mapping"]().nodes))
    # The same without the loads of padding, which need no transfer.
    padding = sum(whole - inside for whole, inside in loads)
    print(json.dumps({"moved": moved, "moved_net": moved - padding, "seconds": seconds}))


def _input_loads(nodes: list[Any]) -> Iterator[tuple[int, int]]:
    """Yield the input elements of each load in a mapping: all of them, and those no padding.

    The loops above the chip's place for the input say how often a part of it is loaded, and which.
    """
    loops: list[tuple[str, int, int]] = []
    tile = {rank.lower(): size for rank, size in _SIZES.items()}
    for node in nodes:
        kind = type(node).__name__
        if kind == "Storage" and "I" in node.tensors and node.component == "Chip":
            break
        if kind == "Temporal":
            name, size = str(node.rank_variable), int(node.tile_shape)
            loops.append((name, tile[name], size))
            tile[name] = size
    for places in itertools.product(*(range(0, whole, size) for _, whole, size in loops)):
        start = dict.fromkeys(tile, 0)
        for (name, _, _), place in zip(loops, places, strict=True):
            start[name] += place
        whole = inside = tile["c"]
        for output, kernel in (("p", "r"), ("q", "s")):
            first = start[output] + start[kernel]
            last = first + tile[output] + tile[kernel] - 1
            whole *= last - first
            inside *= max(0, min(last, _SIDE + _PAD) - max(first, _PAD))
        yield whole, inside


_WORKLOAD = {
    "workload": {
        "rank_sizes": _SIZES,
        "einsums": [
            {
                "name": "Conv",
                "tensor_accesses": [
                    {
                        "name": "I",
                        "projection": {"C": "c", "H": "p+r", "W": "q+s"},
                        "bits_per_value": _BYTE,
                    },
                    {"name": "F", "projection": ["m", "c", "r", "s"], "bits_per_value": _BYTE},
                    {
                        "name": "O",
                        "projection": ["m", "p", "q"],
                        "bits_per_value": _BYTE * _SUM_BYTES,
                        "output": True,
                    },
                ],
            }
        ],
    }
}


def _accelerator(memory: int) -> str:
    """Return main memory, the chip's memory of so many bytes, and the array."""
    free = "throughput: inf, latency: 0"

    def level(name: str, bits: float, energy: int) -> str:
        actions = "".join(
            f"    - {{name: {way}, energy: {energy}, bits_per_action: {_BYTE}, {free}}}\n"
            for way in ("read", "write")
        )
        return (
            f"  - !Memory\n    name: {name}\n    size: {bits}\n    leak_power: 0\n    area: 0\n"
            f"    tensors: {{keep: All}}\n    actions:\n{actions}"
        )

    return (
        "arch:\n  nodes:\n"
        + level("Main", float("inf"), 1)
        + level("Chip", _BYTE * memory, 0)
        + "  - !Compute\n    name: Array\n    leak_power: 0\n    area: 0\n    actions:\n"
        + f"    - {{name: compute, energy: 0, {free}}}\n"
    )


if __name__ == "__main__":
    main()
