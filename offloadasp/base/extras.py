"""Optional packages: checks that one is installed, or says in one line how to install it."""

import importlib.util
from importlib import resources

from offloadasp.base.errors import InputError


def require(package: str, extra: str, what: str) -> None:
    """Check that an optional package is installed, without loading it.

    Raises
    ------
    InputError
        It is not installed; one line says which extra brings it.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f"{what} needs {package}, which is not installed: pip install 'offload-asp[{extra}]'"
        )


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
