#include "onnx/load.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/printable.h"
#include "linnet_onnx.pb.h"
#include "onnx/context.h"
#include "onnx/function_reader.h"
#include "onnx/graph_reader.h"
#include "onnx/tensor_reader.h"

namespace linnet::onnx {

namespace {

using ModelProto = linnet_onnx::ModelProto;

constexpr std::int64_t kOldestIr = 3, kNewestIr = 14;
constexpr std::int64_t kMaxModelBytes = std::numeric_limits<int>::max();  // protobuf's own limit

/// What a file that is no protobuf looks like; empty where nothing is recognised.
std::string_view recognise(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x1f\x8b")) return "a gzip archive";
  if (text.starts_with("PK\x03\x04")) return "a zip archive (a PyTorch file?)";
  if (text.starts_with("version https://git-lfs"))
    return "a Git LFS pointer: fetch the file itself with 'git lfs pull'";
  if (text.starts_with("<!") || text.starts_with("<html") || text.starts_with("<?xml")) return "a web page";
  if (text.starts_with("\x80\x02") || text.starts_with("\x80\x04")) return "a Python pickle";
  if (text.starts_with("ir_version")) return "a text protobuf";
  if (text.starts_with("{")) return "JSON";
  if (text.size() >= 8 && text.substr(4).starts_with("ORTM")) return "an ONNX Runtime flatbuffer";
  return {};
}

Message whole_file(const FileContext& file, std::string_view type) {
  const Message message{.file = &file, .type = type, .bytes = file.bytes};
  if (file.bytes.empty()) throw Error(ErrorCode::format, "the file is empty", {.file = file.path});
  if (const std::string_view kind = recognise(file.bytes); !kind.empty()) {
    throw Error(ErrorCode::format, "not an ONNX file", {.file = file.path, .found = std::string(kind)});
  }
  if (std::cmp_greater(file.bytes.size(), kMaxModelBytes)) {
    throw Error(ErrorCode::limit, "a protobuf file has less than 2 GiB",
                {.file = file.path, .found = std::to_string(file.bytes.size()) + " bytes"});
  }
  return message;
}

void read_metadata(const Message& message, LoadContext& context, graph::Graph& graph) {
  using Pair = linnet_onnx::StringStringEntryProto;
  // The list doubles, and each text has an allocation of its own.
  context.budget.charge(2 * sizeof(std::pair<std::string, std::string>) + 2 * block_bytes(1) + message.bytes.size(),
                        message);
  std::pair<std::string, std::string> entry;
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == Pair::kKeyFieldNumber) entry.first = reader.as_text(context.options.max_file_bytes);
    if (reader.field() == Pair::kValueFieldNumber) entry.second = reader.as_text(context.options.max_file_bytes);
  }
  graph.metadata.push_back(std::move(entry));
}

void require_known_ir(const Message& message, std::int64_t version) {
  const std::string range = std::to_string(kOldestIr) + " to " + std::to_string(kNewestIr);
  if (version <= 0)
    message.fail(ErrorCode::model, "no valid IR version: is this an ONNX model?", range, std::to_string(version));
  if (version < kOldestIr || version > kNewestIr) {
    message.fail(ErrorCode::unsupported, "Linnet does not know this IR version", range, std::to_string(version));
  }
}

/// All of a ModelProto but its graph.
std::optional<Message> read_model_fields(const Message& message, LoadContext& context, graph::Graph& graph) {
  std::optional<Message> graph_message;
  std::string_view producer, producer_version;
  const std::int64_t max_name = context.options.max_name_bytes;
  const auto paid = [&context](const Message& part) {
    context.budget.credit(part.bytes.size());
    return part;
  };
  MessageReader reader(message);
  while (reader.next()) {
    switch (reader.field()) {
      case ModelProto::kIrVersionFieldNumber: context.ir_version = reader.as_int64(); break;
      case ModelProto::kProducerNameFieldNumber: producer = reader.as_text(max_name); break;
      case ModelProto::kProducerVersionFieldNumber: producer_version = reader.as_text(max_name); break;
      case ModelProto::kOpsetImportFieldNumber:
        read_opset(paid(reader.as_message("OperatorSetIdProto")), context, context.opsets);
        break;
      case ModelProto::kMetadataPropsFieldNumber:
        read_metadata(paid(reader.as_message("StringStringEntryProto")), context, graph);
        break;
      case ModelProto::kFunctionsFieldNumber: read_function(paid(reader.as_message("FunctionProto")), context); break;
      case ModelProto::kGraphFieldNumber:
        reader.refuse_second(graph_message.has_value());
        graph_message.emplace(reader.as_message("GraphProto"));
        break;
      default: break;
    }
  }
  graph.producer = producer;
  if (!producer_version.empty()) graph.producer += " " + std::string(producer_version);
  return graph_message;
}

