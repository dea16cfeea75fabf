#!/usr/bin/env python3
"""torchvision's networks: exported by PyTorch, run by Linnet and ONNX Runtime, compared with PyTorch.

    tests/conformance/compare_torchvision.py build/release/tests/conformance/conformance_run [NAME | NAME-OPSET ...]
        [--torch-python /usr/bin/python3] [--kept FOLDER]

Each network is exported by export_torchvision.py (run by the Python that has torch) into a folder of its own, compared and
deleted; with --kept, cases that lie in FOLDER already are compared and nothing is exported.

Two questions, a column each. `onnx`: is every number within ONNX's tolerance (rtol 1e-3, atol 1e-7) of PyTorch's float32
result? PyTorch's is itself rounded, and where sums cancel to nearly nothing the absolute tolerance is less than that
rounding. So `error`: the greatest distance from the same network in float64, as a part of the largest number, of PyTorch,
ONNX Runtime and Linnet. A network is good if it meets the tolerance, or if Linnet's error is no more than twice the larger
of the other two, and that is small. Where even PyTorch's float32 and float64 find other things - a detector whose ties
break differently - nothing can be said: `open`. Exit code 1 if one is bad; what the exporter cannot write is shown. Needs
onnx; ONNX Runtime's column needs onnxruntime.
"""
import argparse
import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile

from optional_packages import require

onnx, np = require("onnx", "numpy")
from onnx import numpy_helper  # noqa: E402

from linnet_backend import run_program  # noqa: E402

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

EXPORTER = pathlib.Path(__file__).with_name("export_torchvision.py")
RTOL, ATOL = 1e-3, 1e-7
# One small network of each kind at all opsets that the exporter and its operators know; the others at one.
AT_ALL_OPSETS = ["squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "resnet18",
                 "regnet_x_400mf", "efficientnet_b0", "ssdlite320_mobilenet_v3_large", "fcn_resnet50",
                 "deeplabv3_resnet50", "fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn"]
OPSETS = range(11, 17)
OPSET_OF = {"swin_t": 16, "swin_v2_t": 16, "maxvit_t": 16}  # torch.roll and the like came late
DEFAULT_OPSET = 13
GREATER = 2  # how much larger Linnet's error may be: maxima of rounding errors in another order of summation
SMALL = 1e-2


def load_tensors(folder, stem):
    files = [folder / f"{stem}_{i}.pb" for i in range(len(list(folder.glob(f"{stem}_*.pb"))))]
    return [numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes())) for file in files]


def run_onnxruntime(model, image):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})


def error(outputs, exact):
    """The greatest distance from the float64 result, as a part of an output's largest number. Infinite where a shape differs,
    so that a detector that found something else shows."""
    if len(outputs) != len(exact):
        return float("inf")
    worst = 0.0
    for found, right in zip(outputs, exact):
        if found.shape != right.shape:
            return float("inf")
        if right.size:
            distance = np.abs(found.astype(np.float64) - right.astype(np.float64)).max()
            worst = max(worst, distance / max(np.abs(right).max(), np.finfo(np.float32).tiny))
    return worst


def within_tolerance(outputs, expected):
    return len(outputs) == len(expected) and all(
        found.shape == right.shape and found.dtype == right.dtype and np.allclose(found, right, RTOL, ATOL, equal_nan=True)
        for found, right in zip(outputs, expected))


def compare(program, folder):
    """Prints the case's line; good, open or BAD."""
    data = folder / "test_data_set_0"
    torch_outputs = load_tensors(data, "output")
    with np.load(folder / "exact.npz") as archive:
        exact = [archive[f"output_{i}"] for i in range(len(archive.files))]
    with tempfile.TemporaryDirectory() as out:
        try:
            outputs = run_program(program, folder / "model.onnx", [("input", data / "input_0.pb")], pathlib.Path(out))
        except RuntimeError as problem:
            print(f"{folder.name:38} Linnet: {problem}", flush=True)
            return "BAD"
    errors = {"PyTorch": error(torch_outputs, exact)}
    if onnxruntime:
        try:
            errors["ONNX Runtime"] = error(run_onnxruntime(folder / "model.onnx", load_tensors(data, "input")[0]), exact)
        except Exception as problem:
            print(f"{folder.name:38} ONNX Runtime: {str(problem).splitlines()[0]}")
    mine = error(outputs, exact)
    close = within_tolerance(outputs, torch_outputs)
    rounding = max(errors.values())
    good = close or mine <= GREATER * rounding < SMALL
    verdict = "good" if good else "open" if rounding >= SMALL else "BAD"
    columns = "".join(f"  {name} {value:8.1e}" for name, value in [*errors.items(), ("Linnet", mine)])
    print(f"{folder.name:38} {verdict:5} onnx {'yes' if close else 'no':4} error{columns}", flush=True)
    return verdict


def cases_of(names, torch_python):
    """(name, opset)"""
    if not names:
        listing = subprocess.run([torch_python, EXPORTER, "-", "--list"], capture_output=True, text=True, check=True)
        names = listing.stdout.split()
    cases = []
    for name in names:
        stem, dash, opset = name.rpartition("-")
        if dash:
            cases.append((stem, int(opset)))
        elif name in AT_ALL_OPSETS:
            cases += [(name, opset) for opset in OPSETS]
        else:
            cases.append((name, OPSET_OF.get(name, DEFAULT_OPSET)))
    return cases


def export_and_compare(program, torch_python, name, opset):
    """As compare(), or `not exported`."""
    with tempfile.TemporaryDirectory() as root:
        command = [torch_python, EXPORTER, root, "--opset", str(opset), name]
        export = subprocess.run(command, capture_output=True, text=True, check=False)
        if export.returncode != 0:
            print(f"{name}-{opset}: {(export.stdout or export.stderr).strip().splitlines()[-1]}", flush=True)
            return "not exported" if "the exporter failed" in export.stdout else "BAD"
        return compare(program, pathlib.Path(root) / f"{name}-{opset}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="conformance_run")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--torch-python", default=shutil.which("python3", path="/usr/bin") or sys.executable)
    parser.add_argument("--kept", type=pathlib.Path)
    arguments = parser.parse_intermixed_args()
    if arguments.kept:
        folders = sorted(path.parent for path in arguments.kept.glob("*/exact.npz"))
        verdicts = [compare(arguments.program, folder) for folder in folders]
    else:
        probe = subprocess.run([arguments.torch_python, "-c", "import torchvision"], capture_output=True, check=False)
        if probe.returncode != 0:
            print(f"skipped: {arguments.torch_python} has no torchvision (Debian: python3-torchvision)")
            return 0
        verdicts = [export_and_compare(arguments.program, arguments.torch_python, name, opset)
                    for name, opset in cases_of(arguments.names, arguments.torch_python)]
    print(", ".join(f"{count} {verdict}" for verdict, count in collections.Counter(verdicts).items()))
    return 1 if "BAD" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
