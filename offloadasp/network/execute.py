"""Executes an offloaded node by the simulator, under its plan, on the node's own tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto

from offloadasp.base.errors import VerificationError
from offloadasp.judge.simulator import simulate
from offloadasp.judge.simulator.convolution import convolve
from offloadasp.judge.simulator.tensors import Array, Tensors
from offloadasp.model.strategy import Strategy
from offloadasp.network.attributes import attributes
from offloadasp.network.compare import Mask, unit
from offloadasp.network.convolutions import Convolution
from offloadasp.network.margins import absolute_sums, node_margin
from offloadasp.network.operands import Operands, operands


@dataclass(frozen=True, eq=False)
class Executed:
    """What a node made.

    Attributes
    ----------
    output
        Its output, in the node's shape and element type.
    margin
        What each value may differ by from another computation of the same sums: float64, in the
        same shape; or one number for all.
    unsure
        Values where the other computation may overflow or make NaN by its own doing.
    beside
        Whether no value was computed under the plan: all of them depend on NaN or infinity.
    note
        What else there is to say; may be empty.
    """

    output: Array
    margin: Array | float
    unsure: Mask | None = None
    beside: bool = False
    note: str = ""


def execute(
    convolution: Convolution,
    strategy: Strategy,
    inputs: Sequence[Any],
    node: NodeProto,
    *,
    weights_left: bool,
) -> Executed:
    """Execute a node.

    Values that depend on NaN or infinity are computed beside the plan, by direct convolution: the
    chip model marks what is absent by NaN.

    Raises
    ------
    InputError
        The node's tensors cannot be simulated.
    VerificationError
        The strategy is refused.
    """
    ready = operands(convolution.op, inputs, attributes(node), weights_left=weights_left)
    if ready.x.dtype.kind in "iu":
        out = _simulate(convolution, strategy, ready, ready.x)
        return Executed(ready.finish(out), 1.0 if ready.requantised else 0.0)
    layer = convolution.layer
    bad = ~np.isfinite(ready.x)
    clean = Operands(np.where(bad, 0.0, ready.x), ready.w, ready.bias, ready.arrange, ready.convert)
    out = _simulate(convolution, strategy, clean, clean.x)
    touched = np.zeros(out.shape, bool)
    note = ""
    if bad.any():
        ones = Tensors(bad.astype(float), np.ones_like(ready.w), None, True, False, np.inf)
        touched = convolve(layer, ones) > 0
        with np.errstate(all="ignore"):
            direct = convolve(layer, Tensors(ready.x, ready.w, ready.bias, True, False, np.inf))
        out = np.where(touched, direct, out)
        count = int(np.count_nonzero(touched))
        note = f"{count} of {out.size} values depend on NaN or infinity; computed beside the plan"
    with np.errstate(all="ignore"):
        found = ready.finish(out)
    numbers = _limits(found.dtype)
    margin = node_margin(layer, clean, found, numbers[0])
    # Sums of which a part may exceed the type, and NaN that zeros between the taps of a dilated
    # kernel make of an infinity, are the evaluator's own doing.
    unsure = absolute_sums(layer, clean) >= numbers[1]
    if bad.any() and max(layer.dilations) > 1:
        unsure = np.ones_like(unsure)
    return Executed(found, margin, unsure, bool(touched.all()), note)


def _simulate(convolution: Convolution, strategy: Strategy, ready: Operands, x: Array) -> Array:
    replay = simulate(strategy, x, ready.w, ready.bias)
    if not replay.verified:
        reason = replay.violations[0] if replay.violations else f"error {replay.max_abs_error}"
        raise VerificationError(f"{convolution.node}: VERIFICATION FAILED: {reason}")
    return replay.output


def _limits(kind: np.dtype[Any]) -> tuple[float, float]:
    """Return the least positive and half the largest number of a floating-point type."""
    known = {"bfloat16": (2.0**-133, 2.0**126), "float16": (2.0**-24, 2.0**14)}
    if kind.name in known:
        return known[kind.name]
    if unit(kind):
        numbers = np.finfo(kind)
        return float(numbers.smallest_subnormal), float(numbers.max) / 2
    return 0.0, np.inf
