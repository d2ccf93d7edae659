"""Traffic that no strategy avoids: every needed input loaded once, every output written once."""

from offloadasp.bounds.geometry.profile import used_inputs
from offloadasp.model.problem import Problem


def compulsory_loads(problem: Problem) -> int:
    """Return the bytes of all used pixels, kernels and biases: the same for all decompositions."""
    layer, precision = problem.layer, problem.precision
    pixels = used_inputs(layer, 0) * used_inputs(layer, 1) * layer.input[0] * precision.input
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    weights = layer.kernels * (layer.input[0] // layer.group) * taps * precision.weight
    return pixels + weights + (layer.kernels * precision.partial_sum if layer.bias else 0)


def compulsory_writes(problem: Problem) -> int:
    """Return the bytes of all outputs: the same for all decompositions."""
    return problem.layer.kernels * problem.positions * problem.precision.output
