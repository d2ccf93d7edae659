"""Says what a file is that lies in the place of another one, as after a download that failed."""

# Where the bytes are, which they are in lower case, and what they tell.
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
"""Bytes of a file that are enough to tell."""


def is_instead(beginning: bytes) -> str:
    """Return the end of a message, such as ``": it is a web page"``; empty if nobody knows."""
    text = beginning.lower()
    for start, mark, kind in _KINDS:
        if text.startswith(mark, start):
            return f": it is {kind}"
    return "" if beginning else ": it is empty"
