"""The arguments that prove lower bounds, one file each. Derivations: docs/bounds.md.

A new argument is a file here that defines ``ARGUMENT``, and its line in the list below.
"""

from importlib import import_module
from typing import Any

from offloadasp.bounds.argument import Argument, JointArgument

# Where two prove the same, the earlier one is named in the certificate.
_FILES = (
    "compulsory_loads",
    "compulsory_writes",
    "separator",
    "lines",
    "phases",
    "passes",
    "macs",
    "size",
    "memory",
    "step_sizes",
    "pace",
    "ends",
)

ARGUMENTS: tuple[Argument[Any] | JointArgument[Any], ...] = tuple(
    import_module(f"{__name__}.{file}").ARGUMENT for file in _FILES
)
"""All arguments."""
