"""A process in which ZigZag maps one layer onto one memory; prints JSON.

Input 16x32x32, 16 kernels 3x3, pad 1, one byte an element. A processing array of 16 x 16 does 16
kernels and 16 channels at once; one memory holds all three operands, and main memory is above it.
Only accesses to main memory cost energy, and energy is minimised, so ZigZag minimises what it
moves. All else is ZigZag's default.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from zigzag.api import get_hardware_performance_zigzag
from zigzag.hardware.architecture.memory_port import DataDirection
from zigzag.mapping.data_movement import DataMoveAttr

_OPERANDS = ("I1", "I2", "O")
# Bits: no access is split, and none counts as a fraction of a word.
_WIDEST = 2**13


def main() -> None:
    """Map the layer onto as many bytes of memory as the command line says."""
    memory = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {"workload": _workload(), "accelerator": _accelerator(memory), "mapping": _MAPPING}
        for key, value in files.items():
            # JSON is YAML; the order of memories, lowest first, must stay.
            (folder / f"{key}.yaml").write_text(json.dumps(value), encoding="utf-8")
        started = time.monotonic()
        _, _, evaluations = get_hardware_performance_zigzag(
            **{key: str(folder / f"{key}.yaml") for key in files},
            opt="energy",
            dump_folder=str(folder / "out"),
            loma_show_progress_bar=False,
        )
        seconds = time.monotonic() - started
    mapping = evaluations[0][1][0][0].mapping
    top = [moves[-1] for moves in mapping.unit_mem_data_movement.values()]
    print(
        json.dumps(
            {
                "moved": sum(_transferred(move) for move in top),
                "moved_net": sum(_counted(move) for move in top),
                "seconds": seconds,
            }
        )
    )


def _transferred(move: Any) -> int:
    """Return the elements between main memory and the chip that ZigZag's cost model charges."""
    amount = move.get_attribute(DataMoveAttr.DATA_TRANS_AMOUNT_PER_PERIOD)
    periods = move.get_attribute(DataMoveAttr.DATA_TRANS_PERIOD_COUNT)
    return sum(int(amount.get(way) * periods.get(way)) for way in DataDirection)


def _counted(move: Any) -> int:
    """Return the same without the first reading of outputs, for which nothing is there to read."""
    count = move.get_attribute(DataMoveAttr.DATA_ELEM_MOVE_COUNT)
    return sum(int(count.get(way)) for way in DataDirection)


def _port() -> dict[str, Any]:
    ways = {"I1": ("fh", "tl"), "I2": ("fh", "tl"), "O": ("fh", "tl", "fl", "th")}
    return {
        "name": "rw_port_1",
        "type": "read_write",
        "bandwidth_min": 8,
        "bandwidth_max": _WIDEST,
        "allocation": [f"{operand}, {way}" for operand in _OPERANDS for way in ways[operand]],
    }


def _accelerator(memory: int) -> dict[str, Any]:
    def level(bits: int, cost: float) -> dict[str, Any]:
        return {
            "size": bits,
            "r_cost": cost,
            "w_cost": cost,
            "area": 0.0,
            "latency": 1,
            "operands": list(_OPERANDS),
            "ports": [_port()],
            "served_dimensions": ["D1", "D2"],
        }

    return {
        "name": "one-memory",
        "memories": {"chip": level(8 * memory, 0.0), "main": level(10**10, 1.0)},
        "operational_array": {
            "unit_energy": 0.0,
            "unit_area": 1.0,
            "dimensions": ["D1", "D2"],
            "sizes": [16, 16],
        },
    }


def _workload() -> list[dict[str, Any]]:
    return [
        {
            "id": 0,
            "name": "layer",
            "operator_type": "Conv",
            "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
            "dimension_relations": ["ix=1*ox+1*fx", "iy=1*oy+1*fy"],
            "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [1, 16, 16, 32, 32, 3, 3],
            "operand_precision": {"W": 8, "I": 8, "O": 8, "O_final": 8},
            "operand_source": {"I": 0, "W": 0},
            "pr_loop_dims": ["IX", "IY"],
            "pr_loop_sizes": [32, 32],
            "padding": [[1, 1], [1, 1]],
        }
    ]


_MAPPING = [
    {
        "name": "default",
        "spatial_mapping": {"D1": ["K, 16"], "D2": ["C, 16"]},
        "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
    }
]


if __name__ == "__main__":
    main()
