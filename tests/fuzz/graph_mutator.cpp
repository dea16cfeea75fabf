#include "fuzz/graph_mutator.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "support/onnx_builder.h"

namespace linnet::fuzz {

namespace {

enum class Type : std::uint8_t {
  leaf,
  model,
  graph,
  node,
  attribute,
  tensor,
  value_info,
  type,
  tensor_type,
  shape,
  dim,
  pair,
  opset
};

struct Child {
  Type parent;
  int field;
  Type child;
};

// The fields of onnx.proto that are messages and worth a look inside.
constexpr Child kChildren[] = {
    {Type::model, 7, Type::graph},       {Type::model, 8, Type::opset},       {Type::model, 14, Type::pair},
    {Type::graph, 1, Type::node},        {Type::graph, 5, Type::tensor},      {Type::graph, 11, Type::value_info},
    {Type::graph, 12, Type::value_info}, {Type::graph, 13, Type::value_info}, {Type::node, 5, Type::attribute},
    {Type::attribute, 5, Type::tensor},  {Type::attribute, 6, Type::graph},   {Type::tensor, 13, Type::pair},
    {Type::value_info, 2, Type::type},   {Type::type, 1, Type::tensor_type},  {Type::tensor_type, 2, Type::shape},
    {Type::shape, 1, Type::dim},
};

constexpr std::int64_t kNumbers[] = {0,         1,          2,
                                     3,         4,          5,
                                     6,         7,          8,
                                     9,         11,         13,
                                     15,        16,         17,
                                     18,        -1,         -2,
                                     64,        127,        128,
                                     1024,      1 << 20,    (1 << 20) + 1,
                                     1 << 30,   1500000000, INT32_MAX - 1,
                                     INT32_MAX, INT32_MIN,  INT64_MAX,
                                     INT64_MIN, 1LL << 31,  1LL << 40};

constexpr std::string_view kTexts[] = {"",
                                       "x",
                                       "y",
                                       "Conv",
                                       "Relu",
                                       "Add",
                                       "Gemm",
                                       "MaxPool",
                                       "AveragePool",
                                       "BatchNormalization",
                                       "Concat",
                                       "Split",
                                       "Pad",
                                       "Reshape",
                                       "Flatten",
                                       "Softmax",
                                       "Transpose",
                                       "Gather",
                                       "Expand",
                                       "Resize",
                                       "Slice",
                                       "Tile",
                                       "Clip",
                                       "Where",
                                       "ScatterND",
                                       "MatMul",
                                       "Unsqueeze",
                                       "Shape",
                                       "Constant",
                                       "Identity",
                                       "ReduceMean",
                                       "ConvTranspose",
                                       "Cast",
                                       "pads",
                                       "strides",
                                       "dilations",
                                       "group",
                                       "axis",
                                       "axes",
                                       "kernel_shape",
                                       "auto_pad",
                                       "ceil_mode",
                                       "perm",
                                       "SAME_UPPER",
                                       "linnet"};

struct Field {
  int number = 0;
  int wire_type = 0;
  std::uint64_t value = 0;      // varint, fixed32, fixed64
  std::string bytes;            // a leaf's
  Type type = Type::leaf;       // of a message
  std::vector<Field> children;  // of a message
};

Type child_type(Type parent, int field) {
  const auto* const found = std::find_if(std::begin(kChildren), std::end(kChildren),
                                         [&](const Child& c) { return c.parent == parent && c.field == field; });
  return found == std::end(kChildren) ? Type::leaf : found->child;
}

bool take_varint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool take_fixed(std::string_view& in, std::size_t bytes, std::uint64_t& value) {
  if (in.size() < bytes) return false;
  value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  in.remove_prefix(bytes);
  return true;
}

std::optional<std::vector<Field>> parse(std::string_view in, Type type, int depth) {
  std::vector<Field> fields;
  while (!in.empty()) {
    std::uint64_t tag = 0;
    if (!take_varint(in, tag)) return std::nullopt;
    Field field{.number = static_cast<int>(tag >> 3 & 0x1fffffff), .wire_type = static_cast<int>(tag & 7)};
    bool ok = field.number > 0;
    switch (field.wire_type) {
      case 0: ok = ok && take_varint(in, field.value); break;
      case 1: ok = ok && take_fixed(in, 8, field.value); break;
      case 5: ok = ok && take_fixed(in, 4, field.value); break;
      case 2: {
        std::uint64_t length = 0;
        ok = ok && take_varint(in, length) && length <= in.size();
        if (!ok) break;
        field.bytes = in.substr(0, length);
        in.remove_prefix(length);
        field.type = depth > 0 ? child_type(type, field.number) : Type::leaf;
        if (field.type == Type::leaf) break;
        std::optional<std::vector<Field>> inner = parse(field.bytes, field.type, depth - 1);
        if (inner) {
          field.children = std::move(*inner);
        } else {
          field.type = Type::leaf;
        }
        break;
      }
      default: ok = false;
    }
    if (!ok) return std::nullopt;
    fields.push_back(std::move(field));
  }
  return fields;
}

std::string encode(const std::vector<Field>& fields) {
  test::ProtoWriter out;
  for (const Field& field : fields) {
    switch (field.wire_type) {
      case 0: out.number(field.number, static_cast<std::int64_t>(field.value)); break;
      case 1: out.fixed64(field.number, field.value); break;
      case 5: out.fixed32(field.number, static_cast<std::uint32_t>(field.value)); break;
      default: out.bytes(field.number, field.type == Type::leaf ? field.bytes : encode(field.children));
    }
  }
  return out.text();
}

/// Where a field stands: the list it is in, its place there, and the type of the message that has the list.
struct Place {
  std::vector<Field>* list = nullptr;
  std::size_t index = 0;
  Type parent = Type::model;
  [[nodiscard]] Field& field() const { return (*list)[index]; }
};

void collect(std::vector<Field>& fields, Type type, std::vector<Place>& places) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    places.push_back({&fields, i, type});
    if (fields[i].type != Type::leaf) collect(fields[i].children, fields[i].type, places);
  }
}

