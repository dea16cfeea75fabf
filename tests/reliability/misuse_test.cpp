// Objects and tensors that a caller uses wrongly: each is refused, and none gives a wrong answer.
#include <algorithm>
#include <limits>

#include "reliability/hostile.h"

namespace linnet::test::misuse_test {

namespace {

OnnxModel model_with_outputs(const std::vector<OnnxNode>& nodes, const std::vector<Input>& inputs,
                             const std::vector<Input>& outputs) {
  OnnxModel model;
  model.graph.name("g");
  for (const OnnxNode& node : nodes) model.graph.node(node);
  for (const Input& input : inputs) model.graph.input(input.name, input.type, input.dims);
  for (const Input& output : outputs) model.graph.output(output.name, output.type, output.dims);
  return model;
}

Tensor indices(std::int64_t first, std::int64_t second) { return tensor<std::int64_t>({2}, {first, second}); }

}  // namespace

TEST_CASE("faults of several steps refuse one run and not the next") {
  const auto file = model_with_outputs({OnnxNode("Gather", {"x", "i"}, {"a"}), OnnxNode("Gather", {"x", "j"}, {"b"})},
                                       {{"x", {4}}, {"i", {2}, DataType::int64}, {"j", {2}, DataType::int64}},
                                       {{"a", {2}}, {"b", {2}}})
                        .bytes();
  Session session(Model::load(file), one_thread());
  const Tensor x = tensor<float>({4}, {1, 2, 3, 4});
  const auto refused = error_of([&] { (void)session.run({{"x", x}, {"i", indices(0, 99)}, {"j", indices(0, 99)}}); });
  REQUIRE(refused.has_value());
  CHECK(refused->code() == ErrorCode::input);
  CHECK(floats(session.run({{"x", x}, {"i", indices(0, 1)}, {"j", indices(2, 3)}}).at(1)) == std::vector<float>{3, 4});
}

TEST_CASE("an output in the memory of an input that another output passes on") {
  const std::vector<float> values = {-1, 2, -3, 4}, rectified = {0, 2, 0, 4};
  // Planned, and with a shape that depends on the data, so that a program runs it.
  for (const bool planned : {true, false}) {
    std::vector<OnnxNode> nodes = {OnnxNode("Relu", {"x"}, {"a"}), OnnxNode("Identity", {"x"}, {"b"})};
    std::vector<Input> infos = {{"a", {4}}, {"b", {4}}};
    if (!planned) {
      nodes.push_back(OnnxNode("NonZero", {"x"}, {"c"}));
      infos.push_back({"c", {1, "n"}, DataType::int64});
    }
    const auto file = model_with_outputs(nodes, {{"x", {4}}}, infos).bytes();
    Session session(Model::load(file), one_thread());
    for (int k = 0; k < 2; ++k) {
      const Tensor x = tensor<float>({4}, values);
      std::vector<Tensor> outputs = {x, Tensor(DataType::float32, {4})};
      if (!planned) outputs.emplace_back(DataType::int64, Shape{1, 4});
      const std::vector<NamedTensor> inputs = {{"x", x}};
      session.run(inputs, outputs);
      CHECK(floats(outputs[0]) == rectified);
      CHECK(floats(outputs[1]) == values);
    }
  }
}

TEST_CASE("an output that lies partly in the memory of an input that another passes on") {
  const auto file =
      model_with_outputs({OnnxNode("Concat", {"x", "x"}, {"a"}).set("axis", 0), OnnxNode("Identity", {"x"}, {"b"})},
                         {{"x", {4}}}, {{"a", {8}}, {"b", {4}}})
          .bytes();
  Session session(Model::load(file), one_thread());
  for (const std::ptrdiff_t shift : {0, 1, 3, 4}) {
    Tensor memory(DataType::float32, {8});
    const std::vector<float> values = {1, 2, 3, 4};
    std::copy(values.begin(), values.end(), memory.mutable_data<float>().begin() + shift);
    const std::vector<NamedTensor> inputs = {
        {"x", Tensor::view(DataType::float32, {4}, memory.data<float>().data() + shift)}};
    std::vector<Tensor> outputs = {memory, Tensor(DataType::float32, {4})};
    session.run(inputs, outputs);
    CHECK(floats(outputs[0]) == std::vector<float>{1, 2, 3, 4, 1, 2, 3, 4});
    CHECK(floats(outputs[1]) == values);
  }
}

TEST_CASE("two outputs in the same memory are refused") {
  // Planned, and with a shape that depends on the data, so that a program runs it.
  for (const bool planned : {true, false}) {
    std::vector<OnnxNode> nodes = {OnnxNode("Relu", {"x"}, {"a"}), OnnxNode("Neg", {"x"}, {"b"})};
    std::vector<Input> infos = {{"a", {4}}, {"b", {4}}};
    if (!planned) {
      nodes.push_back(OnnxNode("NonZero", {"x"}, {"c"}));
      infos.push_back({"c", {1, "n"}, DataType::int64});
    }
    const auto file = model_with_outputs(nodes, {{"x", {4}}}, infos).bytes();
    Session session(Model::load(file), one_thread());
    const std::vector<NamedTensor> inputs = {{"x", tensor<float>({4}, {-1, 2, -3, 4})}};
    const Tensor counted(DataType::int64, {1, 4});
    std::vector<Tensor> outputs(2, Tensor(DataType::float32, {4}));
    if (!planned) outputs.push_back(counted);
    CHECK_REFUSED([&] { session.run(inputs, outputs); }, ErrorCode::input, "same memory", "'a'", "'b'");
    outputs[1] = Tensor(DataType::float32, {4});
    session.run(inputs, outputs);
    CHECK(floats(outputs[0]) == std::vector<float>{0, 2, 0, 4});
    CHECK(floats(outputs[1]) == std::vector<float>{1, -2, 3, -4});
  }
}

TEST_CASE("a bool other than 0 and 1 is refused") {
  const std::uint8_t bytes[] = {0, 1, 2, 1};
  const Tensor wrong = Tensor::view(DataType::boolean, {4}, bytes);
  const Tensor right = Tensor(DataType::boolean, {4});
  const auto planned =
      model_of({OnnxNode("And", {"p", "q"}, {"y"})}, {{"p", {4}, DataType::boolean}, {"q", {4}, DataType::boolean}})
          .bytes();
  const auto by_program =
      model_of({OnnxNode("Compress", {"x", "q"}, {"y"})}, {{"x", {4}}, {"q", {4}, DataType::boolean}}).bytes();
  Session session(Model::load(planned), one_thread()), program(Model::load(by_program), one_thread());
  CHECK_REFUSED(
      [&] {
        (void)session.run({{"p", right}, {"q", wrong}});
      },
      ErrorCode::input, "'q'", "element 2", "0 or 1", "found 2");
  CHECK_REFUSED(
      [&] {
        (void)program.run_data({{"x", floats_of({4})}, {"q", wrong}});
      },
      ErrorCode::input, "'q'", "element 2", "0 or 1", "found 2");
  CHECK(session.run({{"p", right}, {"q", right}}).size() == 1);
  CHECK(program.run_data({{"x", floats_of({4})}, {"q", right}}).size() == 1);
}

TEST_CASE("elements that are not there are no tensor, whoever is to own them") {
  CHECK_REFUSED([] { (void)Tensor::share(DataType::float32, {4}, nullptr, {}); }, ErrorCode::usage, "null");
  CHECK(Tensor::share(DataType::float32, {0, 4}, nullptr, {}).size() == 0);
}

// NOLINTBEGIN(bugprone-use-after-move): that is what is tested.
TEST_CASE("a tensor that was moved from is a tensor of nothing") {
  Tensor x = floats_of({1 << 20});
  const Tensor y = std::move(x);
  CHECK(y.size() == 1 << 20);
  CHECK(x.type() == DataType::undefined);
  CHECK(x.size() == 0);
  CHECK(x.shape().empty());
  CHECK(x.raw() == nullptr);
  CHECK_REFUSED([&] { (void)x.mutable_data<float>(); }, ErrorCode::usage, "type");
  Tensor z = floats_of({2});
  x = std::move(z);
  CHECK(floats(x) == std::vector<float>{1, 1});
  CHECK(z.size() == 0);
  const auto file = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {"N"}}}).bytes();
  Session session(Model::load(file), one_thread());
  CHECK_REFUSED([&] { (void)session.run(z); }, ErrorCode::input, "'x'");
}

