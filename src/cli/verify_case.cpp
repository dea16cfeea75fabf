#include "cli/verify_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <limits>
#include <sstream>
#include <type_traits>

#include "linnet/convert.h"
#include "linnet/error.h"
#include "linnet/tensor_file.h"

namespace linnet::cli {

namespace {

namespace fs = std::filesystem;

/// The place of a number among all of its type, zero in the middle, from its bits.
template <typename Signed>
Signed order_of(Signed bits) {
  return bits < 0 ? static_cast<Signed>(std::numeric_limits<Signed>::min() - bits) : bits;
}

/// How many representable numbers lie between; both finite.
template <typename T>
double ulp_distance(const T& a, const T& b) {
  using Signed =
      std::conditional_t<sizeof(T) == 2, std::int16_t, std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>>;
  Signed x{}, y{};
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  const std::int64_t from = order_of(x), to = order_of(y);
  // Unsigned, as the distance of two doubles may not fit a signed number.
  return static_cast<double>(from > to ? static_cast<std::uint64_t>(from) - static_cast<std::uint64_t>(to)
                                       : static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from));
}

template <typename T>
constexpr bool kIsReal = std::is_floating_point_v<T> || std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

/// `a` and `b` as the type to compare in: 16-bit floats widened, all others as they are.
template <typename T, typename Wide>
void compare_elements(std::span<const T> a, std::span<const T> b, std::span<const Wide> wide_a,
                      std::span<const Wide> wide_b, const Tolerances& tolerances, const std::string& where,
                      Case& result) {
  for (std::size_t i = 0; i < wide_a.size(); ++i) {
    if (wide_a[i] == wide_b[i]) continue;
    const auto x = static_cast<double>(wide_a[i]), y = static_cast<double>(wide_b[i]);
    if (std::isnan(x) && std::isnan(y)) continue;
    const double difference = std::fabs(x - y);
    if (std::isfinite(difference)) result.max_abs = std::max(result.max_abs, difference);
    bool close = false;
    if constexpr (kIsReal<T>) {
      if (std::isfinite(x) && std::isfinite(y)) result.max_ulp = std::max(result.max_ulp, ulp_distance(a[i], b[i]));
      close = std::isfinite(y) && difference <= tolerances.atol + tolerances.rtol * std::fabs(y);
    }
    if (close || result.status == CaseStatus::failed) continue;
    result.status = CaseStatus::failed;
    std::ostringstream text;
    // As themselves, since a double does not hold all of 64 bits; the sign makes numbers of bytes and truths.
    text << where << " element " << i << " is " << std::setprecision(std::numeric_limits<Wide>::max_digits10)
         << +wide_a[i] << ", expected " << +wide_b[i];
    result.reason = text.str();
  }
}

template <typename T>
void compare_values(const Tensor& actual, const Tensor& expected, const Tolerances& tolerances,
                    const std::string& where, Case& result) {
  const std::span<const T> a = actual.data<T>(), b = expected.data<T>();
  if constexpr (sizeof(T) == 2 && kIsReal<T>) {
    const Tensor x = convert(actual, DataType::float32), y = convert(expected, DataType::float32);
    compare_elements(a, b, x.data<float>(), y.data<float>(), tolerances, where, result);
  } else {
    compare_elements(a, b, a, b, tolerances, where, result);
  }
}

void fail(Case& result, const std::string& reason) {
  result.status = CaseStatus::failed;
  result.reason = reason;
}

void compare(const Tensor& actual, const Tensor& expected, const Tolerances& t, const std::string& where,
             Case& result) {
  if (actual.type() != expected.type() || actual.shape() != expected.shape())
    return fail(result, where + " is " + to_string(Datum(actual)) + ", expected " + to_string(Datum(expected)));
  switch (actual.type()) {
    case DataType::float32: return compare_values<float>(actual, expected, t, where, result);
    case DataType::float64: return compare_values<double>(actual, expected, t, where, result);
    case DataType::float16: return compare_values<Float16>(actual, expected, t, where, result);
    case DataType::bfloat16: return compare_values<BFloat16>(actual, expected, t, where, result);
    case DataType::int8: return compare_values<std::int8_t>(actual, expected, t, where, result);
    case DataType::int16: return compare_values<std::int16_t>(actual, expected, t, where, result);
    case DataType::int32: return compare_values<std::int32_t>(actual, expected, t, where, result);
    case DataType::int64: return compare_values<std::int64_t>(actual, expected, t, where, result);
    case DataType::uint8: return compare_values<std::uint8_t>(actual, expected, t, where, result);
    case DataType::uint16: return compare_values<std::uint16_t>(actual, expected, t, where, result);
    case DataType::uint32: return compare_values<std::uint32_t>(actual, expected, t, where, result);
    case DataType::uint64: return compare_values<std::uint64_t>(actual, expected, t, where, result);
    case DataType::boolean: return compare_values<bool>(actual, expected, t, where, result);
    default: throw Error(ErrorCode::unsupported, where + " has a type that cannot be compared");
  }
}

void compare(const Datum& actual, const Datum& expected, const Tolerances& tolerances, const std::string& where,
             Case& result) {
  if (const auto* tensor = std::get_if<Tensor>(&expected); tensor != nullptr && std::holds_alternative<Tensor>(actual))
    return compare(std::get<Tensor>(actual), *tensor, tolerances, where, result);
  const auto *found = std::get_if<Sequence>(&actual), *wanted = std::get_if<Sequence>(&expected);
  const bool same_kind = actual.index() == expected.index() && (found == nullptr || found->size() == wanted->size());
  if (!same_kind) return fail(result, where + " is " + to_string(actual) + ", expected " + to_string(expected));
  for (std::size_t i = 0; wanted != nullptr && i < wanted->size() && result.status == CaseStatus::passed; ++i)
    compare((*found)[i], (*wanted)[i], tolerances, where + " tensor " + std::to_string(i), result);
}

/// input_0.pb, input_1.pb, ...: as many as there are, each read as the kind that `infos` has in its place.
std::vector<NamedDatum> load_all(const fs::path& folder, const std::string& stem, const std::vector<ValueInfo>& infos) {
  std::vector<NamedDatum> data;
  for (std::size_t i = 0;; ++i) {
    const fs::path path = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return data;
    std::string value_name;
    Datum datum = load_datum(path.string(), i < infos.size() ? infos[i].kind : ValueKind::tensor, &value_name);
    data.emplace_back(std::move(value_name), std::move(datum));
  }
}

/// The inputs in the order of the files: those that the caller may leave out come last.
std::vector<ValueInfo> in_file_order(const std::vector<ValueInfo>& infos) {
  std::vector<ValueInfo> sorted = infos;
  std::stable_partition(sorted.begin(), sorted.end(), [](const ValueInfo& info) { return !info.optional; });
  return sorted;
}

/// By name where every file names an input, else by place.
std::vector<NamedDatum> load_inputs(const std::vector<ValueInfo>& infos, const fs::path& folder) {
  std::vector<NamedDatum> data = load_all(folder, "input", infos);
  const bool by_name = std::all_of(data.begin(), data.end(), [&](const NamedDatum& datum) {
    return std::any_of(infos.begin(), infos.end(), [&](const ValueInfo& info) { return info.name == datum.first; });
  });
  for (std::size_t i = 0; !by_name && i < data.size() && i < infos.size(); ++i) data[i].first = infos[i].name;
  return data;
}

bool shape_fits(const Tensor& tensor, const ValueInfo& info) {
  if (!info.has_rank) return true;
  if (tensor.rank() != info.shape.size()) return false;
  for (std::size_t i = 0; i < info.shape.size(); ++i) {
    if (info.shape[i].value >= 0 && info.shape[i].value != tensor.shape()[i]) return false;
  }
  return true;
}

[[noreturn]] void refuse_data(const std::string& where, const ValueInfo& info, const Datum& datum) {
  throw Error(ErrorCode::unsupported, "the data set contradicts the model",
              {.where = where + " '" + info.name + "'", .expected = to_string(info), .found = to_string(datum)});
}

/// Throws Error(unsupported) where an input is not what the model declares, so that there is nothing to run, and where numbers
/// of bfloat16 are stored as uint16, as ONNX 1.12 did, so that there is nothing to compare with.
void require_declared(const std::vector<NamedDatum>& inputs, const std::vector<NamedDatum>& expected,
                      const std::vector<ValueInfo>& input_infos, const std::vector<ValueInfo>& output_infos) {
  for (const auto& [input, datum] : inputs) {
    const auto* tensor = std::get_if<Tensor>(&datum);
    for (const ValueInfo& info : input_infos) {
      if (info.name != input || tensor == nullptr || info.kind != ValueKind::tensor) continue;
      if (info.type != DataType::undefined && (tensor->type() != info.type || !shape_fits(*tensor, info)))
        refuse_data("input", info, datum);
    }
  }
  for (std::size_t i = 0; i < expected.size() && i < output_infos.size(); ++i) {
    const auto* tensor = std::get_if<Tensor>(&expected[i].second);
    if (tensor != nullptr && tensor->type() == DataType::uint16 && output_infos[i].type == DataType::bfloat16)
      refuse_data("output", output_infos[i], expected[i].second);
  }
}

/// Whether there is anything of a data set, complete or not.
bool is_data_set(const fs::path& folder) {
  const fs::directory_iterator files(folder);
  return std::any_of(begin(files), end(files), [](const fs::directory_entry& entry) {
    const std::string file = entry.path().filename().string();
    return entry.path().extension() == ".pb" && (file.starts_with("input_") || file.starts_with("output_"));
  });
}

void note_types(const Datum& datum, std::set<std::string>& types) {
  if (const auto* tensor = std::get_if<Tensor>(&datum)) types.emplace(to_string(tensor->type()));
  const auto* sequence = std::get_if<Sequence>(&datum);
  for (std::size_t i = 0; sequence != nullptr && i < sequence->size(); ++i)
    types.emplace(to_string((*sequence)[i].type()));
}

}  // namespace