using Random = std::minstd_rand;

std::size_t pick(Random& random, std::size_t count) { return random() / 7 % count; }

/// Another field with the same meaning, from anywhere in the file.
const Field& like(const Place& place, const std::vector<Place>& places, Random& random) {
  std::vector<const Field*> same;
  for (const Place& other : places) {
    if (other.parent == place.parent && other.field().number == place.field().number) same.push_back(&other.field());
  }
  return *same[pick(random, same.size())];
}

void mutate_leaf(Field& field, Random& random) {
  if (field.wire_type != 2) {
    field.value = random() % 4 == 0 ? field.value ^ (std::uint64_t{1} << pick(random, 64))
                                    : static_cast<std::uint64_t>(kNumbers[pick(random, std::size(kNumbers))]);
    return;
  }
  switch (pick(random, 4)) {
    case 0: field.bytes = kTexts[pick(random, std::size(kTexts))]; break;
    case 1: field.bytes.resize(field.bytes.size() / 2); break;
    case 2: field.bytes += static_cast<char>(random()); break;
    default:
      if (!field.bytes.empty()) field.bytes[pick(random, field.bytes.size())] = static_cast<char>(random());
  }
}

void mutate(const Place& place, const std::vector<Place>& places, Random& random) {
  const auto at = static_cast<std::ptrdiff_t>(place.index);
  switch (pick(random, 6)) {
    case 0: place.list->insert(place.list->begin() + at, Field(place.field())); break;
    case 1: place.list->erase(place.list->begin() + at); break;
    case 2: std::swap(place.field(), (*place.list)[pick(random, place.list->size())]); break;
    case 3: place.field() = Field(like(place, places, random)); break;
    case 4: place.field().number = 1 + static_cast<int>(pick(random, 20)); break;
    default:
      if (place.field().type == Type::leaf) mutate_leaf(place.field(), random);
  }
}

}  // namespace

std::string mutate_model(std::string_view file, std::uint32_t seed) {
  constexpr int kDepth = 12;
  std::optional<std::vector<Field>> fields = parse(file, Type::model, kDepth);
  if (!fields) return std::string(file);
  Random random(seed);
  for (std::size_t i = 1 + pick(random, 3); i > 0; --i) {
    std::vector<Place> places;
    collect(*fields, Type::model, places);
    if (places.empty()) break;
    // Leaves are what operators check; whole messages are many fewer and come up often enough.
    mutate(places[pick(random, places.size())], places, random);
  }
  return encode(*fields);
}

}  // namespace linnet::fuzz
