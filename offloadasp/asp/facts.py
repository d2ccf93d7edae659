"""An instance as ASP facts: what ``encodings/model`` takes as input."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.model.objectives import DURATION, OBJECTIVES, is_linear, prices_of
from offloadasp.model.plan import Plan
from offloadasp.model.problem import CLINGO_LIMIT, Problem

# All waits of a strategy, scaled, must stay well below clingo's 32 bits.
_MOST_WAITS = 2**28


@dataclass(frozen=True)
class Scale:
    """Prices as coprime integers: the cost of a plan is ``unit`` × the rules' cost.

    ``wait`` is that of a scaled cycle (`scaled_times`) that a step waits for transfers beside its
    compute action.
    """

    load: int
    write: int
    compute: int
    unit: Fraction
    wait: int = 0


def scale_of(problem: Problem) -> Scale:
    """Scale the prices of a problem to integers without a common factor, exactly."""
    prices = problem.prices
    wait = prices.wait * scaled_times(problem).unit if prices.wait else Fraction(0)
    (load, write, compute, scaled_wait), unit = _coprime(*prices.each, wait)
    return Scale(load, write, compute, unit, scaled_wait)


@dataclass(frozen=True)
class Times:
    """Cycles as coprime integers: a byte loaded, one written, a compute action, and a window.

    A window is one channel of one kernel at one position. ``unit`` is one scaled cycle in cycles.
    """

    load: int
    write: int
    compute: int
    window: int
    unit: Fraction


def scaled_times(problem: Problem) -> Times:
    """Scale the rates of a problem's accelerator to integers without a common factor, exactly."""
    rates, (height, width) = problem.accelerator, problem.layer.kernel_shape
    window = rates.mac_cycles * height * width
    (load, write, compute, scaled), unit = _coprime(
        rates.load_cycles, rates.write_cycles, rates.compute_cycles, window
    )
    return Times(load, write, compute, scaled, unit)


