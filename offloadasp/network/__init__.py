"""Whole networks: an ONNX model's convolutions as instances, planned, and executed under the plans.

The way through: ``accelerators`` and ``model`` → ``convolutions`` → ``layers`` → ``record`` →
``plan`` → ``operands`` → ``verify``. Only ``model``, ``convolutions``, ``dataset`` and ``verify``
need the package onnx; ``extra`` says what to install where it is missing.
"""
