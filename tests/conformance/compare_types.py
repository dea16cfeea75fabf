#!/usr/bin/env python3
"""The types that Linnet's operators take beside those that ONNX's schemas list, and src/ops/types.inc beside both.

    tests/conformance/compare_types.py build/release/linnet build/release/tests/conformance/conformance_run
        [--only PATTERN] [--cases N] [--write]

ONNX's own cases of one node run again, at the last opset of each line of `linnet ops`, with one of the operator's type
parameters set to each type that the schema lists for it: floats, integers of 8 to 64 bits, bool. The inputs are converted.

1. A type that the schema lists, and that all cases refuse, must be in REFUSED.
2. A result must be that of ONNX Runtime or of ONNX's ReferenceEvaluator, where one of them runs the case (but for UNLIKE).
3. What is taken must be what types.inc says; --write writes its lines anew. Those of opsets without cases are written by hand.

Exit code 1 if anything differs. Needs onnx and onnxruntime.
"""
import argparse
import collections
import pathlib
import re
import sys
import tempfile

from optional_packages import require

onnx, np, onnxruntime = require("onnx", "numpy", "onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from compare_schemas import operator_list, opsets, schema_of, single_node_cases  # noqa: E402
from linnet_backend import Refused, run_program, to_message  # noqa: E402

FLOATS = ("float", "float16", "bfloat16", "double")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ALL = FLOATS + INTEGERS + ("bool",)
NUMBERS = {name: getattr(TensorProto, name.upper()) for name in ALL}
GROUPS = (("all", set(ALL)), ("numbers", set(FLOATS + INTEGERS)), ("floats", set(FLOATS)), ("integers", set(INTEGERS)))
# Attributes that name the type of an output.
TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype", "output_datatype")
# (operator, type parameter, type) that ONNX lists and Linnet refuses, with the reason.
MIXED = "floats and doubles in one node"
REFUSED = {
    ("Attention", "T1", "double"): "the softmax is computed in float",
    ("Attention", "T2", "double"): MIXED,
    **{("Attention", "U", name): "masks are of truths or floats" for name in ("double", *INTEGERS)},
    ("DeformConv", "T", "double"): "it is computed in float",
    ("QuantizeLinear", "T1", "int32"): "a scale of whole numbers, at the opsets at which it is of the input's type",
    ("QuantizeLinear", "T2", "int32"): "a scale of whole numbers",
    ("RMSNormalization", "T", "double"): MIXED,
    ("RMSNormalization", "V", "double"): MIXED,
}
# Operators whose types do not vary one by one: with subgraphs, of sequences, or of equally wide types.
NOT_PROBED = {"BitCast", "If", "Loop", "OptionalGetElement", "OptionalHasElement", "Scan", "SequenceInsert", "SequenceMap",
              "SplitToSequence"}
# (operator, type) whose results are not those of the others, with the reason.
NARROW = "the ReferenceEvaluator computes in this type, Linnet in float"
UNLIKE = {
    ("AffineGrid", "bfloat16"): NARROW,
    **{("BlackmanWindow", name): "the greatest number is 1 or just below, which is cut to 0" for name in INTEGERS},
    ("Det", "bfloat16"): NARROW,
    ("GridSample", "bfloat16"): NARROW,
    **{("GridSample", name): "the ReferenceEvaluator cuts its weights to integers, too" for name in INTEGERS},
    ("HannWindow", "float16"): NARROW,
    ("LayerNormalization", "bfloat16"): NARROW,
    ("RMSNormalization", "bfloat16"): NARROW,
    ("RMSNormalization", "float16"): NARROW,
    ("ReduceSumSquare", "uint32"): "the ReferenceEvaluator gives uint64",
}
FIRST_COMPARED = 7  # opset: of what came before, the others know other things than the schemas say


def listed_types(schema, parameter):
    """The names in ALL that a schema lists for one of its type parameters."""
    for constraint in schema.type_constraints:
        if constraint.type_param_str == parameter:
            return [name for name in ALL if f"tensor({name})" in constraint.allowed_type_strs]
    return []


def element_type(info):
    return info.type.tensor_type.elem_type if info.type.HasField("tensor_type") else 0


def roles(schema, model):
    """type parameter -> the graph's inputs and outputs of that type, where all are tensors."""
    node, infos = model.graph.node[0], {info.name: info for info in [*model.graph.input, *model.graph.output]}
    result = collections.defaultdict(set)
    for names, parameters in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for index, name in enumerate(names):
            if name:  # the last formal parameter may stand for many
                result[parameters[min(index, len(parameters) - 1)].type_str].add(name)
    return {key: names for key, names in result.items()
            if all(name in infos and element_type(infos[name]) for name in names)}


def converted(value, number):
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(number))
    value = np.asarray(numpy_helper.to_array(value) if isinstance(value, TensorProto) else value)
    if value.dtype.kind not in "biu":
        value = value.astype(np.float64)
    if dtype.kind == "b":
        return value > 0.5 if value.dtype != bool else value
    if dtype.kind in "iu" and value.dtype.kind == "f":
        value = np.clip(np.rint(np.nan_to_num(value, posinf=100, neginf=-100)), -100, 100)
    if dtype.kind == "u" and value.dtype.kind != "u":
        value = np.abs(value)
    with np.errstate(all="ignore"):
        return value.astype(dtype)


