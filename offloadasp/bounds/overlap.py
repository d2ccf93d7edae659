"""The least duration where transfers go on beside the compute action.

Derivation: docs/bounds.md, "Overlap". It rests on what is proved of bytes loaded, bytes written and
compute actions: an overlapped strategy, read serially, is a valid one of the same transfers.
"""

from fractions import Fraction

from offloadasp.model.problem import Problem


def least_duration(problem: Problem, loads: int, writes: int, steps: int) -> Fraction:
    """Return a lower bound on the cycles of every overlapped strategy.

    Parameters
    ----------
    problem
        With a semantics that overlaps.
    loads, writes, steps
        Bytes loaded, bytes written and compute actions of every strategy, at least.
    """
    rates = problem.accelerator
    load, write = rates.load_cycles * loads, rates.write_cycles * writes
    compute = rates.compute_cycles * steps + rates.mac_cycles * problem.total_macs
    least_macs = int(problem.operation_macs[problem.exists.every()].min())
    first = rates.load_cycles * _least_inputs(problem)
    last = rates.write_cycles * int(problem.output_bytes.min())
    # Nothing is computed before the first load, nor written before the first compute action. What
    # is loaded is of use only to a later compute action, and the last one is followed by a write.
    return max(
        problem.semantics.longest_transfer(load, write),
        first + compute + last,
        load + rates.compute_time(least_macs) + last,
        first + rates.compute_time(least_macs) + write,
    )


def least_wait(problem: Problem, loads: int, writes: int, steps: int) -> Fraction:
    """Return a lower bound on the cycles beyond the compute actions of every overlapped strategy.

    Parameters are those of `least_duration`; the number of compute actions is exact or, where they
    take no time but that of their work, at least ``steps``.
    """
    rates = problem.accelerator
    busy = rates.compute_cycles * steps + rates.mac_cycles * problem.total_macs
    return least_duration(problem, loads, writes, steps) - busy


def _least_inputs(problem: Problem) -> int:
    """Return the least bytes of pixels and weights that one operation needs; biases left out."""
    rows, columns = problem.reads
    (height, width), (tall, wide) = problem.decomposition.tile, problem.layer.kernel_shape
    pixels = int(rows.distinct(height).min()) * int(columns.distinct(width).min())
    n, q = problem.exists.every()
    weights = problem.exists.shared(n, q) * tall * wide * problem.precision.weight
    return int((problem.pixel_bytes[q] * pixels + weights).min())
