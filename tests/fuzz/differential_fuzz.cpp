// Random networks, planned and run, against the interpreter in double: within its derived bounds, with any passes off.
#include <vector>

#include "fuzz/fuzz_target.h"
#include "reference/interpreter.h"
#include "support/compare.h"
#include "support/random_graph.h"
#include "support/tensor_adapter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::ByteSource source(fuzz::bytes_of(data, size));
  const auto seed = static_cast<std::uint64_t>(source.number());
  const test::RandomGraph network = test::make_random_graph(seed);
  const std::vector<std::byte> file = test::encode(network);
  SessionOptions options = fuzz::small_session();
  const PlanReport report = Plan(Model::load(file), options).report();
  // A sanitized interpreter takes seconds for a million; the nightly tests run all networks, without.
  constexpr std::int64_t kMostMacs = 200'000;
  if (report.macs > kMostMacs) return 0;
  for (const PassReport& pass : report.passes) {
    if (source.below(2) == 1) options.disabled_passes.push_back(pass.name);
  }
  std::vector<NamedTensor> inputs;
  for (const auto& [name, tensor] : network.inputs) inputs.emplace_back(name, test::from_reference(tensor));
  Session session(Model::load(file), options);
  const std::vector<Tensor> outputs = session.run(inputs);
  reference::Options exact;
  exact.bound_errors = true;
  exact.winograd = true;
  const reference::Tensors right = reference::run(network.model, network.inputs, exact);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const test::Comparison comparison =
        test::compare_within_errors(test::to_reference(outputs[i]), right.at(network.model.outputs.at(i)));
    if (comparison.ok) continue;
    std::fprintf(stderr, "seed %llu: %s\n%s\n", static_cast<unsigned long long>(seed), comparison.text.c_str(),
                 test::describe(network).c_str());
    std::abort();
  }
  return 0;
}
