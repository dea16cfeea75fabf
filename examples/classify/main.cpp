// Classifies several pictures in one batch and names the classes, where the model brings their names along:
//
//   classify_pictures MODEL.onnx PRESET PICTURE...
#include <linnet/linnet.h>

#include <iomanip>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace {

// The names of the classes from the model's metadata, "cat,dog,..." under the key `labels`; none if there are none.
std::vector<std::string> labels_of(const linnet::Model& model) {
  std::vector<std::string> labels;
  for (const auto& [key, value] : model.summary().metadata) {
    if (key != "labels") continue;
    std::istringstream names(value);
    for (std::string name; std::getline(names, name, ',');) labels.push_back(name);
  }
  return labels;
}

// All pictures as one tensor [N,...], each prepared in its own slot: nothing is copied twice.
linnet::Tensor load_batch(std::span<char*> paths, const linnet::Preprocessing& steps) {
  linnet::Tensor batch;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const linnet::Image picture = linnet::load_image(paths[i]);
    if (i == 0) {
      linnet::Shape shape = linnet::output_shape(steps, picture.width, picture.height);
      shape[0] = static_cast<std::int64_t>(paths.size());
      batch = linnet::Tensor(linnet::DataType::float32, shape);
    }
    const std::span<float> all = batch.mutable_data<float>();
    const std::size_t slot = all.size() / paths.size();
    linnet::preprocess_into(picture, steps, all.subspan(i * slot, slot));
  }
  return batch;
}

int run(std::span<char*> arguments) {
  const linnet::Model model = linnet::Model::load(arguments[1]);
  const std::span<char*> paths = arguments.subspan(3);
  const linnet::Tensor batch = load_batch(paths, linnet::preset(arguments[2]));

  linnet::Session session(model);
  const linnet::Tensor scores = session.run(batch).at(0);  // [N,classes]
  const std::span<const float> all = scores.data<float>();
  const std::size_t classes = all.size() / paths.size();

  const std::vector<std::string> labels = labels_of(model);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const linnet::Classification best = linnet::top_k(all.subspan(i * classes, classes), 1, true).front();
    const auto index = static_cast<std::size_t>(best.index);
    std::cout << paths[i] << ": " << (index < labels.size() ? labels[index] : "class " + std::to_string(index)) << ' '
              << std::fixed << std::setprecision(3) << best.probability << '\n';
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: classify_pictures MODEL.onnx PRESET PICTURE...\n";
    return linnet::exit_code(linnet::ErrorCode::usage);
  }
  try {
    return run({argv, static_cast<std::size_t>(argc)});
  } catch (const linnet::Error& error) {
    std::cerr << error.what() << '\n';
    return linnet::exit_code(error.code());
  }
}