def variant(model, inputs, opset, names, number):
    """The model at an opset, and its inputs, with the inputs and outputs of these names of another type."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.opset_import[:]
    result.opset_import.append(helper.make_opsetid("", opset))
    result.ir_version = 10
    for info in [*result.graph.input, *result.graph.output]:
        if info.name in names:
            info.type.tensor_type.elem_type = number
    values = [converted(value, number) if info.name in names else value
              for value, info in zip(inputs, result.graph.input)]
    node = result.graph.node[0]
    of_output = [element_type(info) for info in result.graph.output if info.name == node.output[0]]
    for key in TYPE_ATTRIBUTES:
        if of_output and key in schema_of(node.op_type, opset).attributes:
            for old in [attribute for attribute in node.attribute if attribute.name == key]:
                node.attribute.remove(old)
            node.attribute.append(helper.make_attribute(key, of_output[0]))
    for attribute in node.attribute:
        if attribute.name == "value" and attribute.HasField("t") and node.output[0] in names:
            tensor = converted(numpy_helper.to_array(attribute.t), number)
            attribute.t.CopyFrom(numpy_helper.from_array(tensor))
    return result, values


def run_linnet(program, model, values):
    with tempfile.TemporaryDirectory() as name:
        folder, files = pathlib.Path(name), []
        onnx.save(model, folder / "model.onnx")
        for index, (value, info) in enumerate(zip(values, model.graph.input)):
            files.append((info.name, folder / f"input_{index}.pb"))
            files[-1][1].write_bytes(to_message(value, info.type, info.name).SerializeToString())
        return run_program(program, folder / "model.onnx", files, folder)


def run_onnxruntime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def run_reference(model, feeds):
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(model).run(None, feeds)


def equal(found, expected):
    if len(found) != len(expected):
        return False
    for mine, right in zip(found, expected):
        if mine is None or isinstance(mine, list):
            continue
        right = np.asarray(right)
        if mine.shape != right.shape or mine.dtype != right.dtype:
            return False
        exact = mine.dtype.kind in "biu"
        tolerance = 0 if exact else {"bfloat16": 2e-2, "float16": 2e-3}.get(mine.dtype.name, 1e-3)
        if not exact:
            mine, right = mine.astype(np.float64), right.astype(np.float64)
        if not np.allclose(mine, right, rtol=tolerance, atol=tolerance / 100, equal_nan=not exact):
            return False
    return True


def judge(found, model, values):
    """Whether someone agrees; None where nobody else runs it."""
    feeds = {info.name: value for info, value in zip(model.graph.input, values)}
    verdict = None
    for run in (run_onnxruntime, run_reference):
        try:
            verdict = equal(found, run(model, feeds))
        except Exception:  # noqa: BLE001, PERF203: whatever they say of a case that they do not run
            continue
        if verdict:
            break
    return verdict


class Probe:
    def __init__(self, arguments, lines):
        self.program, self.cases, self.lines = arguments.program, arguments.cases, lines
        self.listed = {}  # (operator, first opset of the line, parameter) -> the types that the schema lists
        self.taken, self.agreed, self.tried = collections.Counter(), collections.Counter(), collections.Counter()
        self.reasons, self.faults = {}, []

    def case(self, name, model, inputs):
        node = model.graph.node[0]
        for line in self.lines.get(name, []):
            opset = max(opsets(line), default=None)
            schema = schema_of(name, opset) if opset else None
            if schema is None or not {attribute.name for attribute in node.attribute} <= schema.attributes.keys():
                continue
            if len(node.input) > schema.max_input or len(node.output) > schema.max_output:
                continue
            try:
                run_linnet(self.program, *variant(model, inputs, opset, (), 0))
            except RuntimeError:
                continue  # as it stands, it is no case of this opset
            for parameter, names in roles(schema, model).items():
                types = self.listed.setdefault((name, line["first_opset"], parameter), listed_types(schema, parameter))
                for type_name in types:
                    self.run((name, line["first_opset"], parameter, type_name),
                             *variant(model, inputs, opset, names, NUMBERS[type_name]))

    def run(self, key, model, values):
        if self.agreed[key] >= self.cases or self.tried[key] >= 8 * self.cases:
            return
        self.tried[key] += 1
        try:
            found = run_linnet(self.program, model, values)
        except (Refused, RuntimeError) as problem:
            if "exit code -" in str(problem):
                self.faults.append(f"{key}: {problem}")
            self.taken[key] += "exit code 8:" in str(problem)  # the type is good, the converted numbers are not
            self.reasons.setdefault(key, str(problem).splitlines()[0])
            return
        self.taken[key] += 1
        verdict = judge(found, model, values) if model.opset_import[0].version >= FIRST_COMPARED else None
        if verdict:
            self.agreed[key] += 1
        elif verdict is False and (key[0], key[3]) not in UNLIKE:
            self.faults.append(f"{key[0]}-{model.opset_import[0].version}, {key[2]} = {key[3]}: the others give something else ({model.graph.name})")

    def text(self, name, since):
        """A line of types.inc."""
        parts = []
        for (operator, first, parameter), types in self.listed.items():
            if (operator, first) == (name, since) and types:
                parts.append(f"{parameter} {shortened([t for t in types if self.taken[name, since, parameter, t]])}")
        return "; ".join(parts)


def shortened(types):
    rest, words = list(types), []
    for word, group in GROUPS:
        if group <= set(rest):
            words.append(word)
            rest = [name for name in rest if name not in group]
    return " ".join(words + rest) or "none"


def read_list(path):
    return {(name, int(since)): text for name, since, text in
            re.findall(r'^LINNET_TYPES\((\w+), (\d+), "([^"]*)"\)', path.read_text(), re.M)}


def write_list(path, table):
    head = [line for line in path.read_text().splitlines() if line.startswith("//")]
    lines = [f'LINNET_TYPES({name}, {since}, "{text}")' for (name, since), text in sorted(table.items())]
    path.write_text("\n".join(head + lines) + "\n")


def without_repeats(table):
    """A line says nothing new where the one before it of the same operator says it."""
    result = {}
    for (name, since), text in sorted(table.items()):
        before = [value for (other, first), value in result.items() if other == name and first < since]
        if not before or before[-1] != text:
            result[name, since] = text
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("linnet")
    parser.add_argument("program", help="conformance_run")
    parser.add_argument("--only", default="", help="a regular expression for the operators")
    parser.add_argument("--cases", type=int, default=1, help="how many cases of an operator to compare for each type")
    parser.add_argument("--write", action="store_true", help="write src/ops/types.inc anew")
    arguments = parser.parse_args()
    probe = Probe(arguments, operator_list(arguments.linnet))
    for name, model, inputs in single_node_cases(arguments.only):
        if name in NOT_PROBED or any(not element_type(info) for info in [*model.graph.input, *model.graph.output]):
            continue
        objects = any(np.asarray(value).dtype.kind == "O" for value in inputs if isinstance(value, np.ndarray))
        if len(inputs) == len(model.graph.input) and not objects:
            probe.case(name, model, inputs)
    faults = list(probe.faults)
    missing = {(name, parameter, type_name): probe.reasons.get((name, since, parameter, type_name))
               for (name, since, parameter), types in probe.listed.items() for type_name in types
               if not probe.taken[name, since, parameter, type_name]}
    faults += [f"{' '.join(key)} is refused: {why}" for key, why in missing.items() if key not in REFUSED]
    faults += [f"{' '.join(key)} is taken: it should leave REFUSED" for key in REFUSED
               if key not in missing and re.search(arguments.only, key[0])]
    path = pathlib.Path(__file__).resolve().parents[2] / "src" / "ops" / "types.inc"
    said, probed = read_list(path), {(name, since) for (name, since, _), types in probe.listed.items() if types}
    found = {key: text for key in probed if (text := probe.text(*key))}
    table = without_repeats({**{key: text for key, text in said.items() if key not in probed}, **found})
    if arguments.write:
        write_list(path, table)
    elif not arguments.only:
        faults += [f"types.inc: {key} should be {table.get(key)!r}" for key in sorted({*said, *table})
                   if said.get(key) != table.get(key)]
    for fault in dict.fromkeys(faults):
        print(fault)
    keys = [(*key, name) for key, types in probe.listed.items() for name in types]
    print(f"{len(keys)} types of operators and their parameters: {sum(probe.taken[key] > 0 for key in keys)} are taken, "
          f"{sum(probe.agreed[key] > 0 for key in keys)} of them compared; {len(faults)} differences")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
