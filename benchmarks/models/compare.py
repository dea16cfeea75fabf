#!/usr/bin/env python3
"""Times Linnet beside other engines: separate processes, interleaved rounds, the same threads and input, outputs compared.

    compare.py --linnet build/release/linnet --networks FOLDER [--threads 1 2] [--batch 1] [--rounds 5] [NAME...]

FOLDER is what make_networks.py wrote. In each round every engine that installs gets a fresh process and runs one network
for a few seconds; the next engine follows at once, so that a slow spell of the machine meets all of them. The time of an
engine is the median of its rounds' medians; the spread is the fastest and the slowest round; core to core is the median of
the round trips between two threads that `linnet bench` measured. Before it is timed, an engine's output is compared with
ONNX Runtime's (else with the first engine that runs) within 1e-3 relative of the greatest score: an engine that computes
something else is not timed. The results are kept as JSON and drawn as a chart, under build/ unless told otherwise.

Needs Python with numpy; onnxruntime, openvino, ncnn and MNN from PyPI are peers where they are installed.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
PEERS = ["onnxruntime", "openvino", "ncnn", "mnn"]


def worker(arguments):
    """In a process of its own: one peer, one network."""
    import numpy as np

    sys.path.insert(0, str(HERE))
    from peers import PEERS

    image = np.load(arguments.input)
    peer = PEERS[arguments.worker]
    try:
        if hasattr(peer, "prepare"):
            peer.prepare(arguments.model, list(image.shape))
        begun = time.perf_counter()
        engine = peer(arguments.model, arguments.threads, list(image.shape))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    load = time.perf_counter() - begun
    output = engine.run(image)[0]
    np.save(arguments.output, output)
    for _ in range(3):
        engine.run(image)
    times, end = [], time.perf_counter() + arguments.seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        engine.run(image)
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({"version": engine.version, "load_ms": 1e3 * load, "min_ms": min(times), "median_ms": statistics.median(times)}))


def run_peer(name, model, threads, folder, seconds):
    command = [sys.executable, __file__, "--worker", name, "--model", model, "--threads", str(threads), "--seconds", str(seconds),
               "--input", str(folder / "input.npy"), "--output", str(folder / f"{name}.npy")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"missing": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_linnet(program, model, threads, batch, folder, seconds):
    command = [program, "bench", model, "--threads", str(threads), "--batch", str(batch), "--seconds", str(seconds), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"missing": done.stderr.strip()}
    return json.loads(done.stdout)


def verify_linnet(program, model, threads, folder):
    """Linnet against ONNX Runtime's output of the same input, through `linnet verify` and files of ONNX tensors."""
    import numpy as np
    from onnx import numpy_helper

    data = folder / "test_data_set_0"
    data.mkdir(exist_ok=True)
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(np.load(folder / "input.npy"), "input").SerializeToString())
    expected = np.load(folder / "onnxruntime.npy")
    (data / "output_0.pb").write_bytes(numpy_helper.from_array(expected, "output").SerializeToString())
    atol = 1e-3 * float(np.abs(expected).max())
    command = [program, "verify", model, str(data), "--threads", str(threads), "--rtol", "0.001", "--atol", str(atol), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode == 0, (done.stdout or done.stderr).strip()


def summary(runs):
    medians = [run["median_ms"] for run in runs]
    trips = [run["round_trip_ns"] for run in runs if run.get("round_trip_ns")]
    return {"median_ms": statistics.median(medians), "fastest_round_ms": min(medians), "slowest_round_ms": max(medians),
            "round_trip_ns": statistics.median(trips) if trips else None, "min_ms": min(run["min_ms"] for run in runs), "load_ms": statistics.median(run["load_ms"] for run in runs),
            "version": runs[0].get("version", "")}


def compare(arguments, name, threads):
    import numpy as np

    model = str(arguments.networks / name / "model.onnx")
    size = 32 if name.startswith("cifar") else 224
    runs = {engine: [] for engine in ["linnet", *arguments.engines]}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        image = np.random.default_rng(1).standard_normal((arguments.batch, 3, size, size)).astype(np.float32)
        np.save(folder / "input.npy", image)
        for round_index in range(arguments.rounds):
            for engine in list(runs):
                if engine == "linnet":
                    result = run_linnet(arguments.linnet, model, threads, arguments.batch, folder, arguments.seconds)
                else:
                    result = run_peer(engine, model, threads, folder, arguments.seconds)
                if "missing" in result:
                    print(f"  {engine} left out: {result['missing']}", file=sys.stderr)
                    del runs[engine]
                else:
                    runs[engine].append(result)
            if round_index == 0:
                check_outputs(arguments, model, threads, folder, runs)
    return {engine: summary(results) for engine, results in runs.items() if results}


def check_outputs(arguments, model, threads, folder, runs):
    import numpy as np

    if "onnxruntime" not in runs:
        return
    expected = np.load(folder / "onnxruntime.npy")
    for engine in [e for e in runs if e not in ("linnet", "onnxruntime")]:
        found = np.load(folder / f"{engine}.npy").reshape(expected.shape)
        if not np.allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()):
            print(f"  {engine} left out: its output differs from ONNX Runtime's by {np.abs(found - expected).max():.3g}", file=sys.stderr)
            del runs[engine]
    if "linnet" in runs:
        passed, text = verify_linnet(arguments.linnet, model, threads, folder)
        if not passed:
            print(f"  linnet left out: {text}", file=sys.stderr)
            del runs["linnet"]


