#!/usr/bin/env python3
"""Runs quantised classifiers on pictures with Linnet and ONNX Runtime, on the same inputs in one run.

    tests/conformance/compare_quantized.py build/release/linnet PICTURES MODEL.onnx...

For each model: on how many pictures the two name the same class, and on how many all bits of the output agree.

ONNX Runtime is asked for exact integer sums (session.x64quantprecision). Its default on AVX2 multiplies with vpmaddubsw,
which saturates the sum of two products at 16 bits: with 8-bit weights that is another, wrong number. How often even its
own class changes by that is printed too.
Needs onnx, onnxruntime, numpy and Pillow.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from optional_packages import require

np, onnx, onnxruntime, Image = require("numpy", "onnx", "onnxruntime", "PIL.Image")
from onnx import helper, numpy_helper  # noqa: E402

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
LEAST_AGREEMENT = 0.98


def pixels(path):
    """The shorter edge to 256, the middle 224x224, normalised: [1,3,224,224]."""
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(extent * scale) for extent in image.size], Image.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    data = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / 255
    return ((data - MEAN) / DEVIATION).transpose(2, 0, 1)[None].astype(np.float32)


def with_class(model):
    """The model with the class of its first output as its only output: classes can then be compared exactly."""
    classed = onnx.ModelProto()
    classed.CopyFrom(model)
    graph = classed.graph
    graph.node.append(helper.make_node("ArgMax", [graph.output[0].name], ["compared_class"], axis=1, keepdims=0))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("compared_class", onnx.TensorProto.INT64, None))
    return classed


def run_peer(path, inputs, exact):
    """ONNX Runtime's first output for each input."""
    options = onnxruntime.SessionOptions()
    if exact:
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [session.run(None, {name: x})[0] for x in inputs]


def agreement(linnet, model, inputs, outputs):
    """On how many inputs `linnet verify` finds exactly the given outputs."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        onnx.save(model, root / "model.onnx")
        for i, (x, y) in enumerate(zip(inputs, outputs)):
            data_set = root / f"test_data_set_{i}"
            data_set.mkdir()
            for name, value in (("input_0", x), ("output_0", y)):
                (data_set / f"{name}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())
        command = [linnet, "verify", str(root / "model.onnx"), "--rtol", "0", "--atol", "0", "--json"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            report = json.loads(run.stdout)
        except json.JSONDecodeError:
            sys.exit(f"{' '.join(command)}\n{run.stdout}{run.stderr}")
        refused = [case["reason"] for case in report["cases"] if case["status"] == "refused"]
        if refused:
            sys.exit(refused[0])
        return sum(case["status"] == "passed" for case in report["cases"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("linnet")
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--count", type=int, help="only so many pictures")
    arguments = parser.parse_args()
    for path in [arguments.pictures, *map(pathlib.Path, arguments.models)]:
        if not path.exists():
            print(f"skipped: there is no {path}")
            return 0
    files = sorted(path for path in arguments.pictures.iterdir() if path.suffix.lower() in (".jpeg", ".jpg", ".png"))
    inputs = [pixels(path) for path in files[: arguments.count]]
    good = True
    for path in arguments.models:
        model = onnx.load(path)
        outputs = run_peer(path, inputs, exact=True)
        classes = [np.argmax(y, axis=1) for y in outputs]
        saturated = [np.argmax(y, axis=1) for y in run_peer(path, inputs, exact=False)]
        same_class = agreement(arguments.linnet, with_class(model), inputs, classes)
        same_bits = agreement(arguments.linnet, model, inputs, outputs)
        print(f"{path}: {len(inputs)} pictures, same class {same_class}, same bits {same_bits}; "
              f"ONNX Runtime's default has the same class as its exact sums on {sum(map(np.array_equal, classes, saturated))}")
        good = good and same_class >= LEAST_AGREEMENT * len(inputs)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
