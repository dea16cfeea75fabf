#!/usr/bin/env python3
"""Linnet's operator list beside the schemas of the installed onnx package, opset by opset.

    tests/conformance/compare_schemas.py build/release/linnet build/release/tests/conformance/conformance_run
        [--only PATTERN] [--verbose]

1. Each line of src/ops/arity.inc has the most inputs and outputs that the schemas have.
2. Each line of `linnet ops` takes exactly the attributes that the schema of that opset has; what ONNX has beyond is in
   REFUSED, with the reason.
3. Defaults: ONNX's own cases of one node, at every opset at which the operator's schema changed. Whether an
   attribute is left out or written with the schema's default, all output bits must be the same. Without a required attribute
   the node must be refused. At most RUNS such comparisons for an attribute at an opset; where no case runs, nothing is known.

Exit code 1 if anything differs. Needs onnx. Opsets beyond those of the package are not looked at.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

from optional_packages import require

onnx, np = require("onnx", "numpy")
from onnx import defs, helper  # noqa: E402
from onnx.backend.test import loader  # noqa: E402

from linnet_backend import Refused, run_program, to_message  # noqa: E402

# Attributes that Linnet knows to be ONNX's and refuses.
REFUSED = {
    ("Constant", "value_string"): "strings are not supported",
    ("Constant", "value_strings"): "strings are not supported",
}
# Defaults that a node may not write: of two activations, an RNN of one direction takes none.
NOT_WRITABLE = {("RNN", "activations")}
RUNS = 3
MANY = 2**31 - 1  # what a schema has for any number


def operator_list(program):
    """name -> its lines, of ai.onnx."""
    process = subprocess.run([program, "ops", "--json"], capture_output=True, text=True, check=True)
    lines = collections.defaultdict(list)
    for line in json.loads(process.stdout)["operators"]:
        if line["domain"] == "ai.onnx":
            lines[line["name"]].append(line)
    return lines


def opsets(line):
    return range(line["first_opset"], min(line["last_opset"], defs.onnx_opset_version()) + 1)


def schema_of(name, opset):
    try:
        return defs.get_schema(name, opset, "")
    except defs.SchemaError:
        return None


def compare_attributes(lines):
    """Prints what differs; how much that is."""
    differences = collections.defaultdict(list)  # what -> opsets
    refused = set()
    for name, versions in lines.items():
        for line in versions:
            for opset in opsets(line):
                schema = schema_of(name, opset)
                if schema is None:
                    differences[f"{name}: ONNX does not have it"].append(opset)
                    continue
                ours, theirs = set(line["attributes"]), set(schema.attributes)
                for attribute in ours - theirs:
                    differences[f"{name}: Linnet takes '{attribute}', which ONNX does not have"].append(opset)
                for attribute in theirs - ours:
                    if (name, attribute) in REFUSED:
                        refused.add((name, attribute))
                    else:
                        differences[f"{name}: Linnet refuses '{attribute}', which ONNX has"].append(opset)
    for what, at in sorted(differences.items()):
        print(f"{what} (opsets {', '.join(map(str, at))})")
    stale = sorted(set(REFUSED) - refused)
    for name, attribute in stale:
        print(f"{name}: '{attribute}' is taken now, or gone: it should leave REFUSED")
    return len(differences) + len(stale)


def compare_arities(lines):
    """Prints what differs; how much that is."""
    source = pathlib.Path(__file__).resolve().parents[2] / "src" / "ops" / "arity.inc"
    table = collections.defaultdict(list)
    for name, since, *most in re.findall(r"^LINNET_ARITY\((\w+), (\d+), (\w+), (\w+)\)", source.read_text(), re.M):
        table[name].append((int(since), tuple(most)))
    differences = collections.defaultdict(list)  # what -> opsets
    for name, versions in lines.items():
        for opset in (opset for line in versions for opset in opsets(line)):
            schema = schema_of(name, opset)
            if schema is None:
                continue
            theirs = tuple("kAny" if most == MANY else str(most) for most in (schema.max_input, schema.max_output))
            ours = max((entry for entry in table[name] if entry[0] <= opset), default=(0, None))[1]
            if ours is not None and ours != theirs:
                differences[f"{name}: at most {ours} inputs and outputs, {theirs} in ONNX"].append(opset)
    for what, at in sorted(differences.items()):
        print(f"{what} (opsets {', '.join(map(str, at))})")
    return len(differences)


def single_node_cases(pattern):
    """(operator, model, inputs), of ONNX's node tests."""
    warnings.simplefilter("ignore")  # of numpy, about overflows that the tests are made of
    for case in loader.load_model_tests(kind="node"):
        if case.model is None or len(case.model.graph.node) != 1 or not case.data_sets:
            continue
        node = case.model.graph.node[0]
        if node.domain in ("", "ai.onnx") and re.search(pattern, node.op_type):
            yield node.op_type, case.model, case.data_sets[0][0]


