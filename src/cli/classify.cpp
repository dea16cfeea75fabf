// linnet classify: pictures to class labels.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/labels.h"
#include "cli/model_folder.h"
#include "cli/plan_options.h"
#include "cli/verbs.h"
#include "linnet/classify.h"
#include "linnet/error.h"
#include "linnet/image.h"
#include "linnet/preprocess.h"
#include "linnet/session.h"

namespace linnet::cli {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
  std::string model;
  std::vector<std::string> images;
  std::string labels, preset, softmax = "auto";
  std::map<std::string, std::string> steps;  // preprocessing steps set by hand
  PlanFlags plan;
  int top = 5, batch = 1;
  bool exif = false, json = false;
};

struct Result {
  std::string image;
  std::vector<Classification> top;
};

struct Classifier {
  ModelFolder folder;             // of a plain file: only `model`
  std::vector<std::string> images, labels;
  Preprocessing steps;
  bool softmax = true;
};

/// Height and width that a model's only picture input fixes; none where they are open.
std::optional<std::pair<std::int64_t, std::int64_t>> input_size(const ValueInfo& info, Layout layout) {
  if (info.shape.size() != 4) return std::nullopt;
  const std::size_t h = layout == Layout::nhwc ? 1 : 2;
  if (info.shape[h].value < 0 || info.shape[h + 1].value < 0) return std::nullopt;
  return std::pair(info.shape[h].value, info.shape[h + 1].value);
}

Preprocessing choose_steps(const Options& options, const ModelFolder& folder, bool is_folder, const ValueInfo& input) {
  std::string name = options.preset;
  const auto size = input_size(input, Layout::nchw);
  if (name.empty()) name = is_folder ? folder.preset : (size && size->first <= 64 ? "cifar10" : "torchvision");
  Preprocessing steps = preset(name);
  for (const auto& [step, value] : options.steps) set_option(steps, step, value);
  validate(steps);
  const auto wanted = input_size(input, steps.layout);
  const std::optional<Shape> made = output_shape(steps);
  if (wanted && made) {
    const std::size_t h = steps.layout == Layout::nhwc ? 1 : 2;
    if ((*made)[h] != wanted->first || (*made)[h + 1] != wanted->second) {
      const std::string side = std::to_string(wanted->second) + "x" + std::to_string(wanted->first);
      throw Error(ErrorCode::usage, "the preset '" + steps.name + "' does not give the size that the model takes; try --crop " + side,
                  {.file = options.model, .node = {}, .op = {}, .where = "input '" + input.name + "'", .expected = to_string(input), .found = to_string(*made)});
    }
  }
  return steps;
}

void show_progress(std::size_t done, std::size_t all) {
  if (isatty(STDERR_FILENO) == 0 || all < 2) return;
  std::cerr << '\r' << done << " of " << all << " pictures" << (done == all ? "\r\033[K" : "") << std::flush;
}

/// Rows of scores, one an image, from an output [N, classes] or [N, classes, 1, 1].
std::span<const float> row_of(const Tensor& scores, std::int64_t images, std::int64_t i) {
  if (scores.type() != DataType::float32 || scores.rank() == 0 || images == 0 || scores.size() % images != 0) {
    throw Error(ErrorCode::unsupported, "the model's first output holds no row of float scores an image",
                {.file = {}, .node = {}, .op = {}, .where = {}, .expected = "float[N,classes]", .found = std::string(to_string(scores.type())) + to_string(scores.shape())});
  }
  const std::int64_t classes = scores.size() / images;
  return scores.data<float>().subspan(static_cast<std::size_t>(i * classes), static_cast<std::size_t>(classes));
}

Tensor load_batch(const Options& options, const Classifier& c, std::size_t first, std::size_t count) {
  Tensor batch;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& path = c.images[first + i];
    DecodeOptions decode;
    decode.apply_exif_orientation = options.exif;
    const Image image = load_image(path, decode);
    check_limits(c.folder, image, path);
    Tensor one;
    try {
      one = preprocess(image, c.steps);
    } catch (const Error& error) {  // the picture's name belongs to the message
      ErrorDetails details = error.details();
      details.file = path;
      throw Error(error.code(), error.message(), std::move(details));
    }
    if (i == 0) {
      Shape shape = one.shape();
      shape[0] = static_cast<std::int64_t>(count);
      batch = Tensor(DataType::float32, shape);
    } else if (!std::equal(one.shape().begin() + 1, one.shape().end(), batch.shape().begin() + 1)) {
      throw Error(ErrorCode::image, "pictures of one batch must come out of the same size; use --crop or --batch 1",
                  {.file = path, .node = {}, .op = {}, .where = {}, .expected = to_string(batch.shape()), .found = to_string(one.shape())});
    }
    const std::span<const float> from = one.data<float>();
    std::copy(from.begin(), from.end(), batch.mutable_data<float>().begin() + static_cast<std::ptrdiff_t>(i * from.size()));
  }
  return batch;
}

