#include "onnx/refusals.h"

#include <algorithm>

#include "base/printable.h"
#include "linnet/error.h"

namespace linnet::onnx {

namespace {
// A model of a foreign domain may have thousands of them: a message of this many is still read by a person.
constexpr std::size_t kMaxGroups = 50;
constexpr std::size_t kMaxPlaces = 8;
// Names of operators and attributes come from the file too.
constexpr std::size_t kMaxTextBytes = 256;
}  // namespace

void Refusals::add(const std::string& full_subject, const std::string& full_reason, const std::string& place) {
  ++total_;
  const std::string subject = base::printable(full_subject, kMaxTextBytes);
  const std::string reason = base::printable(full_reason, kMaxTextBytes);
  auto group = std::find_if(groups_.begin(), groups_.end(),
                            [&](const Group& g) { return g.subject == subject && g.reason == reason; });
  if (group == groups_.end()) {
    if (groups_.size() == kMaxGroups) {
      ++unlisted_;
      return;
    }
    group = groups_.insert(groups_.end(), {.subject = subject, .reason = reason, .places = {}});
  }
  ++group->count;
  if (place.empty() || group->count > kMaxPlaces) return;
  group->places += (group->places.empty() ? "" : ", ") + place;
}

void Refusals::throw_if_any(const std::string& file) const {
  if (empty()) return;
  std::string text = "the model needs what Linnet does not have: ";
  for (const Group& group : groups_) {
    if (&group != &groups_.front()) text += "; ";
    text += group.subject;
    if (group.count > 1) text += " x" + std::to_string(group.count);
    text += ": " + group.reason;
    if (group.places.empty()) continue;
    text += " [" + group.places;
    if (group.count > kMaxPlaces) text += " and " + std::to_string(group.count - kMaxPlaces) + " more";
    text += "]";
  }
  if (unlisted_ != 0) text += "; and " + std::to_string(unlisted_) + " more";
  throw Error(ErrorCode::unsupported, text, {.file = file});
}

}  // namespace linnet::onnx
