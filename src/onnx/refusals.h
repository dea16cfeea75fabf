// Everything in a model that Linnet does not run, collected for one Error(unsupported).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace linnet::onnx {

class Refusals {
 public:
  /// `subject` is what is refused ("Resize-13 (float)", "input 'x'"), `place` where ("node 'up1'"; may be empty). Equal
  /// subjects with equal reasons share a line.
  void add(const std::string& subject, const std::string& reason, const std::string& place);
  /// Whether the next one's place would be told: of thousands only the first few are.
  [[nodiscard]] bool tells_place(const std::string& subject, const std::string& reason) const;
  [[nodiscard]] bool empty() const noexcept { return total_ == 0; }
  /// Throws if anything was added.
  void throw_if_any(const std::string& file) const;
  /// Throws if so much was added that the rest of the file is not worth the time.
  void throw_if_many(const std::string& file) const;

 private:
  struct Group {
    std::string subject, reason;  // as they are given
    std::string places;           // the first few
    std::size_t count = 0;        // of all
  };
  [[nodiscard]] std::size_t find(const std::string& subject, const std::string& reason) const;

  std::vector<Group> groups_;  // in the order of the file
  std::size_t total_ = 0;
  std::size_t unlisted_ = 0;  // in groups beyond those kept
};

}  // namespace linnet::onnx