std::vector<Result> classify(const Options& options, const Classifier& c, Session& session) {
  std::vector<Result> results;
  const auto step = static_cast<std::size_t>(options.batch);
  for (std::size_t first = 0; first < c.images.size(); first += step) {
    const std::size_t count = std::min(step, c.images.size() - first);
    const std::vector<Tensor> outputs = session.run(load_batch(options, c, first, count));
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<const float> scores = row_of(outputs.at(0), static_cast<std::int64_t>(count), static_cast<std::int64_t>(i));
      if (!c.labels.empty() && c.labels.size() != scores.size()) {
        throw Error(ErrorCode::usage, "the labels do not fit the model",
                    {.file = options.labels.empty() ? c.folder.labels : options.labels, .node = {}, .op = {}, .where = {},
                     .expected = std::to_string(scores.size()) + " labels", .found = std::to_string(c.labels.size())});
      }
      results.push_back({c.images[first + i], top_k(scores, options.top, c.softmax)});
    }
    show_progress(first + count, c.images.size());
  }
  return results;
}

std::string label_of(const Classifier& c, int index) {
  return c.labels.empty() ? "class " + std::to_string(index) : c.labels[static_cast<std::size_t>(index)];
}

void print(const Options& options, const Classifier& c, const std::vector<Result>& results) {
  if (options.json) {
    Json list = Json::array();
    for (const Result& r : results) {
      Json top = Json::array();
      for (const Classification& k : r.top) top.push_back({{"index", k.index}, {"label", label_of(c, k.index)}, {"probability", k.probability}, {"logit", k.logit}});
      list.push_back({{"image", r.image}, {"top", top}});
    }
    const Json json = {{"model", options.model}, {"preset", c.steps.name}, {"preprocessing", describe(c.steps)}, {"results", list}};
    std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return;
  }
  for (const Result& r : results) {
    std::cout << r.image << '\n';
    for (const Classification& k : r.top) {
      std::cout << "  " << std::fixed << std::setprecision(4) << k.probability << "  " << std::setw(5) << k.index << "  " << label_of(c, k.index) << '\n';
    }
  }
  std::cout << "\npreset " << c.steps.name << '\n';
  for (const std::string& line : describe(c.steps)) std::cout << "  " << line << '\n';
}

int run(const Options& options) {
  Classifier c;
  const bool is_folder = fs::is_directory(options.model);
  if (is_folder) {
    c.folder = read_model_folder(options.model);
  } else {
    c.folder.model = options.model;
  }
  c.images = options.images.empty() ? c.folder.samples : options.images;
  if (c.images.empty()) throw Error(ErrorCode::usage, "no pictures to classify; give at least one JPEG or PNG file");
  const std::string labels = options.labels.empty() ? c.folder.labels : options.labels;
  if (!labels.empty()) c.labels = load_labels(labels);
  Model model = Model::load(c.folder.model);
  const auto required = std::find_if(model.inputs().begin(), model.inputs().end(), [](const ValueInfo& info) { return !info.optional; });
  if (required == model.inputs().end() || model.outputs().empty()) throw Error(ErrorCode::usage, "the model takes no picture");
  c.steps = choose_steps(options, c.folder, is_folder, *required);
  // A network that ends in Softmax gives probabilities already.
  c.softmax = options.softmax == "yes" || (options.softmax == "auto" && model.outputs()[0].computed_by != "Softmax");
  Session session(std::move(model), session_options(options.plan));
  print(options, c, classify(options, c, session));
  return 0;
}

}  // namespace

void add_classify(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("classify", "Print the best classes of pictures (JPEG or PNG) with their probabilities.");
  verb->add_option("MODEL", options->model, "An ONNX file, - for standard input, or a folder in modelhub's layout (model/model.onnx, model/labels.json, model/config.json, sample_data/).")
      ->required();
  verb->add_option("IMAGE", options->images, "Pictures; of a model folder, sample_data/ by default.");
  verb->add_option("--labels", options->labels, "Class names: modelhub's labels.json, one a line, or synset.txt.");
  std::string presets;
  for (const std::string& name : list_presets()) presets += (presets.empty() ? "" : ", ") + name;
  verb->add_option("--preset", options->preset, "How a picture becomes the input: " + presets + ". Default: the folder's; cifar10 for inputs of up to 64 pixels; else torchvision.");
  verb->add_option("--top", options->top, "How many classes to print.")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  verb->add_option("--batch", options->batch, "Pictures a run.")->check(CLI::Range(1, 4096))->capture_default_str();
  verb->add_option("--softmax", options->softmax, "Whether to turn scores into probabilities; auto: unless the network ends in Softmax.")
      ->check(CLI::IsMember({"auto", "yes", "no"}))
      ->capture_default_str();
  verb->add_flag("--exif", options->exif, "Turn pictures as their EXIF orientation asks.");
  const std::pair<const char*, const char*> steps[] = {{"resize", "none, WxH, or SIDE: the shortest side, the aspect ratio kept."},
                                                       {"filter", "bilinear (as OpenCV) or antialias (as Pillow)."},
                                                       {"crop", "none, SIDE or WxH: a centred window."},
                                                       {"scale", "What pixel values are multiplied by: 1/255 or a number."},
                                                       {"mean", "Subtracted after scaling: one number, or one a channel with commas."},
                                                       {"std", "Divided by: the same."},
                                                       {"color", "rgb or bgr."},
                                                       {"layout", "nchw or nhwc."},
                                                       {"channels", "3 or 1."}};
  for (const auto& [step, help] : steps) {
    verb->add_option_function<std::string>(std::string("--") + step, [options, name = std::string(step)](const std::string& value) { options->steps[name] = value; }, help);
  }
  verb->add_flag("--json", options->json, "Print one JSON object: model, preset, results.");
  add_plan_flags(*verb, options->plan);
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace linnet::cli
