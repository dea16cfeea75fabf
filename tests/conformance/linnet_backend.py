"""Linnet as a backend of the ONNX package, so that ONNX's own tests can run it: onnx.backend.test.BackendTest(LinnetBackend).

Each run is a process of conformance_run (run_case.cpp), so that a crash is the failure of one case. The program is found
through LinnetBackend.program or, if that is not set, the environment variable LINNET_CONFORMANCE_RUN.
"""
import os
import pathlib
import subprocess
import tempfile

import onnx
from onnx import numpy_helper
from onnx.backend.base import Backend, BackendRep

EXIT_UNSUPPORTED = 6
TIME_LIMIT_SECONDS = 300


class Refused(RuntimeError):
    """The engine says that it does not support the model."""


def to_message(value, value_type, name):
    """What a test data set would hold for this input."""
    if isinstance(value, onnx.TensorProto):
        return value
    if value_type.HasField("optional_type"):
        return numpy_helper.from_optional(value, name)
    if isinstance(value, (list, tuple)):
        return numpy_helper.from_list(value, name)
    return numpy_helper.from_array(value, name)


def read_output(folder, number):
    tensor = folder / f"output_{number}.tensor"
    if tensor.exists():
        return numpy_helper.to_array(onnx.TensorProto.FromString(tensor.read_bytes()))
    sequence = folder / f"output_{number}.sequence"
    if sequence.exists():
        return numpy_helper.to_list(onnx.SequenceProto.FromString(sequence.read_bytes()))
    return None


def run_program(program, model, inputs, folder):
    """inputs: (name, file). Returns the outputs, as many as the program wrote."""
    command = [program, str(model), str(folder)]
    for name, path in inputs:
        command += [name, str(path)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIME_LIMIT_SECONDS)
    if process.returncode == EXIT_UNSUPPORTED:
        raise Refused(process.stderr.strip())
    if process.returncode != 0:
        raise RuntimeError(f"exit code {process.returncode}: {process.stderr.strip()}")
    return [read_output(folder, i) for i in range(len(list(folder.glob("output_*"))))]


class LinnetModel(BackendRep):
    def __init__(self, program, model):
        self.program = program
        self.model = model

    def run(self, inputs, **kwargs):
        graph = self.model.graph
        constants = {tensor.name for tensor in graph.initializer}
        infos = [info for info in graph.input if info.name not in constants]
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            onnx.save(self.model, folder / "model.onnx")
            files = []
            for i, (value, info) in enumerate(zip(inputs, infos)):
                files.append((info.name, folder / f"input_{i}.pb"))
                files[-1][1].write_bytes(to_message(value, info.type, info.name).SerializeToString())
            return run_program(self.program, folder / "model.onnx", files, folder)


class LinnetBackend(Backend):
    program = os.environ.get("LINNET_CONFORMANCE_RUN", "conformance_run")

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        return LinnetModel(cls.program, model)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"