TEST_CASE("a plan that was moved from is refused, not followed") {
  const auto file = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {"N"}}}).bytes();
  Plan plan(Model::load(file), one_thread());
  const Plan moved = std::move(plan);
  CHECK_REFUSED([&] { (void)plan.inputs(); }, ErrorCode::usage, "moved");
  CHECK_REFUSED([&] { (void)plan.report(); }, ErrorCode::usage, "moved");
  CHECK_REFUSED([&] { (void)Session(plan); }, ErrorCode::usage, "moved");
  CHECK(Session(moved).run(floats_of({2})).size() == 1);
}

TEST_CASE("a model that was moved from is refused, not followed") {
  const auto file = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {"N"}}}).bytes();
  Model model = Model::load(file);
  const Model moved = std::move(model);
  CHECK_REFUSED([&] { (void)model.inputs(); }, ErrorCode::usage, "moved");
  CHECK_REFUSED([&] { (void)model.summary(); }, ErrorCode::usage, "moved");
  CHECK_REFUSED([&] { (void)Plan(model, one_thread()); }, ErrorCode::usage, "moved");
  CHECK_REFUSED([&] { (void)Session(model, one_thread()); }, ErrorCode::usage, "moved");
  CHECK_REFUSED([&] { (void)tune(model, one_thread()); }, ErrorCode::usage, "moved");
  CHECK(moved.inputs().size() == 1);
}
// NOLINTEND(bugprone-use-after-move)

