// The portable graph: what is computed, with no fact about the machine.
//
// A Graph owns Values (a name, a TensorDesc, perhaps constant bytes) and Nodes (an operator over Values). Ids are
// indices and stay valid for the graph's life; removed nodes leave a tombstone. Copying a Graph shares all tensor bytes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/attribute.h"
#include "graph/name_index.h"
#include "linnet/datum.h"
#include "linnet/tensor.h"

namespace linnet::graph {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
constexpr ValueId kNoValue = -1;  // an omitted optional input or output
constexpr NodeId kNoNode = -1;

/// The name of an extent. Copies share the text: inference hands the extents of one value on to thousands of others.
class Symbol {
 public:
  Symbol() = default;
  explicit Symbol(std::string text)
      : text_(text.empty() ? nullptr : std::make_shared<const std::string>(std::move(text))) {}
  [[nodiscard]] bool empty() const noexcept { return text_ == nullptr; }
  [[nodiscard]] std::string_view text() const noexcept { return empty() ? std::string_view() : *text_; }
  friend bool operator==(const Symbol& a, const Symbol& b) noexcept {
    return a.text_ == b.text_ || a.text() == b.text();
  }

 private:
  std::shared_ptr<const std::string> text_;
};

/// An extent: known, or symbolic ("N"), or neither (a fresh unknown).
struct Dim {
  std::int64_t value = -1;  // -1: not known
  Symbol symbol;            // empty: anonymous

  Dim() = default;
  Dim(std::int64_t v) : value(v) {}  // NOLINT(google-explicit-constructor): {1, 3, 224} should read as a shape
  static Dim symbolic(std::string name) { return symbolic(Symbol(std::move(name))); }
  static Dim symbolic(Symbol symbol) {
    Dim d;
    d.symbol = std::move(symbol);
    return d;
  }
  [[nodiscard]] bool known() const noexcept { return value >= 0; }
  /// The same extent for certain: equal values, or the same non-empty symbol.
  [[nodiscard]] bool same_as(const Dim& other) const noexcept {
    return known() ? value == other.value : (!other.known() && !symbol.empty() && symbol == other.symbol);
  }
};

using DimList = std::vector<Dim>;

/// How the elements lie in memory. A fact of the graph: assign_layouts sets it and inserts Reorder nodes.
enum class Layout : std::uint8_t {
  plain,    // row-major in the order of the shape
  nchw16c,  // [N][ceil(C/16)][H][W][16], channels zero-padded; the shape stays [N,C,H,W]
};

struct TensorDesc {
  DataType type = DataType::undefined;
  std::optional<DimList> shape;  // none: not even the rank is known
  Layout layout = Layout::plain;
  ValueKind kind = ValueKind::tensor;  // of a sequence or optional, `type` is the elements' and there is no shape

  [[nodiscard]] bool has_rank() const noexcept { return shape.has_value(); }
  /// Every extent is known.
  [[nodiscard]] bool is_static() const noexcept;
  /// Precondition: is_static().
  [[nodiscard]] Shape static_shape() const;
};

/// Ranks are known and equal, and so is each extent for certain: equal numbers or equal symbols.
bool same_shape(const TensorDesc& a, const TensorDesc& b);

/// "float[N,3,224,224]", "int64[?]", "float nchw16c[1,64,56,56]", "float of unknown rank", "sequence of float".
std::string to_string(const TensorDesc& desc);

struct Value {
  std::string name;  // unique in its graph, never empty
  TensorDesc desc;
  std::optional<Tensor> constant;  // an initializer's or a folded node's bytes
  std::vector<NodeId> consumers;   // one entry a use: a node that reads it twice stands here twice; in no order
  NodeId producer = kNoNode;
  bool graph_input = false;
  bool graph_output = false;

  /// Known now and for ever: constant, and no caller may override it (an IR >= 4 initializer that is also an input may be).
  [[nodiscard]] bool is_constant() const noexcept { return constant.has_value() && !graph_input; }
};

struct Node {
  std::string name;             // may be empty
  std::string op_type;          // "Conv"
  std::string domain;           // "" is ai.onnx; "linnet" are the fused operators of the passes
  int opset = 0;                // the version of `domain` that the model imports
  std::vector<ValueId> inputs;  // kNoValue: omitted
  std::vector<ValueId> outputs;
  Attributes attributes;
  bool alive = true;
};

/// "Conv-13" or "com.microsoft.QLinearAdd-1".
std::string op_label(const Node& node);

/// What fold_constants remembers from stage to stage, so that its bounds hold for all stages together.
struct Folding {
  /// Bytes of the constants before any pass computed more of them; -1 until they have been counted. Bounds are in proportion to
  /// these: in proportion to what it has made itself they would grow from stage to stage.
  std::int64_t constant_bytes = -1;
  std::int64_t graphs = 1;  // that share the bounds: a model that runs in parts has one for each
  // Spent so far: bytes of results, those of them beyond the inputs', bytes read and written, and multiply-adds.
  std::int64_t results = 0, growth = 0, work = 0, products = 0;
};

class Graph {
 public:
  // Facts of the file.
  std::string name;
  std::string file;  // path it was loaded from, for messages; may be empty
  std::int64_t ir_version = 0;
  std::map<std::string, int> opsets;  // domain -> version
  std::string producer;               // "pytorch 1.13"
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<ValueId> inputs;  // in the file's order, overridable initializers included
  std::vector<ValueId> outputs;
  /// By output: the extents that the file states. Files often get them wrong (an exported batch of 1), so nothing is concluded
  /// from them: described() tells them to people.
  std::map<ValueId, DimList> declared;
  Folding folding;