def _coprime(*amounts: Fraction) -> tuple[list[int], Fraction]:
    """Return integers without a common factor, and the unit whose multiples the amounts are."""
    denominator = math.lcm(*(amount.denominator for amount in amounts))
    integers = [int(amount * denominator) for amount in amounts]
    factor = math.gcd(*integers) or 1
    return [value // factor for value in integers], Fraction(factor, denominator)


def _fact(name: str, *arguments: int) -> str:
    return f"{name}({', '.join(map(str, arguments))})." if arguments else f"{name}."


def facts(problem: Problem, steps: int, *, exact: bool = False) -> str:
    """Return the facts of a problem, a line each.

    Parameters
    ----------
    problem
        Layer, accelerator and decomposition.
    steps
        The number of steps that a strategy may take, the last write-back included.
    exact
        Whether memory, work and rates are the instance's own, as users' rules may ask for them,
        rather than clipped to what the layer can use at all, and the problem's prices.
    """
    layer, precision = problem.layer, problem.precision
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    memory, work = problem.memory, problem.accelerator.macs_per_step // taps
    if exact:
        memory, work = min(problem.capacity, CLINGO_LIMIT), min(work, CLINGO_LIMIT)
    else:
        work = min(work, problem.total_windows)
    lines = [
        _fact("input", *layer.input),
        _fact("kernels", layer.kernels),
        _fact("kernel_shape", *layer.kernel_shape),
        _fact("strides", *layer.strides),
        _fact("pads", *layer.pads),
        _fact("dilations", *layer.dilations),
        _fact("group", layer.group),
        *([_fact("bias")] if layer.bias else []),
        _fact("input_bytes", precision.input),
        _fact("weight_bytes", precision.weight),
        _fact("output_bytes", precision.output),
        _fact("partial_sum_bytes", precision.partial_sum),
        # clingo's integers have 32 bits.
        _fact("memory", memory),
        _fact("windows_per_step", work),
        *_time_facts(problem, steps, exact=exact),
        _fact("tile", *problem.decomposition.tile),
        *(
            _fact("kernel_group", n, *span)
            for n, span in enumerate(problem.decomposition.kernel_groups)
        ),
        *(
            _fact("channel_group", q, *span)
            for q, span in enumerate(problem.decomposition.channel_groups)
        ),
        *_objective_facts(problem),
        _fact("steps", steps),
    ]
    return "\n".join(lines) + "\n"


def _time_facts(problem: Problem, steps: int, *, exact: bool) -> Iterator[str]:
    """Yield the rates. Without overlap they are the prices, whatever those count, unless exact.

    With overlap, how long a step may wait: where rules may add to what transfers take, as long as
    32 bits hold the sum over all steps; else no longer than it takes to transfer all blocks.
    """
    if not problem.semantics.overlaps:
        duration = prices_of(DURATION, problem.instance)
        scale = scale_of(problem.at(duration) if exact else problem)
        yield _fact("load_cycles", min(scale.load, CLINGO_LIMIT))
        yield _fact("write_cycles", min(scale.write, CLINGO_LIMIT))
        yield _fact("compute_cycles", min(scale.compute, CLINGO_LIMIT))
        return
    times = scaled_times(problem)
    yield _fact("load_cycles", min(times.load, CLINGO_LIMIT))
    yield _fact("write_cycles", min(times.write, CLINGO_LIMIT))
    yield _fact("compute_cycles", min(times.compute, CLINGO_LIMIT))
    if times.window:
        yield _fact("window_cycles", min(times.window, CLINGO_LIMIT))
    yield f"overlap({problem.semantics.name})."
    longest = _MOST_WAITS // max(steps, 1)  # a file under check may have no steps
    if not exact:
        longest = min(longest, problem.all_bytes * (times.load + times.write))
    yield _fact("longest_wait", max(longest, 1))


def _objective_facts(problem: Problem) -> Iterator[str]:
    """Yield the prices of every objective that has a table of its own in the instance.

    Such as ``load_NAME(X)``: whole multiples of the unit of `scale_of` at these prices.
    """
    for name, objective in OBJECTIVES.items():
        if objective.table and is_linear(name) and objective.defined(problem.instance):
            scale = scale_of(problem.at(prices_of(name, problem.instance)))
            yield _fact(f"load_{name}", min(scale.load, CLINGO_LIMIT))
            yield _fact(f"write_{name}", min(scale.write, CLINGO_LIMIT))
            yield _fact(f"compute_{name}", min(scale.compute, CLINGO_LIMIT))
            if scale.wait:
                yield _fact(f"wait_{name}", min(scale.wait, CLINGO_LIMIT))


def fits_clingo(problem: Problem, steps: int) -> bool:
    """Whether no sum over that many steps can leave clingo's 32-bit integers.

    The worst plan of the solving rules loads every block in every step and spills every partial
    sum in every step. The pace cut multiplies the work of a step by steps. The live cut adds the
    memory to a budget of costs.
    """
    scale = scale_of(problem)
    moved = problem.all_bytes * steps
    worst = moved * scale.load + moved * scale.write + steps * scale.compute
    if problem.semantics.overlaps:
        # What a lane is busy with in one step, beside powers of two up to 2^30 by the steps.
        times = scaled_times(problem)
        lanes = problem.all_bytes * (times.load + times.write) + times.compute
        lanes += problem.total_windows * times.window
        worst += steps * (lanes + times.compute) + 2**30 * max(1, scale.wait)
        if 2 * lanes > 2**29 // steps:
            return False
    return max(worst + problem.all_bytes, problem.total_windows * steps) <= CLINGO_LIMIT


def in_range(plan: Plan, names: Sequence[str]) -> bool:
    """Whether what a plan costs by some objectives is within clingo's 32-bit integers."""
    problem, counts = plan.problem, plan.counts
    if problem.semantics.overlaps:
        lanes = scaled_times(problem)
        moved = lanes.load * counts.loaded + lanes.write * counts.written
        if moved > CLINGO_LIMIT:
            return False
    for name in {"duration", *names}:
        if is_linear(name):
            scale = scale_of(problem.at(prices_of(name, problem.instance)))
            parts = scale.load * counts.loaded, scale.write * counts.written
            waiting = counts.waiting / scaled_times(problem).unit * scale.wait
            if sum(parts) + scale.compute * counts.actions + waiting > CLINGO_LIMIT:
                return False
    return True
