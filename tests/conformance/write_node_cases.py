#!/usr/bin/env python3
"""Writes the node tests of the installed onnx package, which ships them as code, in the layout of its backend tests.

    tests/conformance/write_node_cases.py OUT
    build/release/linnet verify --suite OUT --json --totals > docs/operators_newer.json

Needs onnx.
"""
import pathlib
import sys
import warnings

from optional_packages import require

onnx, np = require("onnx", "numpy")
from onnx.backend.test import loader  # noqa: E402

from linnet_backend import to_message  # noqa: E402


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")  # of numpy, about overflows that the tests are made of
    for case in loader.load_model_tests(kind="node"):
        if case.model is None or not case.data_sets:
            continue
        folder = pathlib.Path(sys.argv[1]) / case.name
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(case.model, folder / "model.onnx")
        for number, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{number}"
            data.mkdir(exist_ok=True)
            for stem, values, infos in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
                for i, (value, info) in enumerate(zip(values, infos)):
                    (data / f"{stem}_{i}.pb").write_bytes(to_message(value, info.type, info.name).SerializeToString())


if __name__ == "__main__":
    main()
