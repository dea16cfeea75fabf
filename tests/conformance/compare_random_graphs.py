#!/usr/bin/env python3
"""Random graphs: Linnet beside ONNX Runtime and ONNX's ReferenceEvaluator.

    tests/conformance/compare_random_graphs.py build/release/tests/conformance/write_random_graphs [--first 0] [--count 500]

The program draws the graphs and writes Linnet's results and, element by element, how far a float32 engine may be from the
exact ones. Two engines that are both right differ by no more than twice that.

The ReferenceEvaluator of onnx 1.23.2 is itself wrong on some of these graphs (docs/numerics.md). Where it differs and ONNX
Runtime agrees with Linnet, that is two engines against one and is only counted. Exit code 1 if ONNX Runtime differs, or the
ReferenceEvaluator where ONNX Runtime did not run the graph. Needs onnx and onnxruntime.
"""
import argparse
import collections
import pathlib
import subprocess
import sys
import tempfile

from optional_packages import require

onnx, onnxruntime, np, onnx_reference = require("onnx", "onnxruntime", "numpy", "onnx.reference")
from onnx import numpy_helper  # noqa: E402

CHUNK = 250  # graphs that lie on the disk at a time


def load_all(folder, stem):
    protos = []
    while (path := folder / f"{stem}_{len(protos)}.pb").exists():
        protos.append(onnx.TensorProto.FromString(path.read_bytes()))
    return [(proto.name, numpy_helper.to_array(proto)) for proto in protos]


def run_onnxruntime(file, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"]).run(None, feeds)


def run_reference(file, feeds):
    with np.errstate(all="ignore"):
        return onnx_reference.ReferenceEvaluator(file).run(None, feeds)


VOTER = "ONNX Runtime"
PEERS = {VOTER: run_onnxruntime, "ReferenceEvaluator": run_reference}


def difference(found, peer, bound):
    """Empty if the two agree within twice the bound."""
    peer = np.asarray(peer)
    if found.shape != peer.shape or found.dtype != peer.dtype:
        return f"{found.dtype}{list(found.shape)} and {peer.dtype}{list(peer.shape)}"
    a, b = found.astype(np.float64), peer.astype(np.float64)
    with np.errstate(invalid="ignore"):
        agrees = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= 2 * bound)
    if agrees.all():
        return ""
    worst = tuple(int(i) for i in np.argwhere(~agrees)[0])
    return f"{np.count_nonzero(~agrees)} of {a.size} elements, first {worst}: {a[worst]:.9g} and {b[worst]:.9g}, " \
           f"allowed {2 * bound[worst]:.3g}"


def compare(folder, tally, messages):
    data = folder / "test_data_set_0"
    feeds = dict(load_all(data, "input"))
    outputs, bounds = load_all(data, "output"), load_all(data, "bound")
    outcomes = {}
    for peer, run in PEERS.items():
        try:
            results = run(str(folder / "model.onnx"), feeds)
        except Exception as error:  # a graph that the peer does not run tells nothing about Linnet
            outcomes[peer], text = "not run", str(error).splitlines()[0]
        else:
            found = [difference(y, result, bound) for (_, y), result, (_, bound) in zip(outputs, results, bounds)]
            text = "; ".join(f"'{name}': {wrong}" for (name, _), wrong in zip(outputs, found) if wrong)
            outcomes[peer] = "agree" if not text else "outvoted" if outcomes.get(VOTER) == "agree" else "differ"
        tally[peer, outcomes[peer]] += 1
        if text:
            messages[peer, outcomes[peer]].append(f"seed {folder.name}: {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="write_random_graphs")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=500)
    arguments = parser.parse_args()
    tally, messages = collections.Counter(), collections.defaultdict(list)
    end = arguments.first + arguments.count
    for first in range(arguments.first, end, CHUNK):
        with tempfile.TemporaryDirectory() as folder:
            count = min(CHUNK, end - first)
            subprocess.run([arguments.program, folder, str(first), str(count)], check=True)
            for case in sorted(pathlib.Path(folder).iterdir(), key=lambda path: int(path.name)):
                compare(case, tally, messages)
    for peer in PEERS:
        print(f"{peer}: {tally[peer, 'agree']} of {arguments.count} graphs agree, {tally[peer, 'differ']} differ, "
              f"{tally[peer, 'outvoted']} differ from Linnet and {VOTER} alike, {tally[peer, 'not run']} it did not run")
        for outcome in ("differ", "outvoted", "not run"):
            for message in messages[peer, outcome][:10]:
                print(f"  {outcome}: {message}")
    return 1 if any(tally[peer, "differ"] for peer in PEERS) else 0


if __name__ == "__main__":
    sys.exit(main())
