"""The other engines, each behind one class: made from (model, threads, shape), run(input) -> list of arrays.

A class whose package is not installed raises ImportError when it is made; the benchmark then says so and goes on. Where an
engine has a format of its own, prepare(model, shape) converts the model beside the ONNX file first, which is not timed.
"""
import importlib.util
import os
import subprocess
import sys


def convert(command, made):
    """Runs a converter unless what it makes is there."""
    if not os.path.exists(made):
        subprocess.run(command, cwd=os.path.dirname(made), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if not os.path.exists(made):
        raise ImportError(f"{os.path.basename(command[0])} did not convert the model: no {made}")


class OnnxRuntime:
    """onnxruntime, CPU provider, all graph optimizations, one operator at a time."""

    def __init__(self, model, threads, shape):
        import onnxruntime

        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, image):
        return self.session.run(None, {self.input: image})


class OpenVino:
    """openvino, forced to float32, latency hint, as many threads as Linnet."""

    def __init__(self, model, threads, shape):
        import openvino

        self.version = openvino.__version__.split("-")[0]
        core = openvino.Core()
        network = core.read_model(model)
        network.reshape({network.inputs[0].any_name: shape})
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self.compiled = core.compile_model(network, "CPU", settings)
        self.request = self.compiled.create_infer_request()

    def run(self, image):
        result = self.request.infer([image], share_inputs=True, share_outputs=True)
        return [result[output] for output in self.compiled.outputs]


class Ncnn:
    """ncnn, from what its converter pnnx makes (model.ncnn.param, model.ncnn.bin)."""

    @staticmethod
    def prepare(model, shape):
        package = importlib.util.find_spec("pnnx")  # not imported: that would ask for torch
        if package is None:
            raise ImportError("No module named 'pnnx'")
        converter = os.path.join(package.submodule_search_locations[0], "pnnx")
        sizes = "[" + ",".join(map(str, shape)) + "]"
        convert([converter, model, f"inputshape={sizes}", "fp16=0"], os.path.splitext(model)[0] + ".ncnn.param")

    def __init__(self, model, threads, shape):
        import ncnn

        self.version = ncnn.__version__
        stem = os.path.splitext(model)[0] + ".ncnn"
        if shape[0] != 1:
            raise ImportError("ncnn runs one image at a time")
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_fp16_packed = self.net.opt.use_fp16_storage = self.net.opt.use_fp16_arithmetic = False
        self.net.opt.use_bf16_storage = False
        self.net.load_param(stem + ".param")
        self.net.load_model(stem + ".bin")
        self.mat = ncnn.Mat

    def run(self, image):
        extractor = self.net.create_extractor()
        extractor.input(self.net.input_names()[0], self.mat(image[0]))
        return [extractor.extract(self.net.output_names()[0])[1].numpy()[None]]


class Mnn:
    """MNN, from what its converter makes (model.mnn)."""

    @staticmethod
    def prepare(model, shape):
        program = "import sys; from MNN.tools.mnnconvert import main; sys.exit(main())"
        made = os.path.splitext(model)[0] + ".mnn"
        arguments = ["-f", "ONNX", "--modelFile", model, "--MNNModel", made, "--bizCode", "linnet"]
        convert([sys.executable, "-c", program, *arguments], made)

    def __init__(self, model, threads, shape):
        import MNN

        self.version = MNN.version()
        converted = os.path.splitext(model)[0] + ".mnn"
        self.runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": threads, "precision": "high"},))
        self.module = MNN.nn.load_module_from_file(converted, [], [], runtime_manager=self.runtime)
        self.expr, self.numpy = MNN.expr, MNN.numpy

    def run(self, image):
        tensor = self.expr.const(image.ctypes.data, list(image.shape), self.expr.NCHW)
        output = self.module.forward(self.expr.convert(tensor, self.expr.NC4HW4))
        return [self.expr.convert(output, self.expr.NCHW).read()]


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn, "mnn": Mnn}