  // Reading.
  [[nodiscard]] const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Value& value(ValueId id) { return values_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::int32_t value_count() const noexcept { return static_cast<std::int32_t>(values_.size()); }
  /// Removed ones included.
  [[nodiscard]] std::int32_t node_count() const noexcept { return static_cast<std::int32_t>(nodes_.size()); }
  /// Ids of the nodes in topological order. A node removed while the list is walked stays in it, with alive == false,
  /// until order() is asked for again: so a pass may remove as it walks, in linear time.
  [[nodiscard]] const std::vector<NodeId>& order() const {
    if (removed_) purge();
    return order_;
  }
  /// What is known of a value, its gaps filled with what is declared.
  [[nodiscard]] TensorDesc described(ValueId id) const;
  /// kNoValue where no value has the name.
  [[nodiscard]] ValueId find_value(std::string_view name) const;
  /// The node's name, or "#12" (its place in the file).
  [[nodiscard]] std::string label(NodeId id) const;

  // Building and editing. These keep producer, consumers and graph_input/graph_output true.
  /// Room for so many more, so that vectors of a known final size do not grow by doubling.
  void reserve(std::size_t values, std::size_t nodes);
  /// What room for so many takes; their names, lists and descriptions are apart.
  static std::size_t bytes_for(std::size_t values, std::size_t nodes) noexcept {
    return values * sizeof(Value) + NameIndex::bytes_for(values) + nodes * (sizeof(Node) + sizeof(NodeId));
  }
  /// Throws Error(model) if the name is taken; an empty name is made up.
  ValueId add_value(std::string value_name, TensorDesc desc = {});
  ValueId add_constant(std::string value_name, Tensor tensor);
  void add_input(ValueId id);
  void add_output(ValueId id);
  void clear_outputs();
  /// Appends; call sort() when nodes were not added in topological order. Throws Error(model) if an output has a producer already.
  NodeId add_node(Node node);
  /// Also detaches it from its values. Its outputs stay, without a producer.
  void remove_node(NodeId id);
  void set_input(NodeId id, std::size_t index,
                 ValueId value);  // index may be one past the end: appends (gaps are kNoValue)
  void set_output(NodeId id, std::size_t index, ValueId value);
  /// Every consumer of `from` reads `to` instead. Graph outputs are not touched: a value that is one keeps its producer.
  void replace_uses(ValueId from, ValueId to);
  /// Attributes and op of a node may be edited in place; inputs and outputs may not.
  void set_op(NodeId id, std::string op_type, std::string domain, int opset);
  Attributes& attributes(NodeId id) { return nodes_[static_cast<std::size_t>(id)].attributes; }
  /// Restores topological order, stably, where an edit may have disturbed it. Throws Error(model) naming a node on a cycle.
  void sort();
  /// Removes nodes whose outputs nobody reads, and forgets the bytes of constants nobody reads.
  void remove_dead();
  /// Gives a value another name, which must be free.
  void rename_value(ValueId id, std::string to);
  /// A name that no value has, starting with `stem`.
  [[nodiscard]] std::string unique_name(std::string_view stem) const;

 private:
  // Where each use stands in its value's consumers, so that one of 100,000 can be removed in constant time.
  struct UseIndex {
    std::vector<std::vector<std::size_t>> places;  // by node, by input: the use's place among the value's consumers
    std::vector<std::vector<std::size_t>> slots;   // by value, beside its consumers: which input of that node it is
  };
  // Made by the first edit: a graph that is only loaded and read does without.
  void index_uses();
  void link(NodeId id, std::size_t i);
  void unlink(NodeId id, std::size_t i);
  void detach(NodeId id);
  void purge() const;

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  mutable std::vector<NodeId> order_;
  mutable bool removed_ = false;  // order_ may hold removed nodes
  bool sorted_ = true;            // order_ is topological
  bool lean_ = true;              // nothing has been added or detached since remove_dead()
  NameIndex names_;
  std::optional<UseIndex> uses_;
};

}  // namespace linnet::graph
