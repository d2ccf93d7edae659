"""Optional packages: found when they are needed, or one line on how to install them."""

import importlib
from importlib import resources
from types import ModuleType

from offloadasp.base.errors import InputError


def require(module: str, extra: str, what: str) -> ModuleType:
    """Import a module of an optional package.

    Raises
    ------
    InputError
        It is not installed; one line says which extra brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise InputError(
            f"{what} needs {package}, which is not installed: pip install 'offload-asp[{extra}]'"
        ) from None


def plotly_source() -> str:
    """Return the source of plotly.js, as the package plotly brings it.

    Raises
    ------
    InputError
        The package is not installed.
    """
    require("plotly", "report", "report")
    file = resources.files("plotly") / "package_data" / "plotly.min.js"
    return file.read_text(encoding="utf-8")
