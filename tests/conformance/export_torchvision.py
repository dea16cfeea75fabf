#!/usr/bin/env python3
"""Exports torchvision networks with random weights (fixed seed) as ONNX cases: model.onnx beside test_data_set_0 with
PyTorch's own results, in the folder layout of the ONNX backend tests, and exact.npz with the results of the same network
in float64 (output_0, output_1, ...).

    python3 tests/conformance/export_torchvision.py OUT [--opset 13] [--list] [NAME ...]

Needs torch and torchvision (Debian: python3-torch, python3-torchvision), nothing else. Without names, all are exported. A
network that the exporter cannot write is reported with the exporter's message, and the exit code is 1.

Weights as they are drawn make networks whose outputs are noise around a constant, and detectors whose scores are tied: no
comparison would tell anything. So batch normalisation gets the statistics of a forward pass.
"""
import argparse
import copy
import pathlib
import sys
import warnings

import numpy as np
import torch
import torchvision

# All families of classification; of the wide ones the members that PyTorch exports within a minute and 400 MB.
CLASSIFIERS = [
    "squeezenet1_0", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_0",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "efficientnet_b0",
    "regnet_x_400mf", "regnet_y_400mf", "resnet18", "googlenet", "densenet121", "inception_v3", "swin_t", "convnext_tiny",
    "alexnet", "vgg11", "vit_b_16", "maxvit_t", "mnasnet0_75", "mnasnet1_3", "regnet_x_800mf", "regnet_y_800mf",
    "regnet_x_1_6gf", "regnet_y_1_6gf", "regnet_x_3_2gf", "regnet_y_3_2gf", "resnet34", "resnet50", "resnext50_32x4d",
    "densenet169", "densenet201", "densenet161", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3",
    "efficientnet_v2_s", "resnet101", "resnet152", "wide_resnet50_2", "resnext101_32x8d", "swin_v2_t", "vit_b_32",
    "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "vgg11_bn", "vgg13", "vgg16", "vgg16_bn",
    "vgg19", "vgg19_bn", "wide_resnet101_2"]
SEGMENTERS = ["fcn_resnet50", "deeplabv3_resnet50"]
DETECTORS = ["ssdlite320_mobilenet_v3_large", "fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn"]
# Those whose attention windows, stems or adaptive pooling (vgg too) ask for a size; all others run on small pictures.
SIDES = {"alexnet": 224, "inception_v3": 149, "maxvit_t": 224, "vit_b_16": 224, "vit_b_32": 224}
SHARPNESS = 2  # factor of the weights of a detector's class scores: apart from each other, not all 1
DETECTOR_SIDES = {"min_size": 128, "max_size": 192}
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


def calibrate(model, example, another):
    """Gives every batch normalisation the statistics of what reaches it. Of two pictures: where a plane is down to one
    pixel, one picture has no statistics."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        model(example + another if isinstance(example, list) else torch.cat([example, another]))
    model.eval()


def sharpen(model):
    """Makes a detector sure of something: with scores that all but tie, the order of what it finds would be left to rounding,
    and below its threshold it finds nothing."""
    for name, module in model.named_modules():
        classifies = any(part in name for part in ("cls_score", "cls_logits", "classification_head"))
        if classifies and isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) and module.bias is not None:
            module.weight.data *= SHARPNESS


def picture(size):
    """Smooth structure and noise: a plain random picture leaves deep layers nothing but its mean."""
    height, width = size
    coarse = torch.rand(1, 3, 8, 8)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    return 0.8 * smooth + 0.2 * torch.rand(1, 3, height, width)


def build(name):
    """The network and an input that keeps the run short."""
    torch.manual_seed(1)
    if name in DETECTORS:
        sizes = {} if name.startswith("ssdlite") else DETECTOR_SIDES
        model = torchvision.models.get_model(name, weights=None, weights_backbone=None, **sizes).eval()
        example, another = ([picture((128, 160))[0]] for _ in range(2))
    elif name in SEGMENTERS:
        model = torchvision.models.get_model(name, weights=None, weights_backbone=None).eval()
        example, another = (4 * picture((64, 64)) - 2 for _ in range(2))
    else:
        initialised = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        model = torchvision.models.get_model(name, weights=None, **initialised).eval()
        side = SIDES.get(name, 224 if name.startswith("vgg") else 96)
        example, another = (4 * picture((side, side)) - 2 for _ in range(2))
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():  # the last layer of the vision transformers
            torch.nn.init.normal_(parameter, std=0.02)
    calibrate(model, example, another)
    if name in DETECTORS:
        sharpen(model)
    return model, example


def flatten(outputs):
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        outputs = outputs.values()
    return [tensor for output in outputs for tensor in flatten(output)]


def in_double(model, example):
    wide = copy.deepcopy(model).double()
    return wide, [image.double() for image in example] if isinstance(example, list) else example.double()


def export(name, folder, opset):
    model, example = build(name)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        results = flatten(model(example))
        wide, wide_example = in_double(model, example)
        exact = flatten(wide(wide_example))
    torch.onnx.export(model, (example,), str(folder / "model.onnx"), opset_version=opset, input_names=["input"],
                      do_constant_folding=True)
    image = example[0] if isinstance(example, list) else example
    (data / "input_0.pb").write_bytes(tensor_proto("input", image))
    for i, result in enumerate(results):
        (data / f"output_{i}.pb").write_bytes(tensor_proto("", result))
    np.savez(folder / "exact.npz", **{f"output_{i}": result.numpy() for i, result in enumerate(exact)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--opset", type=int, default=13)
    parser.add_argument("--list", action="store_true", help="print the names and export nothing")
    arguments = parser.parse_intermixed_args()
    names = arguments.names or CLASSIFIERS + SEGMENTERS + DETECTORS
    if arguments.list:
        print("\n".join(names))
        return 0
    warnings.simplefilter("ignore")  # of the tracer, about Python values in shapes
    failed = 0
    for name in names:
        try:
            export(name, arguments.out / f"{name}-{arguments.opset}", arguments.opset)
            print(f"{name}: exported", flush=True)
        except Exception as error:  # whatever the exporter throws is what is to be shown
            failed += 1
            reason = (str(error).splitlines() or [""])[0]
            print(f"{name}: the exporter failed: {type(error).__name__}: {reason}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
