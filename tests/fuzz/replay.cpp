// Runs a target on files, or on all files of folders, without libFuzzer: what a fuzzer once found, any compiler can check.
// With --mutate it goes on for so many seconds with mutations of them, blindly, but with the mutator of models.
//
//   replay_load corpus/load seeds/model
//   replay_load --mutate 60 seeds/model         the input that ends the program is left in replay_load.last
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/graph_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::string;

void run(const Input& input) {
  // Exactly its size, so that a sanitizer sees a read beyond its end.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  (void)LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::vector<Input> read_inputs(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  } else {
    files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> inputs;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return inputs;
}

Input damaged(Input input, std::mt19937& random) {
  for (unsigned i = 1 + random() % 4; i > 0 && !input.empty(); --i) {
    const std::size_t at = random() % input.size();
    switch (random() % 4) {
      case 0: input[at] = static_cast<char>(random()); break;
      case 1: input[at] = static_cast<char>(input[at] ^ 1 << random() % 8); break;
      case 2: input.erase(at, 1 + random() % 8); break;
      default: input.insert(at, 1, static_cast<char>(random()));
    }
  }
  return input;
}

std::size_t mutate(const std::vector<Input>& inputs, double seconds, const std::string& last) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::mt19937 random(std::random_device{}());
  std::size_t count = 0;
  for (; std::chrono::steady_clock::now() < end; ++count) {
    const Input& start = inputs[random() % inputs.size()];
    Input input = random() % 4 == 0 ? damaged(start, random)
                                    : linnet::fuzz::mutate_model(start, static_cast<std::uint32_t>(random()));
    if (input == start) input = damaged(start, random);
    std::ofstream(last, std::ios::binary) << input;
    run(input);
  }
  std::filesystem::remove(last);
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 0;
  std::vector<Input> inputs;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--mutate" && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
      continue;
    }
    for (Input& input : read_inputs(argv[i])) inputs.push_back(std::move(input));
  }
  if (inputs.empty()) {
    std::fprintf(stderr, "no inputs\n");
    return 2;
  }
  for (const Input& input : inputs) run(input);
  std::size_t mutations = 0;
  if (seconds > 0) mutations = mutate(inputs, seconds, std::filesystem::path(argv[0]).filename().string() + ".last");
  std::printf("%zu inputs, %zu mutations\n", inputs.size(), mutations);
  return 0;
}
