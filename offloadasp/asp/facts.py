"""An instance as ASP facts: what ``encodings/model`` takes as input."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.model.objectives import OBJECTIVES, is_linear, prices_of
from offloadasp.model.problem import CLINGO_LIMIT, Problem


@dataclass(frozen=True)
class Scale:
    """Prices as coprime integers: the cost of a plan is ``unit`` × the rules' cost."""

    load: int
    write: int
    compute: int
    unit: Fraction


def scale_of(problem: Problem) -> Scale:
    """Scale the prices of a problem to integers without a common factor, exactly."""
    prices = problem.prices.each
    denominator = math.lcm(*(price.denominator for price in prices))
    integers = [int(price * denominator) for price in prices]
    factor = math.gcd(*integers) or 1
    load, write, compute = (value // factor for value in integers)
    return Scale(load, write, compute, Fraction(factor, denominator))


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
        Whether memory and work are the instance's own, as users' rules may ask for them, rather
        than clipped to what the layer can use at all.
    """
    layer, precision = problem.layer, problem.precision
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    scale = scale_of(problem)
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
        _fact("load_cycles", min(scale.load, CLINGO_LIMIT)),
        _fact("write_cycles", min(scale.write, CLINGO_LIMIT)),
        _fact("compute_cycles", min(scale.compute, CLINGO_LIMIT)),
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


def fits_clingo(problem: Problem, steps: int) -> bool:
    """Whether no sum over that many steps can leave clingo's 32-bit integers.

    The worst plan of the solving rules loads every block in every step and spills every partial
    sum in every step. The pace cut multiplies the work of a step by steps. The live cut adds the
    memory to a budget of costs.
    """
    scale = scale_of(problem)
    moved = problem.all_bytes * steps
    worst = moved * scale.load + moved * scale.write + steps * scale.compute
    return max(worst + problem.all_bytes, problem.total_windows * steps) <= CLINGO_LIMIT
