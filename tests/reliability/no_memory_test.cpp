// What every other function of the public headers makes of an allocation that fails.
#include <cstdlib>
#include <fstream>
#include <functional>
#include <new>

#include "reliability/allocation_failure.h"
#include "reliability/hostile.h"
#include "support/data_dir.h"
#include "support/sanitized.h"
#include "support/temp_dir.h"

#if !LINNET_THREAD_SANITIZED  // that sanitizer's operator new cannot be replaced

namespace {

// Of this thread, which has no helpers here.
thread_local linnet::test::AllocationFailure<long, bool> g_failure;

}  // namespace

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return g_failure.fails() ? nullptr : std::malloc(bytes);
}
void* operator new(std::size_t bytes) {
  void* const block = operator new(bytes, std::nothrow);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace linnet::test::no_memory_test {

namespace {

/// Each allocation of `action` fails in turn, once or from then on.
void check_every_allocation(const char* what, const std::function<void()>& action) {
  action();  // what is made once is there
  for (const bool keeps_failing : {false, true}) {
    long points = 0;
    for (long n = 1; n < 10'000; ++n) {
      const std::string outcome = g_failure.outcome_of(action, n, keeps_failing);
      if (outcome == "done") break;
      ++points;
      if (outcome != "") FAIL_CHECK(what << ", allocation " << n << ": " << outcome);
    }
    INFO(what);
    CHECK(points > 0);
  }
}

}  // namespace

TEST_CASE("no function lets std::bad_alloc out") {
  const TempDir dir;
  const auto file = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {"N", 3}}}).bytes();
  const Model model = Model::load(file);
  const Plan plan(model, one_thread());
  Session session(plan);
  const Tensor x = floats_of({2, 3});
  const std::vector<NamedTensor> inputs = {{"x", x}};
  const std::vector<NamedDatum> data = {{"x", x}};
  check_every_allocation("run(Tensor)", [&] { (void)session.run(x); });
  check_every_allocation("run", [&] { (void)session.run(inputs); });
  check_every_allocation("run_data", [&] { (void)session.run_data(data); });
  check_every_allocation("Session", [&] { (void)Session(plan); });
  check_every_allocation("report", [&] { (void)plan.report(); });
  check_every_allocation("profile", [&] { (void)session.profile(); });
  check_every_allocation("summary", [&] { (void)model.summary(); });

  check_every_allocation("Tensor", [] { (void)Tensor(DataType::float32, {}); });
  check_every_allocation("clone", [&] { (void)x.clone(); });
  check_every_allocation("convert", [&] { (void)convert(x, DataType::float16); });
  check_every_allocation("supported_operators", [] { (void)supported_operators(); });
  check_every_allocation("cpu_info", [] { (void)cpu_info(); });
  check_every_allocation("measure_peak_gflops", [] { (void)measure_peak_gflops(1, 0); });

  const std::filesystem::path picture = source_dir() / "tests" / "image" / "data" / "rgb420.jpg";
  const Image image = load_image(picture);
  const Preprocessing steps = preset("cifar10");
  check_every_allocation("load_image", [&] { (void)load_image(picture); });
  check_every_allocation("oriented", [&] { (void)oriented(image, 6); });
  check_every_allocation("preset", [] { (void)preset("torchvision"); });
  check_every_allocation("list_presets", [] { (void)list_presets(); });
  check_every_allocation("describe", [&] { (void)describe(steps); });
  check_every_allocation("preprocess", [&] { (void)preprocess(image, steps); });
  const std::vector<float> scores(100, 1.0F);
  check_every_allocation("softmax", [&] { (void)softmax(scores); });
  check_every_allocation("top_k", [&] { (void)top_k(scores, 5, true); });

  const std::string tensor_file = dir.path() / "a tensor with a long enough name.pb";
  const std::string tuning_file = dir.path() / "a tuning with a long enough name";
  std::ofstream(tensor_file, std::ios::binary) << onnx_tensor("a name that is longer than a string holds", x).text();
  check_every_allocation("load_tensor", [&] { (void)load_tensor(tensor_file); });
  check_every_allocation("load_datum", [&] { (void)load_datum(tensor_file, ValueKind::tensor); });
  Tuning tuning;
  tuning.blockings["a key that is longer than a string holds"] = {1, 2, 3};
  check_every_allocation("save_tuning", [&] { save_tuning(tuning_file, tuning); });
  check_every_allocation("load_tuning", [&] { (void)load_tuning(tuning_file); });
}

}  // namespace linnet::test::no_memory_test

#endif
