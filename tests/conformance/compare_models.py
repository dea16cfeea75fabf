#!/usr/bin/env python3
"""Any ONNX models, run by Linnet and ONNX Runtime on the same random inputs.

    tests/conformance/compare_models.py build/release/tests/conformance/conformance_run MODEL.onnx...
        [--shape NAME=1x3x640x640 ...] [--seed 0]

Extents that a model leaves open are 1 on axis 0, 3 on axis 1 of pictures, --extent on the others; --shape names them for an
input. Pictures get numbers between 0 and 1, integer inputs small ones. The error is the greatest distance between the two,
as a part of the largest number of an output, beside that of ONNX Runtime with and without its optimisations, which says how
far rounding alone goes in this model. Good: at most 1e-3 or twice that, with equal shapes and types. Exit code 1 if one is bad.
Needs onnx and onnxruntime.
"""
import argparse
import pathlib
import sys
import tempfile

from optional_packages import require

onnx, np, onnxruntime = require("onnx", "numpy", "onnxruntime")
from onnx import helper, numpy_helper  # noqa: E402

from linnet_backend import run_program  # noqa: E402

GOOD = 1e-3


def extents(info, shapes, extent):
    if info.name in shapes:
        return shapes[info.name]
    dims = info.type.tensor_type.shape.dim
    open_extents = [1, 3] if len(dims) == 4 else [1]
    return [dim.dim_value if dim.dim_value > 0 else (open_extents[axis] if axis < len(open_extents) else extent)
            for axis, dim in enumerate(dims)]


def draw(random, info, shapes, extent):
    if not info.type.HasField("tensor_type"):
        raise ValueError(f"input {info.name} is no tensor")
    dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
    shape = extents(info, shapes, extent)
    if np.issubdtype(dtype, np.floating):
        return random.random(shape, dtype=np.float32).astype(dtype)
    if dtype == np.bool_:
        return np.asarray(random.random(shape) < 0.5)
    return np.asarray(random.integers(0, 256 if dtype == np.uint8 else 2, shape)).astype(dtype)


def error(found, right):
    if found.shape != right.shape or found.dtype != right.dtype:
        return float("inf")
    if right.size == 0:
        return 0.0
    found, right = found.astype(np.float64), right.astype(np.float64)
    if not np.array_equal(np.isfinite(found), np.isfinite(right)):
        return float("inf")
    finite = np.isfinite(right)
    if not finite.any():
        return 0.0
    return np.abs(found - right)[finite].max() / max(np.abs(right[finite]).max(), np.finfo(np.float32).tiny)


def run_onnxruntime(path, inputs, level):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, inputs)


def compare(program, path, shapes, seed, extent):
    """Prints the model's line; whether it is good."""
    random = np.random.default_rng(seed)
    model = onnx.load(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = {info.name: draw(random, info, shapes, extent) for info in model.graph.input if info.name not in constants}
    try:
        expected = run_onnxruntime(path, inputs, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
        plain = run_onnxruntime(path, inputs, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    except Exception as problem:
        print(f"{path}: ONNX Runtime: {str(problem).splitlines()[0]}", flush=True)
        return False
    with tempfile.TemporaryDirectory() as out:
        files = []
        for name, value in inputs.items():
            files.append((name, pathlib.Path(out) / f"in_{len(files)}.pb"))
            files[-1][1].write_bytes(numpy_helper.from_array(value, name).SerializeToString())
        try:
            outputs = run_program(program, path, files, pathlib.Path(out))
        except RuntimeError as problem:
            print(f"{path}: Linnet: {problem}", flush=True)
            return False
    errors = [(error(found, right), error(other, right)) for found, other, right in zip(outputs, plain, expected)]
    good = len(outputs) == len(expected) and all(mine <= max(GOOD, 2 * rounding) for mine, rounding in errors)
    worst, rounding = max(errors, default=(0.0, 0.0))
    print(f"{'good' if good else 'BAD':4}  Linnet {worst:.1e}  rounding {rounding:.1e}  {path}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("models", type=pathlib.Path, nargs="+")
    parser.add_argument("--shape", action="append", default=[], help="NAME=AxBxC")
    parser.add_argument("--extent", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shapes = {}
    for text in options.shape:
        name, _, shape = text.rpartition("=")
        shapes[name] = [int(extent) for extent in shape.split("x")]
    good = 0
    for path in options.models:
        good += compare(options.program, path, shapes, options.seed, options.extent)
    print(f"{good} of {len(options.models)} good")
    return 0 if good == len(options.models) else 1


if __name__ == "__main__":
    sys.exit(main())