def row(name, threads, batch, result, engines):
    if "linnet" not in result:
        return f"| {name} | {batch} | {threads} | - | - |"
    own = result["linnet"]["median_ms"]
    trip = result["linnet"]["round_trip_ns"]
    cells = [name, str(batch), str(threads), f"{trip:.0f}" if trip else "-", f"{own:.2f} ({result['linnet']['fastest_round_ms']:.2f} to {result['linnet']['slowest_round_ms']:.2f})"]
    for engine in engines:
        value = result.get(engine)
        cells.append(f"{value['median_ms']:.2f} ({own / value['median_ms']:.2f})" if value else "-")
    return "| " + " | ".join(cells) + " |"


def draw(results, path):
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("no chart: the Python package matplotlib is not installed", file=sys.stderr)
        return
    rows = [r for r in results if "linnet" in r["engines"]]
    engines = sorted({engine for r in rows for engine in r["engines"]} - {"linnet"})
    height = 0.8 / max(1, len(engines))
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.35 * len(rows) * max(1, len(engines)) ** 0.5))
    for index, engine in enumerate(engines):
        places = [i + index * height for i, r in enumerate(rows) if engine in r["engines"]]
        values = [r["engines"]["linnet"]["median_ms"] / r["engines"][engine]["median_ms"] for r in rows if engine in r["engines"]]
        axes.barh(places, values, height, label=f"to {engine}")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks([i + 0.4 - height / 2 for i in range(len(rows))])
    axes.set_yticklabels([f"{r['network']}, batch {r['batch']}, {r['threads']} threads" for r in rows])
    axes.invert_yaxis()
    axes.set_xlabel("Linnet's time / the peer's (below 1: Linnet is faster)")
    axes.margins(y=0.01)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=len(engines))
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"chart: {path}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks below FOLDER; all by default")
    parser.add_argument("--linnet", help="the program")
    parser.add_argument("--networks", type=pathlib.Path, help="the folder of make_networks.py")
    parser.add_argument("--engines", nargs="*", choices=PEERS, default=PEERS, help="the peers (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[2], help="default: 2")
    parser.add_argument("--batch", type=int, default=1, help="images a run (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--seconds", type=float, default=2, help="of each engine in each round (default: 2)")
    parser.add_argument("--json", type=pathlib.Path, default=BUILD / "models.json", help="write the results here (default: %(default)s)")
    parser.add_argument("--chart", type=pathlib.Path, default=BUILD / "models.png", help="draw the ratios into this PNG (default: %(default)s)")
    for hidden in ("--worker", "--model", "--input", "--output"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        arguments.threads = arguments.threads[0]
        return worker(arguments)
    if not arguments.linnet or not arguments.networks:
        parser.error("--linnet and --networks are needed")
    arguments.networks = arguments.networks.resolve()  # converters run in the model's own folder
    for path in (arguments.json, arguments.chart):
        path.parent.mkdir(parents=True, exist_ok=True)
    names = arguments.names or sorted(path.parent.name for path in arguments.networks.glob("*/model.onnx"))
    results = []
    print("| network | batch | threads | core to core ns | Linnet ms (rounds from - to) | " + " | ".join(f"{e} ms (ratio)" for e in arguments.engines) + " |")
    print("|---" * (5 + len(arguments.engines)) + "|")
    for name in names:
        for threads in arguments.threads:
            engines = compare(arguments, name, threads)
            results.append({"network": name, "batch": arguments.batch, "threads": threads, "engines": engines})
            print(row(name, threads, arguments.batch, engines, arguments.engines), flush=True)
            arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(f"results: {arguments.json}", file=sys.stderr)
    draw(results, arguments.chart)


if __name__ == "__main__":
    main()