TEST_CASE("a picture whose pixels are not as many as its size says is turned nowhere") {
  const auto picture = [](int width, int height, int channels, std::size_t bytes) {
    Image image;
    image.width = width;
    image.height = height;
    image.channels = channels;
    image.pixels.resize(bytes);
    return image;
  };
  const int most = std::numeric_limits<int>::max();
  for (const Image& image :
       {picture(100'000, 1000, 3, 0), picture(10, 10, 3, 5), picture(1, 1, -1, 5), picture(-2, -3, 1, 6),
        picture(0, 0, 3, 0), picture(2, 2, 5, 20), picture(most, most, 4, 4), picture(2, 2, 3, 13)}) {
    CHECK_REFUSED([&] { (void)oriented(image, 6); }, ErrorCode::image, "pixels");
    CHECK_REFUSED([&] { (void)preprocess(image, preset("cifar10")); }, ErrorCode::image, "pixels");
  }
  CHECK(oriented(picture(2, 3, 3, 18), 6).width == 3);
}

TEST_CASE("options that make no sense are refused before they are used") {
  for (const int threads : {-1, 0, 1025, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()})
    CHECK_REFUSED([&] { (void)measure_peak_gflops(threads, 1); }, ErrorCode::usage, "threads");
  for (const double milliseconds : {-1.0, 1e300, static_cast<double>(kNan), static_cast<double>(kInfinity)})
    CHECK_REFUSED([&] { (void)measure_peak_gflops(1, milliseconds); }, ErrorCode::usage, "milliseconds");
  CHECK(measure_peak_gflops(1, 0) >= 0);
  const auto file = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {"N"}}}).bytes();
  for (const std::int64_t limit : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    const std::pair<std::int64_t SessionOptions::*, const char*> of_sessions[] = {
        {&SessionOptions::max_arena_bytes, "max_arena_bytes"},
        {&SessionOptions::max_loop_trips, "max_loop_trips"},
        {&SessionOptions::max_folded_bytes, "max_folded_bytes"}};
    for (const auto& [member, name] : of_sessions) {
      SessionOptions options = one_thread();
      options.*member = limit;
      CHECK_REFUSED([&] { (void)Plan(Model::load(file), options); }, ErrorCode::usage, name);
    }
    const std::pair<std::int64_t LoadOptions::*, const char*> of_loading[] = {
        {&LoadOptions::max_file_bytes, "max_file_bytes"}, {&LoadOptions::max_object_bytes, "max_object_bytes"},
        {&LoadOptions::max_nodes, "max_nodes"},           {&LoadOptions::max_tensor_bytes, "max_tensor_bytes"},
        {&LoadOptions::max_call_nodes, "max_call_nodes"}, {&LoadOptions::max_name_bytes, "max_name_bytes"},
        {&LoadOptions::max_attributes, "max_attributes"}, {&LoadOptions::max_attribute_bytes, "max_attribute_bytes"}};
    for (const auto& [member, name] : of_loading) {
      LoadOptions options;
      options.*member = limit;
      CHECK_REFUSED([&] { (void)Model::load(file, options); }, ErrorCode::usage, name);
      CHECK_REFUSED([&] { (void)Model::load("no such file", options); }, ErrorCode::usage, name);
    }
  }
  for (const auto& [member, name] :
       {std::pair(&LoadOptions::max_rank, "max_rank"), {&LoadOptions::max_depth, "max_depth"}}) {
    LoadOptions options;
    options.*member = -1;
    CHECK_REFUSED([&] { (void)Model::load(file, options); }, ErrorCode::usage, name);
  }
  SessionOptions options = one_thread();
  options.convolution = Convolution{77};
  CHECK_REFUSED([&] { (void)Plan(Model::load(file), options); }, ErrorCode::usage, "convolution", "77");
}

TEST_CASE("tuning that could not be read again is not written") {
  const std::string file = "/dev/null";
  CHECK_REFUSED([&] { save_tuning(file, {}); }, ErrorCode::io, file, "a regular file");
  const std::vector<std::pair<std::string, Blocking>> wrong = {
      {"", {1, 2, 3}}, {"two\nlines", {1, 2, 3}}, {"negative", {-1, 2, 3}}, {"large", {1, 2, (1 << 20) + 1}}};
  for (const auto& [key, blocking] : wrong) {
    Tuning tuning;
    tuning.blockings[key] = blocking;
    CHECK_REFUSED([&] { save_tuning("/nonexistent/tuning", tuning); }, ErrorCode::usage, "load_tuning");
  }
}

}  // namespace linnet::test::misuse_test
