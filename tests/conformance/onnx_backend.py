#!/usr/bin/env python3
"""Runs the backend tests of the installed onnx package (onnx.backend.test) with Linnet and with ONNX Runtime.

    tests/conformance/onnx_backend.py build/release/tests/conformance/conformance_run [--json FILE] [--only PATTERN]

A case passes by the judgement of ONNX's own runner; it is refused if the engine says that it does not support the model,
else it failed. Prints the figures of both engines by opset and by operator, every failed case of Linnet and why cases were
refused. Exit code 1 if a case of Linnet failed. Needs onnx; ONNX Runtime's columns need onnxruntime.
"""
import argparse
import collections
import json
import os
import re
import sys
import tempfile
import unittest
import warnings

from optional_packages import require

onnx, np = require("onnx", "numpy")
import onnx.backend.test  # noqa: E402
from onnx.backend.base import Backend, BackendRep  # noqa: E402

from linnet_backend import LinnetBackend, Refused  # noqa: E402

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

OUTCOMES = ("passed", "failed", "refused")
# What onnx.backend.test calls its folders; OnnxBackendRealModelTest downloads models and is left out.
SUITES = ("Node", "Simple", "PyTorchConverted", "PyTorchOperator")


class PeerModel(BackendRep):
    def __init__(self, session):
        self.session = session

    def run(self, inputs, **kwargs):
        names = [info.name for info in self.session.get_inputs()]
        values = [value if value is None or isinstance(value, list) else np.asarray(value) for value in inputs]
        try:
            return self.session.run(None, dict(zip(names, values)))
        except Exception as error:
            # bfloat16 and narrower: a limit of its Python interface, not of the engine.
            if "MLDataType" in str(error) or "No corresponding Numpy type" in str(error):
                raise Refused(str(error)) from error
            raise


class PeerBackend(Backend):
    """ONNX Runtime. A model that it cannot load, or whose types its Python interface cannot take, is refused."""

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise Refused(str(error)) from error
        return PeerModel(session)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


class Tests(onnx.backend.test.BackendTest):
    """ONNX's runner compares the tensors of a sequence as if each were a list of outputs, which numbers without an axis do
    not survive. The judgement of one tensor is left as it is."""

    @classmethod
    def assert_similar_outputs(cls, ref_outputs, outputs, rtol, atol, model_dir=None):
        if len(outputs) != len(ref_outputs):
            raise AssertionError(f"{len(outputs)} outputs, expected {len(ref_outputs)}")
        for found, expected in zip(outputs, ref_outputs):
            if (found is None) != (expected is None) or isinstance(found, list) != isinstance(expected, list):
                raise AssertionError(f"{type(found)}, expected {type(expected)}")
            if isinstance(found, list):
                cls.assert_similar_outputs(expected, found, rtol, atol, model_dir)
            elif found is not None:
                super().assert_similar_outputs([expected], [found], rtol, atol, model_dir)


def recorded(backend):
    """The backend, remembering the model of the test under way."""

    class Recorded(backend):
        model = None

        @classmethod
        def prepare(cls, model, device="CPU", **kwargs):
            cls.model = model
            return super().prepare(model, device, **kwargs)

    return Recorded


def opset_of(model):
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def operator_of(model):
    """The only operator of the model; constants do not count where there is another."""
    operators = {(f"{node.domain}." if node.domain else "") + node.op_type for node in model.graph.node}
    if len(operators) > 1:
        operators.discard("Constant")
    return operators.pop() if len(operators) == 1 else "(several)"


class Recorder(unittest.TestResult):
    """One entry a test: name -> outcome, reason, opset, operator."""

    def __init__(self, backend):
        super().__init__()
        self.backend = backend
        self.cases = {}

    def startTest(self, test):
        super().startTest(test)
        self.backend.model = None

    def record(self, test, outcome, reason=""):
        model = self.backend.model
        name = test.id().rsplit(".", 1)[-1].removesuffix("_cpu")
        self.cases[name] = {
            "suite": type(test).__name__.removeprefix("OnnxBackend").removesuffix("ModelTest"),
            "outcome": outcome,
            "reason": reason,
            "opset": opset_of(model) if model else 0,
            "operator": operator_of(model) if model else "(none)"}

    def addSuccess(self, test):
        self.record(test, "passed")

    def addFailure(self, test, err):
        self.record(test, "failed", " ".join(str(err[1]).split()))

    def addError(self, test, err):
        self.record(test, "refused" if issubclass(err[0], Refused) else "failed", " ".join(str(err[1]).split()))


def run_tests(backend, pattern):
    backend = recorded(backend)
    recorder = Recorder(backend)
    for name, test_case in Tests(backend, __name__).test_cases.items():
        if name.removeprefix("OnnxBackend").removesuffix("ModelTest") not in SUITES:
            continue
        for method in unittest.defaultTestLoader.getTestCaseNames(test_case):
            if method.endswith("_cpu") and re.search(pattern, method):
                test_case(method).run(recorder)
    return recorder.cases


def print_table(title, key, engines):
    """A line a value of `key`: the outcomes of each engine."""
    counts = {name: collections.Counter((case[key], case["outcome"]) for case in cases.values())
              for name, cases in engines.items()}
    rows = sorted({row for count in counts.values() for row, _ in count}, key=lambda row: (isinstance(row, str), row))
    print(f"\n{title:28}" + "".join(f"{name:>16} passed failed refused" for name in engines))
    for row in rows:
        print(f"{row:<28}" + "".join(
            " " * 16 + "{:7}{:7}{:8}".format(*(count[row, outcome] for outcome in OUTCOMES)) for count in counts.values()))
    totals = [collections.Counter(case["outcome"] for case in cases.values()) for cases in engines.values()]
    print(f"{'all':<28}" + "".join(" " * 16 + "{:7}{:7}{:8}".format(*(total[o] for o in OUTCOMES)) for total in totals))


def plain(reason):
    """A refusal without what differs from case to case."""
    reason = re.sub(r" ?\((file|found|expected) .*", "", reason)
    reason = re.sub(r"\[node '[^']*'\]|(input|output|value) '[^']*': ", "", reason)
    return reason.split("what Linnet does not have: ")[-1].strip()


def print_reasons(cases):
    reasons = collections.Counter(plain(case["reason"]) for case in cases.values() if case["outcome"] == "refused")
    print("\nrefused, and why")
    for reason, count in reasons.most_common():
        print(f"{count:6}  {reason[:180]}")
    failed = {name: case for name, case in cases.items() if case["outcome"] == "failed"}
    print(f"\nfailed: {len(failed)}")
    for name, case in failed.items():
        print(f"  {name}: {case['reason'][:300]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="conformance_run")
    parser.add_argument("--json", help="write all cases to this file")
    parser.add_argument("--only", default="", help="a regular expression for the names of the cases")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of numpy, about overflows that the tests are made of
    os.environ["ONNX_HOME"] = tempfile.mkdtemp(prefix="onnx-home-")
    LinnetBackend.program = arguments.program
    engines = {"Linnet": run_tests(LinnetBackend, arguments.only)}
    versions = f"onnx {onnx.__version__}"
    if onnxruntime:
        engines["ONNX Runtime"] = run_tests(PeerBackend, arguments.only)
        versions += f", onnxruntime {onnxruntime.__version__}"
    print(versions)
    print_table("suite", "suite", engines)
    print_table("opset", "opset", engines)
    print_table("operator", "operator", engines)
    print_reasons(engines["Linnet"])
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"versions": versions, "engines": engines}, file, indent=1)
    return 1 if any(case["outcome"] == "failed" for case in engines["Linnet"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
