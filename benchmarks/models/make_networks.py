#!/usr/bin/env python3
"""Writes the networks that the model benchmark times, as ONNX files with random weights of a fixed seed.

Weights do not change the speed, so none are downloaded: only the architectures count. They are built here operator by
operator from the papers' tables (ResNet: arXiv 1512.03385, v2: 1603.05027, ResNeXt: 1611.05431, VGG: 1409.1556,
MobileNetV2: 1801.04381, ShuffleNet: 1707.01083, v2: 1807.11164, SqueezeNet: 1602.07360 and its version 1.1, DenseNet: 1608.06993, EfficientNet: 1905.11946).
BatchNormalization is kept as a node of its own, as exporters write it in training form, so that folding it is part of each
engine's work at load time.

    make_networks.py FOLDER [NAME...]

makes FOLDER/NAME/model.onnx. Needs the Python packages numpy and onnx.
"""
import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13


class Network:
    """A chain of nodes: every method appends some and returns the name of their output."""

    def __init__(self, name, size, classes):
        self.name, self.size, self.classes = name, size, classes
        self.random = np.random.default_rng(20240601)
        self.nodes, self.weights, self.channels = [], [], {"input": 3}

    def node(self, op, inputs, channels, **attributes):
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        self.channels[output] = channels
        return output

    def weight(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def conv(self, x, out, kernel, stride=1, pad=None, groups=1, bias=False):
        inputs = self.channels[x] // groups
        scale = np.sqrt(2.0 / (inputs * kernel * kernel))
        parts = [x, self.weight(self.random.standard_normal((out, inputs, kernel, kernel)) * scale)]
        if bias:
            parts.append(self.weight(self.random.standard_normal(out) * 0.1))
        pad = kernel // 2 if pad is None else pad
        return self.node("Conv", parts, out, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups)

    def batch_norm(self, x, gamma=1.0):
        channels = self.channels[x]
        parts = [gamma * self.random.uniform(0.8, 1.2, channels), self.random.standard_normal(channels) * 0.1,
                 self.random.standard_normal(channels) * 0.1, self.random.uniform(0.8, 1.2, channels)]
        return self.node("BatchNormalization", [x] + [self.weight(part) for part in parts], channels)

    def relu(self, x):
        return self.node("Relu", [x], self.channels[x])

    def relu6(self, x):
        return self.node("Clip", [x, self.weight(0.0), self.weight(6.0)], self.channels[x])

    def swish(self, x):
        return self.node("Mul", [x, self.node("Sigmoid", [x], self.channels[x])], self.channels[x])

    def add(self, x, y):
        return self.node("Add", [x, y], self.channels[x])

    def concat(self, parts):
        return self.node("Concat", parts, sum(self.channels[p] for p in parts), axis=1)

    def shuffle(self, x, groups, size):
        """Interleaves the channels of so many groups of a tensor of size x size pixels."""
        channels = self.channels[x]
        x = self.node("Reshape", [x, self.shape([0, groups, channels // groups, size, size])], channels)
        x = self.node("Transpose", [x], channels, perm=[0, 2, 1, 3, 4])
        return self.node("Reshape", [x, self.shape([0, channels, size, size])], channels)

    def shape(self, extents):
        name = f"s{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(extents, np.int64), name))
        return name

    def halves(self, x):
        channels = self.channels[x] // 2
        first = self.node("Split", [x], channels, axis=1)
        second = f"{first}_second"
        self.nodes[-1].output.append(second)
        self.channels[second] = channels
        return first, second

    def max_pool(self, x, kernel, stride, pad=0):
        return self.node("MaxPool", [x], self.channels[x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def average_pool(self, x, kernel, stride, pad=0):
        return self.node("AveragePool", [x], self.channels[x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def global_pool(self, x):
        return self.node("GlobalAveragePool", [x], self.channels[x])

    def dense(self, x, out, inputs=None):
        inputs = inputs or self.channels[x]
        w = self.random.standard_normal((out, inputs)) * np.sqrt(1.0 / inputs)
        return self.node("Gemm", [x, self.weight(w), self.weight(np.zeros(out))], out, transB=1)

    def flatten(self, x):
        return self.node("Flatten", [x], self.channels[x])

    def model(self, output):
        image = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, self.size, self.size])
        scores = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", self.classes])
        graph = helper.make_graph(self.nodes, self.name, [image], [scores], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def conv_bn_relu(n, x, out, kernel, stride=1, groups=1):
    return n.relu(n.batch_norm(n.conv(x, out, kernel, stride, groups=groups)))


def resnet(name, counts, bottleneck, version="v1.5", groups=1, width=64):
    """v1 strides in the first 1x1 of a bottleneck, v1.5 in its 3x3, v2 normalizes before each convolution."""
    n = Network(name, 224, 1000)
    v2 = version == "v2"
    x = n.conv("input", 64, 7, 2)
    x = n.max_pool(x if v2 else n.relu(n.batch_norm(x)), 3, 2, 1)
    for stage, count in enumerate(counts):
        inner, out = groups * width << stage, (256 if bottleneck else 64) << stage
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            start = n.relu(n.batch_norm(x)) if v2 else x
            shortcut = x
            if block == 0 and (stride > 1 or n.channels[x] != out):
                shortcut = n.conv(start, out, 1, stride)
                shortcut = shortcut if v2 else n.batch_norm(shortcut)
            y = start
            if bottleneck:
                first, second = (stride, 1) if version == "v1" else (1, stride)
                y = conv_bn_relu(n, y, inner, 1, first)
                y = conv_bn_relu(n, y, inner, 3, second, groups)
                y = n.conv(y, out, 1)
            else:
                y = conv_bn_relu(n, y, out, 3, stride)
                y = n.conv(y, out, 3)
            x = n.add(y, shortcut) if v2 else n.relu(n.add(n.batch_norm(y, 0.3), shortcut))
    x = n.relu(n.batch_norm(x)) if v2 else x
    return n.model(n.dense(n.flatten(n.global_pool(x)), 1000))


def cifar_resnet(name, depth):
    n = Network(name, 32, 10)
    x = conv_bn_relu(n, "input", 16, 3)
    for stage in range(3):
        for block in range((depth - 2) // 6):
            out, stride = 16 << stage, 2 if stage > 0 and block == 0 else 1
            shortcut = x if stride == 1 else n.batch_norm(n.conv(x, out, 1, stride))
            y = n.batch_norm(n.conv(conv_bn_relu(n, x, out, 3, stride), out, 3), 0.1)
            x = n.relu(n.add(y, shortcut))
    return n.model(n.dense(n.flatten(n.global_pool(x)), 10))


def vgg16(name):
    n = Network(name, 224, 1000)
    x = "input"
    for out, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = n.relu(n.conv(x, out, 3, bias=True))
        x = n.max_pool(x, 2, 2)
    x = n.relu(n.dense(n.flatten(x), 4096, 512 * 7 * 7))
    return n.model(n.dense(n.relu(n.dense(x, 4096)), 1000))


def inverted_residual(n, x, out, stride, expand, kernel, activation, squeeze):
    inputs = n.channels[x]
    y = x
    if expand > 1:
        y = activation(n.batch_norm(n.conv(y, inputs * expand, 1)))
    hidden = n.channels[y]
    y = activation(n.batch_norm(n.conv(y, hidden, kernel, stride, groups=hidden)))
    if squeeze:
        s = n.swish(n.conv(n.global_pool(y), max(1, inputs // 4), 1, bias=True))
        s = n.node("Sigmoid", [n.conv(s, hidden, 1, bias=True)], hidden)
        y = n.node("Mul", [y, s], hidden)
    y = n.batch_norm(n.conv(y, out, 1))
    return n.add(y, x) if stride == 1 and inputs == out else y


def mobilenet_v2(name):
    n = Network(name, 224, 1000)
    x = n.relu6(n.batch_norm(n.conv("input", 32, 3, 2)))
    for expand, out, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                       (6, 320, 1, 1)):
        for block in range(count):
            x = inverted_residual(n, x, out, stride if block == 0 else 1, expand, 3, n.relu6, False)
    x = n.relu6(n.batch_norm(n.conv(x, 1280, 1)))
    return n.model(n.dense(n.flatten(n.global_pool(x)), 1000))


def efficientnet_b0(name):
    n = Network(name, 224, 1000)
    x = n.swish(n.batch_norm(n.conv("input", 32, 3, 2)))
    for expand, out, count, stride, kernel in ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
                                               (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)):
        for block in range(count):
            x = inverted_residual(n, x, out, stride if block == 0 else 1, expand, kernel, n.swish, True)
    x = n.swish(n.batch_norm(n.conv(x, 1280, 1)))
    return n.model(n.dense(n.flatten(n.global_pool(x)), 1000))


def squeezenet(name):
    n = Network(name, 224, 1000)
    x = n.max_pool(n.relu(n.conv("input", 64, 3, 2, 0, bias=True)), 3, 2)
    for index, (squeeze, expand) in enumerate(((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))):
        if index in (2, 4):
            x = n.max_pool(x, 3, 2)
        x = n.relu(n.conv(x, squeeze, 1, bias=True))
        x = n.concat([n.relu(n.conv(x, expand, 1, bias=True)), n.relu(n.conv(x, expand, 3, bias=True))])
    x = n.relu(n.conv(x, 1000, 1, bias=True))
    return n.model(n.flatten(n.global_pool(x)))


def densenet121(name):
    n = Network(name, 224, 1000)
    x = n.max_pool(conv_bn_relu(n, "input", 64, 7, 2), 3, 2, 1)
    for stage, count in enumerate((6, 12, 24, 16)):
        for _ in range(count):
            y = n.conv(n.relu(n.batch_norm(x)), 128, 1)
            x = n.concat([x, n.conv(n.relu(n.batch_norm(y)), 32, 3)])
        if stage < 3:
            x = n.average_pool(n.conv(n.relu(n.batch_norm(x)), n.channels[x] // 2, 1), 2, 2)
    return n.model(n.dense(n.flatten(n.global_pool(n.relu(n.batch_norm(x)))), 1000))


def shufflenet(name, groups=3):
    n = Network(name, 224, 1000)
    x = n.max_pool(conv_bn_relu(n, "input", 24, 3, 2), 3, 2, 1)
    for out, count, size in ((240, 4, 28), (480, 8, 14), (960, 4, 7)):
        for block in range(count):
            stride = 2 if block == 0 else 1
            # The very first has too few channels for groups.
            y = conv_bn_relu(n, x, out // 4, 1, groups=1 if n.channels[x] == 24 else groups)
            y = n.shuffle(y, groups, size * stride)
            y = n.batch_norm(n.conv(y, out // 4, 3, stride, groups=out // 4))
            y = n.batch_norm(n.conv(y, out if stride == 1 else out - n.channels[x], 1, groups=groups))
            x = n.relu(n.add(x, y) if stride == 1 else n.concat([n.average_pool(x, 3, 2, 1), y]))
    return n.model(n.dense(n.flatten(n.global_pool(x)), 1000))


def shufflenet_v2(name):
    n = Network(name, 224, 1000)

    def branch(x, out, stride):
        y = conv_bn_relu(n, x, out, 1)
        y = n.batch_norm(n.conv(y, out, 3, stride, groups=out))
        return conv_bn_relu(n, y, out, 1)

    x = n.max_pool(conv_bn_relu(n, "input", 24, 3, 2), 3, 2, 1)
    for out, count, size in ((116, 4, 28), (232, 8, 14), (464, 4, 7)):
        for block in range(count):
            if block == 0:
                left = n.batch_norm(n.conv(x, n.channels[x], 3, 2, groups=n.channels[x]))
                parts = [conv_bn_relu(n, left, out // 2, 1), branch(x, out // 2, 2)]
            else:
                left, right = n.halves(x)
                parts = [left, branch(right, out // 2, 1)]
            x = n.shuffle(n.concat(parts), 2, size)
    x = conv_bn_relu(n, x, 1024, 1)
    return n.model(n.dense(n.flatten(n.global_pool(x)), 1000))


NETWORKS = {
    "resnet18": lambda name: resnet(name, (2, 2, 2, 2), False),
    "resnet34": lambda name: resnet(name, (3, 4, 6, 3), False),
    "resnet50": lambda name: resnet(name, (3, 4, 6, 3), True),
    "resnet50-v1": lambda name: resnet(name, (3, 4, 6, 3), True, "v1"),
    "resnet50-v2": lambda name: resnet(name, (3, 4, 6, 3), True, "v2"),
    "resnet101": lambda name: resnet(name, (3, 4, 23, 3), True),
    "resnet152": lambda name: resnet(name, (3, 8, 36, 3), True),
    "resnext50": lambda name: resnet(name, (3, 4, 6, 3), True, groups=32, width=4),
    "vgg16": vgg16,
    "mobilenet_v2": mobilenet_v2,
    "shufflenet": shufflenet,
    "shufflenet_v2": shufflenet_v2,
    "squeezenet1.1": squeezenet,
    "densenet121": densenet121,
    "efficientnet_b0": efficientnet_b0,
    "cifar-resnet20": lambda name: cifar_resnet(name, 20),
    "cifar-resnet110": lambda name: cifar_resnet(name, 110),
    "cifar-resnet1202": lambda name: cifar_resnet(name, 1202),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)}; all by default")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NETWORKS)
    if unknown:
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    for name in arguments.names or NETWORKS:
        path = arguments.folder / name / "model.onnx"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(NETWORKS[name](name), path)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
