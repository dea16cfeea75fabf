#include "onnx/function_reader.h"

#include <limits>
#include <utility>

#include "base/printable.h"
#include "linnet_onnx.pb.h"
#include "onnx/context.h"

namespace linnet::onnx {

using base::quote_name;

// FunctionProto.attribute_proto and overload, which older copies of onnx.proto do not have yet.
constexpr int kDefaultAttribute = 11, kOverload = 13;

void read_opset(const Message& message, LoadContext& context, std::map<std::string, int>& opsets) {
  using Opset = linnet_onnx::OperatorSetIdProto;
  std::string domain;
  std::int64_t version = 0;
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == Opset::kDomainFieldNumber) domain = reader.as_text(context.options.max_name_bytes);
    if (reader.field() == Opset::kVersionFieldNumber) version = reader.as_int64();
  }
  if (domain == "ai.onnx") domain.clear();
  const std::string label = "domain " + quote_name(domain.empty() ? "ai.onnx" : domain);
  if (version < 1 || version > std::numeric_limits<int>::max()) {
    message.fail(ErrorCode::model, "no opset of " + label + " has this version", "1 or more", std::to_string(version));
  }
  context.budget.charge(128 + domain.size(), message);
  const auto [entry, added] = opsets.emplace(std::move(domain), static_cast<int>(version));
  if (!added && entry->second != version) {
    message.fail(ErrorCode::model, label + " is imported at two versions", {},
                 std::to_string(entry->second) + " and " + std::to_string(version));
  }
}

void read_function(const Message& message, LoadContext& context) {
  using Proto = linnet_onnx::FunctionProto;
  const std::int64_t max_name = context.options.max_name_bytes;
  FunctionId id;
  Function function;
  const auto add_name = [&](std::vector<std::string>& names, std::string_view added) {
    context.budget.charge(2 * sizeof(std::string) + text_bytes(added.size()), message);  // the list doubles
    names.emplace_back(added);
  };
  const auto add_message = [&](std::vector<Message>& messages, const Message& added) {
    context.budget.charge(2 * sizeof(Message), message);
    context.budget.exclude(added.bytes.size());  // until a call reads it
    messages.push_back(added);
  };
  MessageReader reader(message);
  while (reader.next()) {
    switch (reader.field()) {
      case Proto::kDomainFieldNumber: id.domain = reader.as_text(max_name); break;
      case Proto::kNameFieldNumber: id.name = reader.as_text(max_name); break;
      case kOverload: id.overload = reader.as_text(max_name); break;
      case Proto::kInputFieldNumber: add_name(function.inputs, reader.as_text(max_name)); break;
      case Proto::kOutputFieldNumber: add_name(function.outputs, reader.as_text(max_name)); break;
      case Proto::kNodeFieldNumber: add_message(function.nodes, reader.as_message("NodeProto")); break;
      case kDefaultAttribute: add_message(function.defaults, reader.as_message("AttributeProto")); break;
      case Proto::kOpsetImportFieldNumber:
        read_opset(reader.as_message("OperatorSetIdProto"), context, function.opsets);
        break;
      default: break;
    }
  }
  if (id.domain == "ai.onnx") id.domain.clear();
  context.budget.charge(sizeof(Function) + 128 + id.domain.size() + id.name.size() + id.overload.size(), message);
  const std::string label =
      quote_name(id.name) + (id.overload.empty() ? "" : " and overload " + quote_name(id.overload));
  if (!context.functions.emplace(std::move(id), std::move(function)).second)
    message.fail(ErrorCode::model, "two functions have the name " + label);
}

}  // namespace linnet::onnx
