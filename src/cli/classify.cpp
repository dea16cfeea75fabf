// linnet classify: pictures to class labels.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>

#include "base/printable.h"
#include "cli/json.h"
#include "cli/labels.h"
#include "cli/model_folder.h"
#include "cli/plan_options.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "linnet/classify.h"
#include "linnet/convert.h"
#include "linnet/error.h"
#include "linnet/image.h"
#include "linnet/preprocess.h"
#include "linnet/session.h"

namespace linnet::cli {

namespace {

namespace fs = std::filesystem;
struct ClassifyOptions {
  std::string model;
  std::vector<std::string> images;
  std::string labels, preset, softmax = "auto";
  std::map<std::string, std::string> steps;  // preprocessing steps set by hand
  PlanFlags plan;
  int top = 5, batch = 1;
  bool exif = false, json = false;
};

struct ClassifyResult {
  std::string image;
  std::vector<Classification> top;
};

struct Classifier {
  ModelFolder folder;  // of a plain file: only `model`
  std::vector<std::string> images, labels;
  ValueInfo input;                 // the one that takes the pictures
  std::vector<ValueInfo> outputs;  // the model's own
  Preprocessing steps;
};

/// Height and width that a model's only picture input fixes; none where they are open.
std::optional<std::pair<std::int64_t, std::int64_t>> input_size(const ValueInfo& info, Layout layout) {
  if (info.shape.size() != 4) return std::nullopt;
  const std::size_t h = layout == Layout::nhwc ? 1 : 2;
  if (info.shape[h].value < 0 || info.shape[h + 1].value < 0) return std::nullopt;
  return std::pair(info.shape[h].value, info.shape[h + 1].value);
}

constexpr std::int64_t kMostSide = 16384;  // of validate(); the model's may have 63 bits

/// Steps that nobody asked for follow the size that the model fixes: the crop becomes it, and the resize grows with it.
void fit(Preprocessing& steps, std::int64_t height, std::int64_t width) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  const bool cropped = steps.crop_width != 0;
  std::int64_t side = std::max(height, width);
  if (cropped && side <= kMostSide) side = steps.resize_width * side / steps.crop_width;
  if (side > kMostSide) {
    throw Error(
        ErrorCode::unsupported, "the model takes larger pictures than the preset can give",
        {.expected = "at most " + std::to_string(kMostSide) + " pixels a side, before the crop too", .found = size});
  }
  if (!cropped) return set_option(steps, "resize", size);
  set_option(steps, "resize", std::to_string(side));
  const CropOffset rule = steps.crop_offset;
  set_option(steps, "crop", size);
  steps.crop_offset = rule;
}

[[noreturn]] void does_not_fit(const ClassifyOptions& options, const Preprocessing& steps, const ValueInfo& input,
                               const Shape& made) {
  const auto side = [&](std::size_t i) {
    return std::to_string(input.shape[i].value < 0 ? made[i] : input.shape[i].value);
  };
  const auto pictures_have = [&](std::size_t i) { return input.shape[i].value == 1 || input.shape[i].value == 3; };
  const std::size_t h = steps.layout == Layout::nhwc ? 1 : 2;
  const std::size_t c = steps.layout == Layout::nhwc ? 3 : 1;
  std::string hint;
  if (!pictures_have(c) && pictures_have(4 - c)) {
    hint = steps.layout == Layout::nhwc ? "--layout nchw" : "--layout nhwc";
  } else if (input.shape[c].value >= 0 && !pictures_have(c)) {
    throw Error(ErrorCode::unsupported, "pictures give 1 or 3 channels, and the model takes " + side(c),
                {.file = options.model, .where = "input '" + input.name + "'", .found = to_string(input)});
  } else if (input.shape[h].value != made[h] || input.shape[h + 1].value != made[h + 1]) {
    const std::string size = side(h + 1) + "x" + side(h);
    hint = steps.crop_width == 0 ? "--resize " + size : "--crop " + size + ", with a --resize of at least that";
  } else {
    hint = "--channels " + side(c) + " with as many values for --mean and --std";
  }
  throw Error(ErrorCode::usage, "the preset '" + steps.name + "' does not give what the model takes; try " + hint,
              {.file = options.model,
               .where = "input '" + input.name + "'",
               .expected = to_string(input),
               .found = to_string(made)});
}

Preprocessing choose_steps(const ClassifyOptions& options, const ModelFolder& folder, bool is_folder,
                           const ValueInfo& input) {
  std::string name = options.preset;
  const auto guessed = input_size(input, Layout::nchw);
  if (name.empty())
    name = is_folder ? folder.config.preset : (guessed && guessed->first <= 64 ? "cifar10" : "torchvision");
  Preprocessing steps = preset(name);
  for (const auto& [step, value] : options.steps) set_option(steps, step, value);
  const auto wanted = input_size(input, steps.layout);
  const std::size_t h = steps.layout == Layout::nhwc ? 1 : 2;
  const auto differs = [&](std::size_t i) {
    const std::optional<Shape> made = output_shape(steps);
    return made && input.shape[i].value >= 0 && (*made)[i] != input.shape[i].value;
  };
  const bool free =
      options.preset.empty() && !is_folder && !options.steps.contains("resize") && !options.steps.contains("crop");
  if (free && wanted && std::min(wanted->first, wanted->second) > 4 && (differs(h) || differs(h + 1)))
    fit(steps, wanted->first, wanted->second);
  validate(steps);
  if (input.shape.size() == 4 && (differs(1) || differs(2) || differs(3)))
    does_not_fit(options, steps, input, *output_shape(steps));
  return steps;
}

/// Whether these are scores, one row an image: [N,classes], or that with further extents of 1.
bool holds_scores(const Tensor& tensor, std::size_t images) {
  const Shape& shape = tensor.shape();
  const bool is_float =
      tensor.type() == DataType::float32 || tensor.type() == DataType::float16 || tensor.type() == DataType::bfloat16;
  return is_float && shape.size() >= 2 && shape[0] == static_cast<std::int64_t>(images) && shape[1] > 0 &&
         std::all_of(shape.begin() + 2, shape.end(), [](std::int64_t extent) { return extent == 1; });
}

/// The place of the first output with scores.
std::size_t find_scores(const std::vector<Tensor>& outputs, std::size_t images) {
  const auto found =
      std::find_if(outputs.begin(), outputs.end(), [&](const Tensor& tensor) { return holds_scores(tensor, images); });
  if (found != outputs.end()) return static_cast<std::size_t>(found - outputs.begin());
  throw Error(ErrorCode::unsupported, "no output of the model holds a row of scores for each picture",
              {.expected = "float[" + std::to_string(images) + ",classes]",
               .found = std::string(to_string(outputs.at(0).type())) + to_string(outputs.at(0).shape())});
}

/// Whether the network itself makes probabilities of the scores in this output.
bool ends_in_softmax(const Classifier& c, const ValueInfo& output) {
  // What the passes leave of the network may have other operators: the model's own word counts where there is one.
  const auto own =
      std::find_if(c.outputs.begin(), c.outputs.end(), [&](const ValueInfo& info) { return info.name == output.name; });
  return (own == c.outputs.end() ? output : *own).computed_by == "Softmax";
}

/// The model's input from one picture; errors name it.
Tensor load_picture(const ClassifyOptions& options, const Classifier& c, const std::string& path) {
  DecodeOptions decode;
  decode.apply_exif_orientation = options.exif;
  const Image image = load_image(path, decode);
  check_limits(c.folder.config, image, path);
  try {
    return preprocess(image, c.steps);
  } catch (const Error& error) {  // the picture's name belongs to the message
    ErrorDetails details = error.details();
    details.file = path;
    throw Error(error.code(), error.message(), std::move(details));
  }
}

struct Batch {
  std::vector<std::string> images;
  std::vector<Tensor> inputs;  // one an image
};

/// The pictures of a batch that can be had; what is wrong with the others goes to `failures`.
Batch load_batch(const ClassifyOptions& options, const Classifier& c, std::size_t first, std::size_t count,
                 std::vector<Error>& failures) {
  Batch batch;
  for (std::size_t i = first; i < first + count; ++i) {
    try {
      Tensor one = load_picture(options, c, c.images[i]);
      if (!batch.inputs.empty() && one.shape() != batch.inputs[0].shape()) {
        throw Error(
            ErrorCode::image, "pictures of one batch must come out of the same size; use --crop or --batch 1",
            {.file = c.images[i], .expected = to_string(batch.inputs[0].shape()), .found = to_string(one.shape())});
      }
      batch.inputs.push_back(std::move(one));
      batch.images.push_back(c.images[i]);
    } catch (const Error& error) {
      failures.push_back(error);
    }
  }
  return batch;
}

/// [1,...] each -> [rows,...]; rows beyond the pictures repeat the last one.
Tensor stacked(const std::vector<Tensor>& inputs, std::size_t rows) {
  Shape shape = inputs.at(0).shape();
  shape[0] = static_cast<std::int64_t>(rows);
  Tensor batch(DataType::float32, shape);
  auto to = batch.mutable_data<float>().begin();
  for (std::size_t row = 0; row < rows; ++row) {
    const auto from = inputs[std::min(row, inputs.size() - 1)].data<float>();
    to = std::copy(from.begin(), from.end(), to);
  }
  return batch;
}

/// Pictures a run, where the model fixes it.
std::optional<std::size_t> fixed_batch(const ValueInfo& input) {
  if (input.shape.empty() || input.shape[0].value < 1) return std::nullopt;
  return static_cast<std::size_t>(input.shape[0].value);
}

/// The same, with the pictures that met it.
Error about(const Error& error, const std::vector<std::string>& pictures) {
  std::string names;
  for (const std::string& picture : pictures) names += (names.empty() ? "" : ", ") + picture;
  return Error(error.code(), error.message() + " (" + names + ")", error.details());
}

void check_labels(const ClassifyOptions& options, const Classifier& c, std::size_t classes) {
  if (c.labels.empty() || c.labels.size() == classes) return;
  throw Error(ErrorCode::usage, "the labels do not fit the model",
              {.file = options.labels.empty() ? c.folder.labels : options.labels,
               .expected = std::to_string(classes) + " labels",
               .found = std::to_string(c.labels.size())});
}

/// The scores of a batch as float32, a row a picture, and whether they are still to become probabilities.
struct Scores {
  Tensor rows;
  std::size_t classes = 0;
  bool softmax = false;
};

Scores scores_of(const ClassifyOptions& options, const Classifier& c, const Session& session,
                 const std::vector<Tensor>& outputs, std::size_t rows) {
  const std::size_t output = find_scores(outputs, rows);
  Scores scores;
  scores.softmax =
      options.softmax == "yes" || (options.softmax == "auto" && !ends_in_softmax(c, session.plan().outputs()[output]));
  scores.rows = convert(outputs[output], DataType::float32);
  scores.classes = static_cast<std::size_t>(scores.rows.size()) / rows;
  check_labels(options, c, scores.classes);
  return scores;
}

/// What could be classified. Pictures that cannot leave the others alone, unless no picture of this model can.
std::vector<ClassifyResult> classify(const ClassifyOptions& options, const Classifier& c, Session& session,
                                     std::vector<Error>& failures) {
  std::vector<ClassifyResult> results;
  const Progress progress(c.images.size() > 1);
  const std::size_t step = fixed_batch(c.input).value_or(static_cast<std::size_t>(options.batch));
  for (std::size_t first = 0; first < c.images.size(); first += step) {
    const Batch batch = load_batch(options, c, first, std::min(step, c.images.size() - first), failures);
    if (batch.images.empty()) continue;
    const std::size_t rows = fixed_batch(c.input).value_or(batch.images.size());
    std::vector<Tensor> outputs;
    try {
      outputs = session.run({{c.input.name, convert(stacked(batch.inputs, rows), c.input.type)}});
    } catch (const Error& error) {
      failures.push_back(about(error, batch.images));
      continue;
    }
    Scores scores;
    try {
      scores = scores_of(options, c, session, outputs, rows);
    } catch (const Error& error) {
      failures.push_back(about(error, batch.images));
      break;
    }
    for (std::size_t i = 0; i < batch.images.size(); ++i) {
      try {
        const auto row = scores.rows.data<float>().subspan(i * scores.classes, scores.classes);
        results.push_back({batch.images[i], top_k(row, options.top, scores.softmax)});
      } catch (const Error& error) {
        failures.push_back(about(error, {batch.images[i]}));
      }
    }
    progress.show(std::to_string(std::min(first + step, c.images.size())) + " of " + std::to_string(c.images.size()) +
                  " pictures");
  }
  return results;
}

std::string label_of(const Classifier& c, int index) {
  return c.labels.empty() ? "class " + std::to_string(index) : c.labels[static_cast<std::size_t>(index)];
}

void print(const ClassifyOptions& options, const Classifier& c, const std::vector<ClassifyResult>& results) {
  if (options.json) {
    Json list = Json::array();
    for (const ClassifyResult& r : results) {
      Json top = Json::array();
      for (const Classification& k : r.top)
        top.push_back(
            {{"index", k.index}, {"label", label_of(c, k.index)}, {"probability", k.probability}, {"logit", k.logit}});
      list.push_back({{"image", r.image}, {"top", top}});
    }
    const Json json = {
        {"model", options.model}, {"preset", c.steps.name}, {"preprocessing", describe(c.steps)}, {"results", list}};
    write_json(json);
    return;
  }
  for (const ClassifyResult& r : results) {
    std::cout << base::printable(r.image) << '\n';
    for (const Classification& k : r.top) {
      std::cout << "  " << std::fixed << std::setprecision(4) << k.probability << "  " << std::setw(5) << k.index
                << "  " << base::printable(label_of(c, k.index)) << '\n';
    }
  }
  std::cout << "\npreset " << c.steps.name << '\n';
  for (const std::string& line : describe(c.steps)) std::cout << "  " << line << '\n';
}

int run_classify(const ClassifyOptions& options) {
  Classifier c;
  std::error_code ignored;  // what cannot be looked at is left to the loader's own error
  const bool is_folder = fs::is_directory(options.model, ignored);
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
  const auto required =
      std::find_if(model.inputs().begin(), model.inputs().end(), [](const ValueInfo& info) { return !info.optional; });
  if (required == model.inputs().end() || model.outputs().empty())
    throw Error(ErrorCode::usage, "the model takes no picture");
  if (required->type != DataType::float32 && required->type != DataType::float16 &&
      required->type != DataType::bfloat16) {
    throw Error(ErrorCode::unsupported, "pictures are given as floating-point numbers, which the model does not take",
                {.file = options.model, .where = "input '" + required->name + "'", .found = to_string(*required)});
  }
  c.input = *required;
  c.outputs = model.outputs();
  c.steps = choose_steps(options, c.folder, is_folder, c.input);
  Session session(std::move(model), session_options(options.plan));
  std::vector<Error> failures;
  const std::vector<ClassifyResult> results = classify(options, c, session, failures);
  if (options.json || !results.empty()) print(options, c, results);
  for (const Error& error : failures) std::cerr << "linnet: " << error.what() << '\n';
  return failures.empty() ? 0 : exit_code(failures[0].code());
}

}  // namespace

