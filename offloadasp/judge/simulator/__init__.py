"""The simulator: executes a strategy on tensors and checks every rule of the model.

One of two independent readings of the model's semantics; ``encodings/check`` is the other.
"""

from offloadasp.judge.simulator.books import Books, Loads, TraceRow, Writes, keep_books
from offloadasp.judge.simulator.convolution import direct_convolution
from offloadasp.judge.simulator.replay import Replay, simulate
from offloadasp.judge.simulator.violations import RULES, Violation

__all__ = [
    "RULES",
    "Books",
    "Loads",
    "Replay",
    "TraceRow",
    "Violation",
    "Writes",
    "direct_convolution",
    "keep_books",
    "simulate",
]
