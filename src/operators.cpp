#include "linnet/operators.h"

#include <algorithm>
#include <sstream>
#include <tuple>

#include "ops/op_def.h"

namespace linnet {

std::vector<OperatorInfo> supported_operators() {
  std::vector<OperatorInfo> result;
  for (const ops::OpDef& def : ops::all_operators()) {
    if (def.domain == "linnet") continue;  // what the passes make, not what files may hold
    OperatorInfo info;
    info.domain = def.domain.empty() ? "ai.onnx" : def.domain;
    info.name = def.name;
    info.first_opset = def.since;
    info.last_opset = def.until;
    std::istringstream attributes{std::string(def.attributes)};
    for (std::string name; attributes >> name;) info.attributes.push_back(name);
    result.push_back(std::move(info));
  }
  const auto key = [](const OperatorInfo& info) { return std::tie(info.domain, info.name, info.first_opset); };
  std::sort(result.begin(), result.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return result;
}

}  // namespace linnet
