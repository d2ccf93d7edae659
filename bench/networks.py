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

# He et al., "Deep residual learning for image recognition" (arXiv:1512.03385), 18 layers at
# 224 x 224: channels, kernels, side of the input, kernel side, stride, pad.
_RESNET18 = {
    "conv1": (3, 64, 224, 7, 2, 3),
    "conv2": (64, 64, 56, 3, 1, 1),
    "conv3-down": (64, 128, 56, 3, 2, 1),
    "conv3-shortcut": (64, 128, 56, 1, 2, 0),
    "conv3": (128, 128, 28, 3, 1, 1),
    "conv4-down": (128, 256, 28, 3, 2, 1),
    "conv4-shortcut": (128, 256, 28, 1, 2, 0),
    "conv4": (256, 256, 14, 3, 1, 1),
    "conv5-down": (256, 512, 14, 3, 2, 1),
    "conv5-shortcut": (256, 512, 14, 1, 2, 0),
    "conv5": (512, 512, 7, 3, 1, 1),
    "fc": (512, 1000, 1, 1, 1, 0),
}

# Howard et al., "MobileNets" (arXiv:1704.04861), a quarter of the channels at 96 x 96 (MLPerf
# Tiny's visual wake words): kernels and stride of each separable block; the first convolution has
# 8 kernels and stride 2.
_MOBILENET_SIDE, _MOBILENET_FIRST = 96, 8
_MOBILENET = (
    (16, 1),
    (32, 2),
    (32, 1),
    (64, 2),
    (64, 1),
    (128, 2),
    *[(128, 1)] * 5,
    (256, 2),
    (256, 1),
)

# Zhang et al., "Hello edge" (arXiv:1711.07128), as MLPerf Tiny's keyword spotting has it: 49 x 10
# features, 64 channels, Keras' padding "same".
_DS_CNN_SIZE, _DS_CNN_CHANNELS, _DS_CNN_WORDS = (49, 10), 64, 12


def networks() -> Iterator[tuple[str, LayerTable]]:
    """Yield name and layer: LeNet-5, ResNet-8, VGG-16."""
    for name, (channels, kernels, side) in _LENET5.items():
        yield f"lenet5-{name}", _layer(channels, kernels, side, 5, 1, [0, 0, 0, 0])
    for name, (channels, kernels, side, kernel, stride) in _RESNET8.items():
        pads = [0, 0, 0, 0] if kernel == 1 else [1, 1, 1, 1] if stride == 1 else [0, 0, 1, 1]
        yield f"resnet8-{name}", _layer(channels, kernels, side, kernel, stride, pads)
    for name, (channels, kernels, side) in _VGG16.items():
        yield f"vgg16-{name}", _layer(channels, kernels, side, 3, 1, [1, 1, 1, 1])


def shipped() -> Iterator[tuple[str, str, LayerTable]]:
    """Yield network, name and layer of every distinct convolution of the networks shipped.

    Batch normalisation is folded into weights and biases, so that every layer has a bias.
    """
    for network, layers in (
        ("VGG-16", _vgg16()),
        ("ResNet-18", _resnet18()),
        ("MobileNetV1-0.25", _mobilenet()),
        ("DS-CNN", _ds_cnn()),
    ):
        known: list[LayerTable] = []
        for name, layer in layers:
            if layer not in known:
                known.append(layer)
                yield network, name, layer | {"bias": True}


def _vgg16() -> Iterator[tuple[str, LayerTable]]:
    for name, (channels, kernels, side) in _VGG16.items():
        yield f"vgg16-{name}", _layer(channels, kernels, side, 3, 1, [1, 1, 1, 1])


def _resnet18() -> Iterator[tuple[str, LayerTable]]:
    for name, (channels, kernels, side, kernel, stride, pad) in _RESNET18.items():
        yield f"resnet18-{name}", _layer(channels, kernels, side, kernel, stride, [pad] * 4)


def _mobilenet() -> Iterator[tuple[str, LayerTable]]:
    side, channels = _MOBILENET_SIDE, _MOBILENET_FIRST
    yield "mobilenetv1-conv1", _layer(3, channels, side, 3, 2, [0, 0, 1, 1])
    side //= 2
    for number, (kernels, stride) in enumerate(_MOBILENET, start=1):
        # Keras pads strided layers below and to the right only.
        pads = [1, 1, 1, 1] if stride == 1 else [0, 0, 1, 1]
        depthwise = _layer(channels, channels, side, 3, stride, pads) | {"group": channels}
        yield f"mobilenetv1-dw{number}", depthwise
        side //= stride
        yield f"mobilenetv1-pw{number}", _layer(channels, kernels, side, 1, 1, [0] * 4)
        channels = kernels
    yield "mobilenetv1-fc", _layer(channels, 2, 1, 1, 1, [0] * 4)


def _ds_cnn() -> Iterator[tuple[str, LayerTable]]:
    (height, width), channels = _DS_CNN_SIZE, _DS_CNN_CHANNELS
    yield (
        "ds-cnn-conv1",
        {
            "input": [1, height, width],
            "kernels": channels,
            "kernel_shape": [10, 4],
            "strides": [2, 2],
            "pads": [4, 1, 5, 1],
        },
    )
    size = [channels, -(-height // 2), -(-width // 2)]
    depthwise = _layer(channels, channels, 1, 3, 1, [1] * 4) | {"group": channels}
    yield "ds-cnn-dw", depthwise | {"input": size}
    yield "ds-cnn-pw", _layer(channels, channels, 1, 1, 1, [0] * 4) | {"input": size}
    yield "ds-cnn-fc", _layer(channels, _DS_CNN_WORDS, 1, 1, 1, [0] * 4)


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