void add_classify(CLI::App& app, Action& action) {
  auto options = std::make_shared<ClassifyOptions>();
  CLI::App* verb =
      app.add_subcommand("classify", "Print the best classes of pictures (JPEG or PNG) with their probabilities.");
  verb->add_option("MODEL", options->model,
                   "An ONNX file, - for standard input, or a folder in modelhub's layout (model/model.onnx, "
                   "model/labels.json, model/config.json, sample_data/).")
      ->required();
  verb->add_option("IMAGE", options->images, "Pictures; of a model folder, sample_data/ by default.");
  verb->add_option("--labels", options->labels, "Class names: modelhub's labels.json, one a line, or synset.txt.");
  std::string presets;
  for (const std::string& name : list_presets()) presets += (presets.empty() ? "" : ", ") + name;
  verb->add_option("--preset", options->preset,
                   "How a picture becomes the input: " + presets +
                       ". Default: the folder's; cifar10 for inputs of up to 64 pixels, else torchvision, both at the "
                       "size that the model fixes.")
      ->check(CLI::IsMember(list_presets()));
  verb->add_option("--top", options->top, "How many classes to print.")
      ->check(number_in(1, 1 << 20))
      ->capture_default_str();
  verb->add_option("--batch", options->batch, "Pictures a run, where the model leaves it open.")
      ->check(number_in(1, 4096))
      ->capture_default_str();
  verb->add_option("--softmax", options->softmax,
                   "Whether to turn scores into probabilities; auto: unless the network ends in Softmax.")
      ->check(CLI::IsMember({"auto", "yes", "no"}))
      ->capture_default_str();
  verb->add_flag("--exif", options->exif, "Turn pictures as their EXIF orientation asks.");
  const std::pair<const char*, const char*> steps[] = {
      {"resize", "none, WxH, or SIDE: the shortest side, the aspect ratio kept."},
      {"filter", "bilinear (as OpenCV) or antialias (as Pillow)."},
      {"crop", "none, SIDE or WxH: a centred window, at half of what is left over, rounded down."},
      {"scale", "What pixel values are multiplied by: 1/255 or a number."},
      {"mean", "Subtracted after scaling: one number, or one a channel with commas."},
      {"std", "Divided by: the same."},
      {"color", "rgb or bgr."},
      {"layout", "nchw or nhwc."},
      {"channels", "3 or 1."}};
  for (const auto& [step, help] : steps) {
    verb->add_option_function<std::string>(
        std::string("--") + step,
        [options, name = std::string(step)](const std::string& value) { options->steps[name] = value; }, help);
  }
  verb->add_flag("--json", options->json, "Print one JSON object: model, preset, results.");
  add_plan_flags(*verb, options->plan);
  verb->callback([options, &action] { action = [options] { return run_classify(*options); }; });
}

}  // namespace linnet::cli
