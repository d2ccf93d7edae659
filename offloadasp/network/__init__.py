"""Whole networks: an ONNX model's convolutions as instances, planned, executed under their plans.

Reading: ``tensor_data``, ``attributes``, ``fit``, ``known``, ``shapes``, ``declared``; ``model``.
Layers: ``nodes``, ``multiplying``, ``macs`` → ``convolutions``; ``record`` → ``plan`` → ``totals``.
Checking: ``dataset``, ``evaluator``, ``operands``, ``compare`` → ``margins`` → ``execute`` →
``verify``. ``whole_model`` does all of it. Most of it needs the optional package onnx.
"""