const char* name(CaseStatus status) {
  return status == CaseStatus::passed ? "passed" : (status == CaseStatus::failed ? "failed" : "refused");
}

void run_case(Session& session, const fs::path& folder, const Tolerances& tolerances, Case& result) {
  const std::vector<ValueInfo> input_infos = in_file_order(session.plan().inputs());
  const std::vector<ValueInfo>& output_infos = session.plan().outputs();
  const std::vector<NamedDatum> inputs = load_inputs(input_infos, folder);
  const std::vector<NamedDatum> expected = load_all(folder, "output", output_infos);
  if (expected.empty()) throw Error(ErrorCode::io, "the data set has no output_0.pb", {.file = folder.string()});
  require_declared(inputs, expected, input_infos, output_infos);
  for (const NamedDatum& input : inputs) note_types(input.second, result.types);
  for (const NamedDatum& output : expected) note_types(output.second, result.types);
  const std::vector<Datum> outputs = session.run_data(inputs);
  if (expected.size() != outputs.size()) {
    return fail(result, "the model has " + std::to_string(outputs.size()) + " outputs, the data set " +
                            std::to_string(expected.size()));
  }
  for (std::size_t i = 0; i < expected.size() && result.status == CaseStatus::passed; ++i)
    compare(outputs[i], expected[i].second, tolerances, "output '" + output_infos[i].name + "'", result);
}

std::vector<fs::path> data_sets_of(const fs::path& folder) {
  if (is_data_set(folder)) return {folder};
  std::vector<fs::path> sets;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    std::error_code ignored;  // a link that leads nowhere is no data set
    if (entry.is_directory(ignored) && is_data_set(entry.path())) sets.push_back(entry.path());
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

}  // namespace linnet::cli
