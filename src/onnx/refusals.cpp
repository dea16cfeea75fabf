#include "onnx/refusals.h"

#include <algorithm>

#include "base/printable.h"
#include "linnet/error.h"

namespace linnet::onnx {

namespace {
// A model of a foreign domain may have thousands of them: a message of this many is still read by a person.
constexpr std::size_t kMaxGroups = 50;
constexpr std::size_t kMaxPlaces = 8;
constexpr std::size_t kMany = 4096;
// Names of operators and attributes come from the file too.
constexpr std::size_t kMaxTextBytes = 256;
}  // namespace

std::size_t Refusals::find(const std::string& subject, const std::string& reason) const {
  const auto same = [&](const Group& group) { return group.subject == subject && group.reason == reason; };
  return static_cast<std::size_t>(std::find_if(groups_.begin(), groups_.end(), same) - groups_.begin());
}

bool Refusals::tells_place(const std::string& subject, const std::string& reason) const {
  const std::size_t i = find(subject, reason);
  return i == groups_.size() ? i < kMaxGroups : groups_[i].count < kMaxPlaces;
}

void Refusals::add(const std::string& subject, const std::string& reason, const std::string& place) {
  ++total_;
  const std::size_t i = find(subject, reason);
  if (i == groups_.size()) {
    if (i == kMaxGroups) {
      ++unlisted_;
      return;
    }
    groups_.push_back({.subject = subject, .reason = reason, .places = {}});
  }
  Group& group = groups_[i];
  ++group.count;
  if (place.empty() || group.count > kMaxPlaces) return;
  group.places += (group.places.empty() ? "" : ", ") + place;
}

void Refusals::throw_if_any(const std::string& file) const {
  if (empty()) return;
  std::string text = "the model needs what Linnet does not have: ";
  for (const Group& group : groups_) {
    if (&group != &groups_.front()) text += "; ";
    text += base::printable(group.subject, kMaxTextBytes);
    if (group.count > 1) text += " x" + std::to_string(group.count);
    text += ": " + base::printable(group.reason, kMaxTextBytes);
    if (group.places.empty()) continue;
    text += " [" + group.places;
    if (group.count > kMaxPlaces) text += " and " + std::to_string(group.count - kMaxPlaces) + " more";
    text += "]";
  }
  if (unlisted_ != 0) text += "; and " + std::to_string(unlisted_) + " more";
  if (total_ >= kMany) text += "; and the rest was not looked at";
  throw Error(ErrorCode::unsupported, text, {.file = file});
}

void Refusals::throw_if_many(const std::string& file) const {
  if (total_ >= kMany) throw_if_any(file);
}

}  // namespace linnet::onnx
