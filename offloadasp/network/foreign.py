"""Recognises a file that is not what it should be, such as a web page after a failed download."""

# Where a kind of file has its mark, the mark in lower case, and what such a file is.
_KINDS = (
    (0, b"version https://git-lfs", "a pointer of Git LFS; git lfs pull fetches the file itself"),
    (0, b"<!doctype html", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"pk\x03\x04", "a zip archive, as PyTorch writes"),
    (0, b"\x1f\x8b", "compressed by gzip"),
    (0, b"\x89hdf", "an HDF5 file, as Keras writes"),
    (4, b"tfl3", "a model of TensorFlow Lite"),
    (4, b"ortm", "a model in ONNX Runtime's own format"),
)

BEGINNING = 64
"""How many bytes from the start of a file are enough to recognise it."""


def is_instead(beginning: bytes) -> str:
    """Return the end of a message, such as ``": it is a web page"``; empty if it is unknown."""
    text = beginning.lower()
    for start, mark, kind in _KINDS:
        if text.startswith(mark, start):
            return f": it is {kind}"
    return "" if beginning else ": it is empty"