graph::Graph load(LoadContext& context, LoadNotes* notes) {
  const Message message = whole_file(context.file, "ModelProto");
  graph::Graph graph;
  graph.file = context.file.path;
  const std::optional<Message> graph_message = read_model_fields(message, context, graph);
  require_known_ir(message, context.ir_version);
  if (!graph_message) message.fail(ErrorCode::model, "the model has no graph");
  graph.ir_version = context.ir_version;
  graph.opsets = context.opsets;
  context.imports = &context.opsets;
  read_main_graph(*graph_message, context, graph);
  if (notes == nullptr) {
    context.refusals.throw_if_any(graph.file);
  } else {
    *notes = {std::move(context.refusals), context.budget};
  }
  return graph;
}

void require_limits(const LoadOptions& options) {
  const std::pair<const char*, std::int64_t> limits[] = {{"max_file_bytes", options.max_file_bytes},
                                                         {"max_object_bytes", options.max_object_bytes},
                                                         {"max_nodes", options.max_nodes},
                                                         {"max_tensor_bytes", options.max_tensor_bytes},
                                                         {"max_call_nodes", options.max_call_nodes},
                                                         {"max_rank", options.max_rank},
                                                         {"max_name_bytes", options.max_name_bytes},
                                                         {"max_attributes", options.max_attributes},
                                                         {"max_attribute_bytes", options.max_attribute_bytes},
                                                         {"max_depth", options.max_depth}};
  for (const auto& [name, limit] : limits) {
    if (limit >= 0) continue;
    throw Error(
        ErrorCode::usage, "a limit of loading is out of range",
        {.where = std::string("LoadOptions::") + name, .expected = "0 or more", .found = std::to_string(limit)});
  }
}

LoadContext make_context(const LoadOptions& options, Bytes bytes, std::string path, std::optional<std::string> folder) {
  if (options.external_data_dir.find('\0') != std::string::npos) {
    throw Error(ErrorCode::usage, "a path that holds a NUL character",
                {.where = "LoadOptions::external_data_dir", .found = options.external_data_dir});
  }
  if (!options.external_data_dir.empty()) folder = options.external_data_dir;
  return {.options = options,
          .file = {.bytes = bytes, .path = std::move(path), .max_depth = options.max_depth},
          .buffer = nullptr,
          .owner = nullptr,
          .budget = Budget(options, bytes.size()),
          .external = ExternalData(std::move(folder), options.max_file_bytes),
          .refusals = {},
          .opsets = {}};
}

Tensor own_tensor(const Message& message, LoadContext& context, std::string* name) {
  const TensorHeader header = read_tensor_header(message, context);
  if (const std::string why = why_unsupported(header); !why.empty())
    header.message.fail(ErrorCode::unsupported, why + " are not supported");
  if (name != nullptr) *name = header.name;
  return read_tensor(header, context).clone();
}

// SequenceProto and OptionalProto stand in onnx-data.proto, which no package installs in compiled form. Fields of both, and
// values of kDataType in both.
constexpr int kDataName = 1, kDataType = 2, kDataTensor = 3, kDataSequence = 5;
constexpr std::int64_t kOfNothing = 0, kOfTensors = 1, kOfSequences = 3;

/// What the file says of itself: name and type of the elements, and nothing beside the values that `read_value` takes.
std::int64_t read_data(const Message& message, LoadContext& context, std::string* name,
                       const std::function<bool(const MessageReader&)>& read_value) {
  std::int64_t type = kOfNothing;
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == kDataName) {
      const std::string_view text = reader.as_text(context.options.max_name_bytes);
      if (name != nullptr) *name = text;
    } else if (reader.field() == kDataType) {
      type = reader.as_int64();
    } else if (!read_value(reader)) {
      message.fail(ErrorCode::unsupported,
                   "data that are neither tensors, sequences of tensors nor optional ones of these", {},
                   "field " + std::to_string(reader.field()));
    }
  }
  return type;
}

