// Sets an environment variable for a scope. Not for tests with threads that read the environment.
#pragma once

#include <stdlib.h>

#include <optional>
#include <string>
#include <utility>

namespace linnet::test {

class EnvGuard {
 public:
  /// Without a value the variable is unset.
  EnvGuard(std::string name, const std::optional<std::string>& value) : name_(std::move(name)) {
    if (const char* old = getenv(name_.c_str())) old_ = old;
    assign(value);
  }
  ~EnvGuard() { assign(old_); }
  EnvGuard(const EnvGuard&) = delete;
  EnvGuard& operator=(const EnvGuard&) = delete;

 private:
  void assign(const std::optional<std::string>& value) {
    if (value) setenv(name_.c_str(), value->c_str(), 1);
    else unsetenv(name_.c_str());
  }

  std::string name_;
  std::optional<std::string> old_;
};

}  // namespace linnet::test
