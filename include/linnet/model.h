// A loaded ONNX model.
//
//   linnet::Model model = linnet::Model::load("resnet50.onnx");
//   for (const linnet::ValueInfo& input : model.inputs()) {
//     std::cout << input.name << ' ' << linnet::to_string(input) << '\n';   // data float[N,3,224,224]
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "linnet/datum.h"
#include "linnet/error.h"
#include "linnet/tensor.h"

namespace linnet {

/// Limits and switches of loading. The defaults suit any honest vision model; no file can make the loader use memory
/// or time out of proportion to its size. Limits below 0: Error(usage).
struct LoadOptions {
  /// Each file of external data, and the model file where it is less than protobuf's own limit of 2 GiB.
  std::int64_t max_file_bytes = std::int64_t{8} << 30;
  /// Memory for what is made of a model, tensors aside: so much, and 3 bytes for each byte of the file that is no tensor's.
  /// 100,000 nodes with the shortest names fit; a model of 16-bit floats needs four times as much, as it is inferred on a copy.
  std::int64_t max_object_bytes = std::int64_t{60} << 20;
  std::int64_t max_nodes = 1'000'000;                     ///< nodes, subgraphs included
  std::int64_t max_tensor_bytes = std::int64_t{8} << 30;  ///< one tensor
  /// Nodes that calls of the model's own functions write out: so many, and one for each 8 bytes of the file. Bytes that calls after
  /// the first read again, tensors' apart: 256 for each of these, and 16 for each byte of the file.
  std::int64_t max_call_nodes = 32'768;
  int max_rank = 32;                              ///< extents of one tensor; numpy has as many
  std::int64_t max_name_bytes = 4096;             ///< one name of a node or value
  std::int64_t max_attributes = 256;              ///< attributes of one node
  std::int64_t max_attribute_bytes = 16'777'216;  ///< numbers or text of one attribute; tensors are tensors
  int max_depth = 64;                             ///< nesting of messages; of calls of functions and subgraphs
  std::string external_data_dir;                  ///< where external data lies; empty: the model file's folder
};

/// An input or output: its extents are known, symbolic or unknown.
struct ValueInfo {
  struct Dim {
    std::int64_t value = -1;  ///< -1: not fixed by the model
    std::string symbol;       ///< "N"; empty where the model names none
  };
  std::string name;
  DataType type = DataType::undefined;
  ValueKind kind = ValueKind::tensor;  ///< of a sequence or optional, `type` is the elements' and there is no shape
  bool has_rank = true;                ///< false: not even the number of extents is known
  std::vector<Dim> shape;
  bool optional = false;    ///< an initializer stands in when the caller gives none (IR version >= 4)
  std::string computed_by;  ///< outputs: the operator that computes the values, reshapes left aside: "Softmax"
};

/// "float[N,3,224,224]".
std::string to_string(const ValueInfo& info);

/// Counts of a model, for people.
struct ModelSummary {
  std::int64_t ir_version = 0;
  std::vector<std::pair<std::string, int>> opsets;  ///< domain ("ai.onnx" for the default one), version
  std::string producer;
  std::vector<std::pair<std::string, std::string>> metadata;  ///< key, value, in the file's order
  std::vector<std::pair<std::string, int>> operators;         ///< type, how many nodes; most frequent first
  std::int64_t parameters = 0;                                ///< elements of all initializers
};

/// An immutable, checked model. Copies share it; it may be used from several threads at once.
class Model {
 public:
  /// Reads an ONNX file; "-" is standard input. Throws Error: `io`, `format`, `model`, `limit`, `no_memory`, or one
  /// `unsupported` that lists every node Linnet cannot run.
  static Model load(const std::string& path, const LoadOptions& options = {});
  /// Reads from memory, which must outlive the model and all its sessions: tensor bytes are not copied. External data is
  /// refused unless options.external_data_dir is set.
  static Model load(std::span<const std::byte> bytes, const LoadOptions& options = {});

  /// In the file's order. Initializers of IR versions below 4 that are also inputs are constants and do not count.
  [[nodiscard]] const std::vector<ValueInfo>& inputs() const;
  [[nodiscard]] const std::vector<ValueInfo>& outputs() const;
  [[nodiscard]] ModelSummary summary() const;
  /// The graph as text, a node a line; as Graphviz dot.
  void print(std::ostream& stream) const;
  void print_dot(std::ostream& stream) const;

  struct State;  // the library's own
  explicit Model(std::shared_ptr<State> state) : state_(std::move(state)) {}
  /// This and all above throw Error(usage) on a model that was moved from.
  [[nodiscard]] const std::shared_ptr<State>& state() const;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace linnet