[[noreturn]] void wrong_type(const Message& message, std::int64_t type, const std::string& expected) {
  message.fail(ErrorCode::format, "the type of the elements is not that of the values", expected, std::to_string(type));
}

Sequence read_sequence(const Message& message, LoadContext& context, std::string* name) {
  Sequence sequence;
  const std::int64_t type = read_data(message, context, name, [&](const MessageReader& reader) {
    if (reader.field() != kDataTensor) return false;
    context.budget.charge(sizeof(Tensor), message);
    sequence.push_back(own_tensor(reader.as_message("TensorProto"), context, nullptr));
    return true;
  });
  if (type != kOfTensors && type != kOfNothing) wrong_type(message, type, "1: tensors");
  return sequence;
}

Datum read_optional(const Message& message, LoadContext& context, std::string* name) {
  Datum value = std::monostate();
  const std::int64_t type = read_data(message, context, name, [&](const MessageReader& reader) {
    if (reader.field() == kDataTensor) value = own_tensor(reader.as_message("TensorProto"), context, nullptr);
    else if (reader.field() == kDataSequence)
      value = read_sequence(reader.as_message("SequenceProto"), context, nullptr);
    else return false;
    return true;
  });
  const std::int64_t found = std::holds_alternative<Tensor>(value)     ? kOfTensors
                             : std::holds_alternative<Sequence>(value) ? kOfSequences
                                                                       : kOfNothing;
  if (type != found && type != kOfNothing) wrong_type(message, type, std::to_string(found));
  return value;
}

}  // namespace

graph::Graph load_graph(const std::string& path, const LoadOptions& options, LoadNotes* notes) {
  require_limits(options);
  const bool from_stdin = path == "-";
  const std::int64_t most = std::min(options.max_file_bytes, kMaxModelBytes);
  auto buffer = from_stdin ? base::FileBuffer::read_stdin(most) : base::FileBuffer::read(path, most);
  std::optional<std::string> folder;
  if (!from_stdin) folder = std::filesystem::path(path).parent_path().string();
  LoadContext context = make_context(options, buffer->bytes(), path, std::move(folder));
  context.buffer = buffer;
  context.owner = buffer;
  return load(context, notes);
}

graph::Graph load_graph(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& path,
                        const LoadOptions& options, LoadNotes* notes) {
  require_limits(options);
  if (std::cmp_greater(bytes.size(), options.max_file_bytes)) {
    throw Error(ErrorCode::limit, "the model is too large",
                {.file = path,
                 .expected = "at most " + std::to_string(options.max_file_bytes) + " bytes",
                 .found = std::to_string(bytes.size())});
  }
  LoadContext context = make_context(options, bytes, path, std::nullopt);
  context.owner = std::move(owner);
  return load(context, notes);
}

Tensor load_tensor(std::span<const std::byte> bytes, const std::string& path, std::string* name) {
  return std::get<Tensor>(load_datum(bytes, path, ValueKind::tensor, name));
}

Datum load_datum(std::span<const std::byte> bytes, const std::string& path, ValueKind kind, std::string* name) {
  const LoadOptions options;
  LoadContext context = make_context(options, bytes, path, std::nullopt);
  // An optional or a sequence without a name, of nothing, has no bytes.
  if (bytes.empty() && kind != ValueKind::tensor)
    return kind == ValueKind::sequence ? Datum(Sequence()) : Datum(std::monostate());
  if (kind > ValueKind::optional) {
    throw Error(ErrorCode::usage, "a kind of data that there is not",
                {.where = "kind", .found = std::to_string(static_cast<int>(kind))});
  }
  const Message message = whole_file(context.file, "data");
  if (kind == ValueKind::tensor) return own_tensor(message, context, name);
  return kind == ValueKind::sequence ? Datum(read_sequence(message, context, name))
                                     : read_optional(message, context, name);
}

}  // namespace linnet::onnx
