#!/usr/bin/env python3
"""Exports torchvision networks with random weights (fixed seed) as ONNX cases: model.onnx beside test_data_set_0 with
PyTorch's own results, in the folder layout of the ONNX backend tests.

    python3 tests/conformance/export_torchvision.py OUT [--opset 11] [NAME ...]

Needs torch and torchvision (Debian: python3-torch, python3-torchvision), nothing else. Without names, all are exported. A
network that the exporter cannot write is reported with the exporter's message, and the exit code is 1.
"""
import argparse
import pathlib
import sys

import torch
import torchvision

CLASSIFIERS = ["alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "mnasnet0_5",
               "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1",
               "swin_t", "vgg11", "vit_b_32"]
SEGMENTERS = ["fcn_resnet50", "deeplabv3_resnet50"]
DETECTORS = ["fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "ssdlite320_mobilenet_v3_large"]
ONNX_TYPES = {torch.float32: 1, torch.uint8: 2, torch.int32: 6, torch.int64: 7, torch.bool: 9}


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tensor_proto(name, tensor):
    """TensorProto: dims 1, data_type 2, name 8, raw_data 9."""
    raw = tensor.detach().contiguous().numpy().tobytes()
    proto = b"".join(b"\x08" + varint(extent) for extent in tensor.shape)
    proto += b"\x10" + varint(ONNX_TYPES[tensor.dtype])
    proto += b"\x42" + varint(len(name)) + name.encode()
    return proto + b"\x4a" + varint(len(raw)) + raw


def build(name):
    """The network and an input that keeps the run short."""
    torch.manual_seed(1)
    if name in CLASSIFIERS:
        model = torchvision.models.get_model(name, weights=None, init_weights=True) if name in ("googlenet", "inception_v3") \
            else torchvision.models.get_model(name, weights=None)
        side = {"inception_v3": 299, "swin_t": 224, "vit_b_32": 224}.get(name, 96)
        return model.eval(), torch.randn(1, 3, side, side)
    if name in SEGMENTERS:
        return torchvision.models.get_model(name, weights=None, weights_backbone=None).eval(), torch.randn(1, 3, 64, 64)
    sizes = {} if name.startswith("ssdlite") else {"min_size": 128, "max_size": 192}
    model = torchvision.models.get_model(name, weights=None, weights_backbone=None, **sizes).eval()
    return model, [torch.rand(3, 128, 160)]


def flatten(outputs):
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        outputs = outputs.values()
    return [tensor for output in outputs for tensor in flatten(output)]


def export(name, folder, opset):
    model, example = build(name)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(model, (example,), str(folder / "model.onnx"), opset_version=opset, input_names=["input"],
                      do_constant_folding=True)
    with torch.no_grad():
        results = flatten(model(example))
    image = example[0] if isinstance(example, list) else example
    (data / "input_0.pb").write_bytes(tensor_proto("input", image))
    for i, result in enumerate(results):
        (data / f"output_{i}.pb").write_bytes(tensor_proto("", result))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--opset", type=int, default=11)
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.names or CLASSIFIERS + SEGMENTERS + DETECTORS:
        try:
            export(name, arguments.out / f"{name}-{arguments.opset}", arguments.opset)
            print(f"{name}: exported")
        except Exception as error:  # whatever the exporter throws is what is to be shown
            failed += 1
            print(f"{name}: the exporter failed: {type(error).__name__}: {str(error).splitlines()[0]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
