"""Whole networks: an ONNX model's convolutions as instances, planned, and executed under the plans.

``accelerators`` → ``model`` → ``nodes`` → ``convolutions`` → ``record`` → ``plan`` → ``totals``;
``dataset`` and ``operands`` → ``verify``. Most of it needs the optional package onnx; ``extra``
says how to install it.
"""
