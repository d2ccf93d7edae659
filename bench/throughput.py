"""A process that times the replay of a strategy file against plain matrix products; prints JSON."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import Layer
from offloadasp.model.strategy import load

Array = NDArray[np.float64]


def main() -> None:
    """Time the strategy file, the repetitions and the seed that the command line names."""
    path, repeats, seed = sys.argv[1:]
    strategy = load(Path(path))
    layer = strategy.instance.layer
    draw = np.random.default_rng(int(seed))
    shape = (layer.kernels, layer.input[0], *layer.kernel_shape)
    x = draw.integers(-128, 128, layer.input, dtype=np.int8)
    w = draw.integers(-128, 128, shape, dtype=np.int8)

    replays = [_timed(lambda: simulate(strategy, x, w)) for _ in range(int(repeats))]
    replay = replays[0][1]
    taps, operands = products(layer, x, w)
    plain = [_timed(lambda: multiply(taps, operands)) for _ in range(int(repeats))]
    copied = [_timed(lambda: multiply(*products(layer, x, w))) for _ in range(int(repeats))]
    result = copied[0][1].reshape(layer.output_shape)
    print(
        json.dumps(
            {
                "verified": replay.verified and bool((result == replay.output).all()),
                "steps": replay.compute_steps,
                "replay": min(seconds for seconds, _ in replays),
                "products": min(seconds for seconds, _ in plain),
                "products_and_operands": min(seconds for seconds, _ in copied),
            }
        )
    )


def products(
    layer: Layer, x: NDArray[np.int8], w: NDArray[np.int8]
) -> tuple[list[Array], list[Array]]:
    """Return one pair of contiguous operands for each tap: (M, C) weights, (C, Ho·Wo) inputs.

    The inputs are the padded input shifted by the tap: what a direct convolution multiplies.
    """
    (top, left, bottom, right), (kh, kw) = layer.pads, layer.kernel_shape
    _, height, width = layer.output_shape
    (sh, sw), (dh, dw) = layer.strides, layer.dilations
    padded = np.pad(x.astype(np.float64), ((0, 0), (top, bottom), (left, right)))
    taps, operands = [], []
    for u in range(kh):
        for v in range(kw):
            shifted = padded[:, u * dh :: sh, v * dw :: sw][:, :height, :width]
            taps.append(np.ascontiguousarray(w[:, :, u, v], dtype=np.float64))
            operands.append(np.ascontiguousarray(shifted).reshape(len(x), -1))
    return taps, operands


def multiply(taps: list[Array], operands: list[Array]) -> Array:
    """Return the sum of the products: the convolution, shape (M, Ho·Wo)."""
    total = taps[0] @ operands[0]
    for tap, operand in zip(taps[1:], operands[1:], strict=True):
        total += tap @ operand
    return total


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


if __name__ == "__main__":
    main()
