#include "linnet/operators.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string_view>
#include <tuple>

#include "base/out_of_memory.h"
#include "ops/control_flow.h"
#include "ops/fused_operators.h"
#include "ops/op_def.h"

namespace linnet {

namespace {

std::string_view limits_of(const ops::OpDef& def) {
  struct Limit {
    std::string_view name, text;
  };
  static constexpr Limit kLimits[] = {
#define LINNET_LIMIT(name, text) {#name, text},
#include "ops/limits.inc"
#undef LINNET_LIMIT
  };
  const auto* const found = std::find_if(std::begin(kLimits), std::end(kLimits), [&](const Limit& limit) {
    return def.domain.empty() && limit.name == def.name;
  });
  return found == std::end(kLimits) ? std::string_view() : found->text;
}

std::string_view types_of(const ops::OpDef& def) {
  struct Types {
    std::string_view name;
    int since;
    std::string_view text;
  };
  static constexpr Types kTypes[] = {
#define LINNET_TYPES(name, since, text) {#name, since, text},
#include "ops/types.inc"
#undef LINNET_TYPES
  };
  std::string_view text;
  for (const Types& types : kTypes) {  // sorted by opset, so that the last one that fits holds
    if (types.name == def.name && types.since <= def.since) text = types.text;
  }
  return text;
}

std::vector<OperatorInfo> listed_operators() {
  std::vector<OperatorInfo> result;
  for (const ops::OpDef& def : ops::all_operators()) {
    if (def.domain == ops::kFusedDomain) continue;  // what the passes make, not what files may hold
    OperatorInfo info;
    info.domain = def.domain.empty() ? "ai.onnx" : def.domain;
    info.name = def.name;
    info.first_opset = def.since;
    info.last_opset = def.until;
    info.types = types_of(def);
    info.limits = limits_of(def);
    std::istringstream attributes{std::string(def.attributes)};
    for (std::string name; attributes >> name;) {
      if (name != ops::kCaptures) info.attributes.push_back(name);
    }
    result.push_back(std::move(info));
  }
  const auto key = [](const OperatorInfo& info) { return std::tie(info.domain, info.name, info.first_opset); };
  std::sort(result.begin(), result.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return result;
}

}  // namespace

std::vector<OperatorInfo> supported_operators() { return base::guard_memory(listed_operators); }

}  // namespace linnet
