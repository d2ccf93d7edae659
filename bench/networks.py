"""Convolutions of published networks, as ``[layer]`` tables of instance files."""

from collections.abc import Iterator
from typing import Any

LayerTable = dict[str, Any]

# Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition"
# (arXiv:1409.1556), configuration D at 224 x 224: channels, kernels, side of the input.
_VGG16 = {
    "conv1_1": (3, 64, 224),
    "conv1_2": (64, 64, 224),
    "conv2_1": (64, 128, 112),
    "conv2_2": (128, 128, 112),
    "conv3_1": (128, 256, 56),
    "conv3_2": (256, 256, 56),
    "conv3_3": (256, 256, 56),
    "conv4_1": (256, 512, 28),
    "conv4_2": (512, 512, 28),
    "conv4_3": (512, 512, 28),
    "conv5_1": (512, 512, 14),
    "conv5_2": (512, 512, 14),
    "conv5_3": (512, 512, 14),
}

# LeCun et al., "Gradient-based learning applied to document recognition" (1998), C1 and C3, with
# full connections between the channels.
_LENET5 = {"conv1": (1, 6, 32), "conv2": (6, 16, 14)}

# MLPerf Tiny's image classification: channels, kernels, side, kernel side, stride. Keras' padding
# "same" pads strided layers below and to the right only.
_RESNET8 = {
    "conv1": (3, 16, 32, 3, 1),
    "stack1": (16, 16, 32, 3, 1),
    "stack2-down": (16, 32, 32, 3, 2),
    "stack2": (32, 32, 16, 3, 1),
    "stack2-shortcut": (16, 32, 32, 1, 2),
    "stack3-down": (32, 64, 16, 3, 2),
    "stack3": (64, 64, 8, 3, 1),
    "stack3-shortcut": (32, 64, 16, 1, 2),
}


def networks() -> Iterator[tuple[str, LayerTable]]:
    """Yield name and layer: LeNet-5, ResNet-8, VGG-16."""
    for name, (channels, kernels, side) in _LENET5.items():
        yield f"lenet5-{name}", _layer(channels, kernels, side, 5, 1, [0, 0, 0, 0])
    for name, (channels, kernels, side, kernel, stride) in _RESNET8.items():
        pads = [0, 0, 0, 0] if kernel == 1 else [1, 1, 1, 1] if stride == 1 else [0, 0, 1, 1]
        yield f"resnet8-{name}", _layer(channels, kernels, side, kernel, stride, pads)
    for name, (channels, kernels, side) in _VGG16.items():
        yield f"vgg16-{name}", _layer(channels, kernels, side, 3, 1, [1, 1, 1, 1])


def _layer(
    channels: int, kernels: int, side: int, kernel: int, stride: int, pads: list[int]
) -> LayerTable:
    return {
        "input": [channels, side, side],
        "kernels": kernels,
        "kernel_shape": [kernel, kernel],
        "strides": [stride, stride],
        "pads": pads,
    }
