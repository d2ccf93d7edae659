"""What a measurement depends on: the machine, the versions, the state of the sources."""

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from offloadasp import __version__

_ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = ("clingo", "numpy", "ortools", "zigzag-dse")
# Variables that change how fast a matrix product is.
_PRODUCTS = ("OPENBLAS_", "OMP_NUM_THREADS", "MKL_")


def machine() -> dict[str, str]:
    """Return processor, cores that may be used, memory and system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": str(cores),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of offload-asp, Python, and the libraries that are installed."""
    found = {"offload-asp": f"{__version__} at {commit()}", "Python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    found["BLAS"] = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    found |= {key: os.environ[key] for key in sorted(os.environ) if key.startswith(_PRODUCTS)}
    return found


@cache
def commit() -> str:
    """Return the commit of the sources, with ``-dirty`` if they differ; ``unknown`` without git."""
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