def variant(model, opset, node):
    """The model at another opset with another node."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.opset_import[:]
    result.opset_import.append(helper.make_opsetid("", opset))
    result.graph.node[0].CopyFrom(node)
    return result


class Runner:
    def __init__(self, program, model, inputs, folder):
        self.program, self.folder = program, folder
        constants = {tensor.name for tensor in model.graph.initializer}
        infos = [info for info in model.graph.input if info.name not in constants]
        self.files = []
        for i, (value, info) in enumerate(zip(inputs, infos)):
            self.files.append((info.name, folder / f"input_{i}.pb"))
            self.files[-1][1].write_bytes(to_message(value, info.type, info.name).SerializeToString())

    def run(self, model):
        """The outputs as bytes, or None if the model is refused."""
        onnx.save(model, self.folder / "model.onnx")
        for old in self.folder.glob("output_*"):
            old.unlink()
        try:
            run_program(self.program, self.folder / "model.onnx", self.files, self.folder)
        except Refused:
            return None
        except RuntimeError as problem:
            if re.search(r"exit code -", str(problem)):
                raise
            return None
        return [path.name.encode() + path.read_bytes() for path in sorted(self.folder.glob("output_*"))]


def written_default(attribute):
    """The schema's default as an AttributeProto; None where there is none."""
    default = attribute.default_value
    if not default.name and not default.type:
        return None
    result = onnx.AttributeProto()
    result.CopyFrom(default)
    result.name = attribute.name
    return result


def changed_opsets(name, versions):
    """One opset for each schema in each line's range: the last of them."""
    last = {}
    for line in versions:
        for opset in opsets(line):
            schema = schema_of(name, opset)
            if schema is not None:
                last[line["first_opset"], schema.since_version] = opset
    return sorted(set(last.values()))


def without(node, key):
    result = onnx.NodeProto()
    result.CopyFrom(node)
    del result.attribute[:]
    result.attribute.extend(attribute for attribute in node.attribute if attribute.name != key)
    return result


def check_case(name, opset, model, runner, runs):
    """Yields what is wrong. `runs` counts (name, opset, attribute)."""
    schema, node = schema_of(name, opset), model.graph.node[0]
    given = {attribute.name for attribute in node.attribute}
    if not given <= schema.attributes.keys():
        return
    for key, attribute in schema.attributes.items():
        default = written_default(attribute)
        if runs[name, opset, key] == RUNS or (name, key) in NOT_WRITABLE:
            continue
        left_out = without(node, key)
        if attribute.required and key in given:
            if runner.run(variant(model, opset, node)) is None:
                continue
            if runner.run(variant(model, opset, left_out)) is not None:
                yield f"{name}-{opset} runs without '{key}', which is required"
        elif default is not None and not attribute.required:
            expected = runner.run(variant(model, opset, left_out))
            if expected is None:
                continue
            left_out.attribute.append(default)
            if runner.run(variant(model, opset, left_out)) != expected:
                yield f"{name}-{opset} has another default of '{key}' than {helper.get_attribute_value(default)}"
        else:
            continue
        runs[name, opset, key] += 1


def compare_defaults(program, lines, pattern, verbose):
    """Prints what differs; how much that is."""
    faults, runs = {}, collections.Counter()
    for name, model, inputs in single_node_cases(pattern):
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(program, model, inputs, pathlib.Path(folder))
            for opset in changed_opsets(name, lines.get(name, [])):
                for fault in check_case(name, opset, model, runner, runs):
                    faults[fault] = True
    for fault in faults:
        print(fault)
    wanted = {(name, opset, key) for name, versions in lines.items() if re.search(pattern, name)
              for opset in changed_opsets(name, versions) for key, attribute in schema_of(name, opset).attributes.items()
              if attribute.required or (written_default(attribute) and (name, key) not in NOT_WRITABLE)}
    print(f"{sum(runs.values())} comparisons; {len(runs)} of {len(wanted)} defaults and required attributes were compared")
    if verbose:
        for name, opset, key in sorted(wanted - runs.keys()):
            print(f"  not compared: {name}-{opset} '{key}'")
    return len(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("linnet")
    parser.add_argument("program", help="conformance_run")
    parser.add_argument("--only", default="", help="a regular expression for the operators whose defaults are compared")
    parser.add_argument("--verbose", action="store_true", help="name the defaults that no case tells anything of")
    arguments = parser.parse_args()
    lines = operator_list(arguments.linnet)
    print(f"onnx {onnx.__version__}, opsets up to {defs.onnx_opset_version()}")
    differences = compare_attributes(lines) + compare_arities(lines)
    differences += compare_defaults(arguments.program, lines, arguments.only, arguments.verbose)
    print(f"{differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
