// conformance_run MODEL OUT [NAME FILE]...: runs a model once for the tests written in Python. Each FILE holds the ONNX
// message (TensorProto, SequenceProto, OptionalProto) that the model's input NAME takes. Output number i goes to
// OUT/output_<i>.tensor, .sequence or .empty (an optional without a value), the first two as the ONNX message. The exit
// code is that of the program's verbs (6: refused), the message goes to stderr.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

#include "linnet/linnet.h"
#include "linnet/tensor_file.h"
#include "support/onnx_builder.h"

namespace {

using namespace linnet;
namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) throw Error(ErrorCode::io, "cannot write", {.file = path.string()});
}

void write_output(const fs::path& stem, const Datum& datum) {
  if (const auto* tensor = std::get_if<Tensor>(&datum)) {
    write_file(stem.string() + ".tensor", test::onnx_tensor("", *tensor).text());
  } else if (const auto* sequence = std::get_if<Sequence>(&datum)) {
    constexpr int kElemType = 2, kTensors = 1, kTensorValues = 3;  // of SequenceProto
    test::ProtoWriter proto;
    proto.number(kElemType, kTensors);
    for (const Tensor& member : *sequence) proto.message(kTensorValues, test::onnx_tensor("", member));
    write_file(stem.string() + ".sequence", proto.text());
  } else {
    write_file(stem.string() + ".empty", "");
  }
}

ValueKind kind_of(const std::vector<ValueInfo>& infos, const std::string& name) {
  const auto info = std::find_if(infos.begin(), infos.end(), [&](const ValueInfo& i) { return i.name == name; });
  if (info == infos.end()) throw Error(ErrorCode::input, "the model has no input '" + name + "'");
  return info->kind;
}

void run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2 || arguments.size() % 2 != 0)
    throw Error(ErrorCode::usage, "conformance_run MODEL OUT [NAME FILE]...");
  Session session(Model::load(arguments[0]));
  std::vector<NamedDatum> inputs;
  for (std::size_t i = 2; i < arguments.size(); i += 2) {
    const ValueKind kind = kind_of(session.plan().inputs(), arguments[i]);
    inputs.emplace_back(arguments[i], load_datum(arguments[i + 1], kind));
  }
  const std::vector<Datum> outputs = session.run_data(inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    write_output(fs::path(arguments[1]) / ("output_" + std::to_string(i)), outputs[i]);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(std::vector<std::string>(argv + 1, argv + argc));
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return exit_code(error.code());
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return exit_code(ErrorCode::internal);
  }
}
