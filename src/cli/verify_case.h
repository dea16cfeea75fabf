// One ONNX test data set: its files are read as what the model declares, the model is run, and the outputs are compared.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "linnet/session.h"

namespace linnet::cli {

struct Tolerances {
  double rtol = 1e-3, atol = 1e-7;  // of floats: |a - b| <= atol + rtol * |b|; integers must be equal
};

enum class CaseStatus : std::uint8_t { passed, failed, refused };
const char* name(CaseStatus status);

struct Case {
  std::string name;
  std::string op;  // the model's only operator; empty if it has several, or could not be loaded
  CaseStatus status = CaseStatus::passed;
  double max_abs = 0;
  double max_ulp = 0;           // of floating-point outputs
  std::set<std::string> types;  // of the tensors that went in and came out
  std::string reason;
};

/// Fills in status, errors and reason. Throws Error; `unsupported` also for a data set that contradicts the model, its tensors
/// being of other types or shapes than the model declares.
void run_case(Session& session, const std::filesystem::path& folder, const Tolerances& tolerances, Case& result);

/// The folders below (or the folder itself) that hold expected outputs, by name.
std::vector<std::filesystem::path> data_sets_of(const std::filesystem::path& folder);

}  // namespace linnet::cli
