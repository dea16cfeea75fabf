// What the parts of the loader share while one model is read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "graph/graph.h"
#include "linnet/model.h"
#include "onnx/budget.h"
#include "onnx/external_data.h"
#include "onnx/function_reader.h"
#include "onnx/refusals.h"
#include "onnx/wire.h"

namespace linnet::onnx {

struct LoadContext {
  const LoadOptions& options;
  FileContext file;
  std::shared_ptr<base::FileBuffer> buffer;  // null: the bytes are the caller's and may not be moved
  std::shared_ptr<const void> owner;         // keeps the bytes alive; may be null
  Budget budget;
  ExternalData external;
  Refusals refusals;
  std::map<std::string, int> opsets;                    // domain -> version
  std::map<FunctionId, Function> functions{};           // model-local
  std::map<std::string_view, graph::Symbol> symbols{};  // names of extents, views of the file
  const std::map<std::string, int>* imports = nullptr;  // of what is being read: the model's, or a function's
  const graph::Attributes* call = nullptr;              // of the call whose function is being read
  const CallNames* call_names = nullptr;                // what that function's names mean
  int nesting = 0;                                      // calls of functions, and bodies, around what is being read
  bool read_again = false;   // what is being read belongs to a function, which the next call will read again
  bool read_before = false;  // an earlier call has read it
  std::int64_t ir_version = 0;

  /// Bytes that are about to become objects pay for them once; where another call of a function reads them again, it is
  /// the time which that takes that is counted. Throws Error(limit).
  void note_read(std::size_t file_bytes, const Message& message) {
    if (read_before) {
      budget.reread(file_bytes, message);
    } else {
      budget.credit(file_bytes);
    }
  }
};

/// One level of calls and bodies. What a function holds stands at one depth of the file however deep it is called, and a
/// function may call itself from a body of its own; so they are counted apart from messages. Throws Error(limit).
class Nesting {
 public:
  Nesting(LoadContext& context, const Message& message);
  ~Nesting();
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  LoadContext& context_;
};

}  // namespace linnet::onnx
