// Classifies a picture: minimal MODEL.onnx PICTURE [PRESET]
#include <linnet/linnet.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::cerr << "usage: minimal MODEL.onnx PICTURE [modelhub|torchvision|onnx-zoo|cifar10]\n";
    return 2;
  }
  linnet::Session session(linnet::Model::load(argv[1]));
  const linnet::Image picture = linnet::load_image(argv[2]);
  const linnet::Tensor input = linnet::preprocess(picture, linnet::preset(argc > 3 ? argv[3] : "torchvision"));
  const linnet::Tensor scores = session.run(input).at(0);
  for (const linnet::Classification& best : linnet::top_k(scores.data<float>(), 5, true)) {
    std::cout << "class " << best.index << ": " << best.probability << '\n';
  }
  return 0;
} catch (const linnet::Error& error) {
  std::cerr << error.what() << '\n';
  return linnet::exit_code(error.code());
}
