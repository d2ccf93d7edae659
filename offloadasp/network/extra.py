"""The optional package onnx."""

import importlib.util

from offloadasp.errors import InputError


def require_onnx() -> None:
    """Say how to install onnx where it is missing.

    Raises
    ------
    InputError
        It is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise InputError(
            "reading ONNX models needs the package onnx, which is not installed: "
            "pip install 'offload-asp[onnx]'"
        )
