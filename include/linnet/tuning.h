// Loops blocked by measurement. Without it a model of the caches decides; with it a network may run faster, and never gives
// another bit: what is tuned is the order in which a convolution's pixels and panels are visited and how threads share them.
//
//   const linnet::Model model = linnet::Model::load("resnet50.onnx");
//   linnet::SessionOptions options;
//   options.tuning = linnet::tune(model, options).tuning;        // half a minute, once
//   linnet::save_tuning("resnet50.tuning", options.tuning);
//   linnet::Session session(model, options);                     // next time: options.tuning = linnet::load_tuning(...)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace linnet {

class Model;
struct SessionOptions;

/// How a convolution walks over its pixels, channels and panels (16 to 32 output channels). 0: as the built-in model says.
/// Values beyond what a convolution has are taken for the most it has.
struct Blocking {
  std::int32_t tiles = 0;        ///< tiles of pixels that are kept in the cache while all panels go by
  std::int32_t chunk = 0;        ///< blocks of input channels and taps whose weights are kept while these tiles go by
  std::int32_t panel_parts = 0;  ///< shares that the panels are split into; threads / panel_parts split the pixels

  friend bool operator==(const Blocking&, const Blocking&) = default;
};

/// Blockings by processor, instruction set, threads, version of Linnet and the convolution's shape. Entries of another
/// machine, version or shape do no harm: nothing looks them up.
struct Tuning {
  std::map<std::string, Blocking> blockings;
};

/// Reads what save_tuning wrote. Throws Error: `io`, `format` (with the line), `limit` (a file beyond 16 MiB).
Tuning load_tuning(const std::string& path);

/// Writes a text file, one line a blocking, in place of what was there: whoever reads meanwhile gets the old file or the new
/// one, however many write. Where `path` is a link, the file it leads to. Throws Error: `io`, also where there is something other
/// than a regular file; `usage` for what load_tuning would refuse.
void save_tuning(const std::string& path, const Tuning& tuning);

struct TuneOptions {
  double seconds = 30;                  ///< about how long to measure, 0 to 3600
  std::atomic<int>* percent = nullptr;  ///< how much is done, 0 to 100; may be read from any thread
};

/// What tuning changed: convolutions of one shape, of which a network may have several.
struct TunedShape {
  std::string key;  ///< in Tuning::blockings
  std::vector<std::string> nodes;
  Blocking before, after;
  double before_ms = 0, after_ms = 0;  ///< medians, summed over the nodes
};

struct TuneResult {
  Tuning tuning;  ///< SessionOptions::tuning with what was found added
  std::vector<TunedShape> changed;
  std::size_t shapes = 0;              ///< shapes of convolutions that were measured
  double before_ms = 0, after_ms = 0;  ///< the whole network, medians of runs in turn
};

/// Measures blockings on this machine, for the threads, shapes and ISA that a Session with `options` would use, in the network
/// itself. What is not faster by more than the noise is left to the built-in model. Throws Error: what Plan throws; `usage`
/// if a shape is open (see SessionOptions::input_shapes) or an option out of range; `unsupported` if shapes depend on data;
/// `internal` if a blocking ever changed a bit.
TuneResult tune(const Model& model, const SessionOptions& options, const TuneOptions& tuning = {});

}  // namespace linnet
