"""Optimal offloading of convolution layers to small accelerators, by answer-set programming.

From Python: `load`, `solve`, `check`, `simulate`, `bound`; see docs/python.md. They are imported
when they are first used.

A layer's way through the package, each stage importing only what stands before it: ``base``,
``limits``, ``model``, ``asp``, ``bounds``, then ``judge`` and ``search``, which do not know each
other, ``pipeline``, ``api``, ``network``, ``report``, ``cli``.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from offloadasp.api import bound, check, load, simulate, solve
    from offloadasp.model.instance import Instance
    from offloadasp.model.objectives import Objective
    from offloadasp.model.plan import Plan
    from offloadasp.model.strategy import Strategy
    from offloadasp.result import Result
    from offloadasp.search.pool import Status

__all__ = [
    "Instance",
    "Objective",
    "Plan",
    "Result",
    "Status",
    "Strategy",
    "bound",
    "check",
    "load",
    "simulate",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'offloadasp' has no attribute '{name}'")
    from offloadasp import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
