"""Lower bounds on the number of compute actions. Derivation: docs/bounds.md, section 6."""

import numpy as np

from offloadasp.bounds.geometry.operations import OperationFootprint
from offloadasp.bounds.geometry.sizes import Sizes


def steps_by_macs(sizes: Sizes, macs_per_step: int) -> int:
    """Divide all multiply-accumulates among steps that do at most ``macs_per_step``."""
    total = sum(macs * count for macs, count in sizes.operation_macs)
    return -(-total // macs_per_step)


def steps_by_size(sizes: Sizes, macs_per_step: int, least: int) -> int:
    """Count the operations of at least ``least`` MACs; a step holds a whole number of them."""
    count = sum(count for macs, count in sizes.operation_macs if macs >= least)
    return -(-count // max(1, macs_per_step // least))


def steps_by_memory(footprint: OperationFootprint, memory: int, group: int) -> int:
    """Count steps of at most ``group`` operations, if one more does not fit into the memory.

    Returns 1, which proves nothing, if it may fit.
    """
    operations = footprint.sizes.operations
    if group < 1 or group >= operations or _least_bytes(footprint, group + 1) <= memory:
        return 1
    return -(-operations // group)


def largest_group(footprint: OperationFootprint, memory: int) -> int:
    """Find a number of operations such that one more does not fit; all of them if there is none."""
    low, high = 1, footprint.sizes.operations + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _least_bytes(footprint, middle) <= memory:
            low = middle
        else:
            high = middle
    return low


def _least_bytes(footprint: OperationFootprint, operations: int) -> int:
    n = np.array([operations], dtype=np.int64)
    return int(footprint.at(n, footprint.sizes.computing_bytes)[0])
