#include "cli/labels.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "base/printable.h"
#include "cli/text_file.h"
#include "linnet/error.h"

namespace linnet::cli {

namespace {

[[noreturn]] void refuse(std::string message, ErrorDetails details = {}) {
  throw Error(ErrorCode::format, std::move(message), std::move(details));
}

std::string class_name(std::size_t index) { return "class " + std::to_string(index); }

// Labels that arrive with their index, in any order.
class IndexedLabels {
 public:
  void set(std::size_t index, std::string label) {
    if (index >= kMaxLabels) {
      throw Error(ErrorCode::limit, "a label file with too large an index",
                  {.expected = "below " + std::to_string(kMaxLabels), .found = std::to_string(index)});
    }
    entries_.emplace_back(index, std::move(label));
  }
  void append(std::string label) { set(entries_.size(), std::move(label)); }

  std::vector<std::string> take() {
    std::stable_sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> labels;
    for (auto& [index, label] : entries_) {
      if (index < labels.size()) refuse("a label file names a class twice", {.where = class_name(index)});
      if (index > labels.size()) refuse("a label file leaves out a class", {.where = class_name(labels.size())});
      labels.push_back(std::move(label));
    }
    return labels;
  }

 private:
  std::vector<std::pair<std::size_t, std::string>> entries_;  // kept apart until the end: one index may be 10^6 away
};

std::optional<std::size_t> parse_index(std::string_view text) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  const bool canonical = text.size() == 1 || (!text.empty() && text.front() != '0');
  if (error != std::errc() || end != text.data() + text.size() || !canonical) return std::nullopt;
  return index;
}

// --- JSON: event by event, because a parsed document would have dropped all but one of several equal keys ------------------

class LabelEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit LabelEvents(IndexedLabels& labels) : labels_(labels) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return unexpected("a number"); }
  bool number_unsigned(number_unsigned_t) override { return unexpected("a number"); }
  bool number_float(number_float_t, const string_t&) override { return unexpected("a number"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool string(string_t& value) override {
    if (depth_ == 0) return unexpected("one string");
    if (key_) labels_.set(*std::exchange(key_, std::nullopt), std::move(value));
    else labels_.append(std::move(value));
    return true;
  }
  bool start_object(std::size_t) override { return open("an object inside"); }
  bool start_array(std::size_t) override { return open("an array inside"); }
  bool end_object() override { return true; }
  bool end_array() override { return true; }
  bool key(string_t& text) override {
    key_ = parse_index(text);
    if (!key_)
      refuse("a label file with a key that is no class index",
             {.expected = "\"0\", \"1\", ...", .found = "another key"});
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    refuse("a label file that is not valid JSON", {.where = "byte " + std::to_string(position)});
  }

 private:
  [[noreturn]] static bool unexpected(const char* found) {
    refuse("a label file of an unknown form", {.expected = "strings in one object or array", .found = found});
  }
  bool open(const char* found) {
    if (++depth_ > 1) unexpected(found);
    return true;
  }

  IndexedLabels& labels_;
  int depth_ = 0;
  std::optional<std::size_t> key_;
};

std::vector<std::string> parse_json_labels(std::string_view text) {
  IndexedLabels labels;
  LabelEvents events(labels);
  nlohmann::json::sax_parse(text.begin(), text.end(), &events);
  return labels.take();
}

// --- Python's dict: {0: 'a', 1: "b"} ------------------------------------------------------------------------------------

class DictReader {
 public:
  explicit DictReader(std::string_view text) : text_(text) {}

  std::vector<std::string> run() {
    IndexedLabels labels;
    expect('{');
    while (peek() != '}') {
      const std::size_t index = read_index();
      expect(':');
      labels.set(index, read_string());
      if (peek() != '}') expect(',');
    }
    expect('}');
    if (peek() != '\0') fail("nothing after '}'");
    return labels.take();
  }

 private:
  [[noreturn]] void fail(std::string expected) const {
    refuse("a label file that is not a valid Python dict",
           {.where = "byte " + std::to_string(at_), .expected = std::move(expected)});
  }

  // The next character that is not white space; '\0' at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  void expect(char c) {
    if (peek() != c) fail(std::string("'") + c + "'");
    ++at_;
  }

  std::size_t read_index() {
    (void)peek();
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    const std::optional<std::size_t> index = parse_index(text_.substr(begin, at_ - begin));
    if (!index) fail("a class index");
    return *index;
  }

  std::string read_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("a quoted label");
    std::string label;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\') {
        const char next = ++at_ < text_.size() ? text_[at_] : '\0';
        if (next != '\\' && next != '\'' && next != '"') fail("no escape but \\\\, \\' and \\\"");
      }
      label += text_[at_];
    }
    if (at_ >= text_.size()) fail("the end of a quoted label");
    ++at_;
    return label;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// --- one class a line -----------------------------------------------------------------------------------------------------

bool has_wordnet_id(std::string_view line) {
  constexpr std::size_t kIdSize = 9;  // n01440764
  return line.size() > kIdSize + 1 && line[0] == 'n' && line[kIdSize] == ' ' &&
         std::all_of(line.begin() + 1, line.begin() + kIdSize, [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> parse_lines(std::string_view text) {
  std::vector<std::string> labels;
  std::size_t first_empty = 0;  // the line's number, from 1
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (line.empty()) {
      if (first_empty == 0) first_empty = number;
      continue;
    }
    if (first_empty != 0)
      refuse("a label file with an empty line between others", {.where = "line " + std::to_string(first_empty)});
    if (labels.size() == kMaxLabels) {
      throw Error(ErrorCode::limit, "a label file with too many lines",
                  {.expected = "at most " + std::to_string(kMaxLabels)});
    }
    labels.emplace_back(line);
  }
  if (std::all_of(labels.begin(), labels.end(), has_wordnet_id)) {
    for (std::string& label : labels) label.erase(0, 10);
  }
  return labels;
}

// --- what every form must hold ----------------------------------------------------------------------------------------------

// ASCII's and, as two bytes, ISO 8859's: both move a terminal's cursor or change its state.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

void check_label(std::string_view label, std::size_t index) {
  while (!label.empty()) {
    const std::size_t length = base::utf8_length(label);
    if (length == 0) refuse("a label that is not UTF-8", {.where = class_name(index)});
    if (is_control(label.substr(0, length))) refuse("a label with a control character", {.where = class_name(index)});
    label.remove_prefix(length);
  }
}

std::vector<std::string> parse(std::string_view text) {
  if (text.size() > kMaxLabelFileBytes) {
    throw Error(
        ErrorCode::limit, "a label file that is too large",
        {.expected = "at most " + std::to_string(kMaxLabelFileBytes) + " bytes", .found = std::to_string(text.size())});
  }
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  const char opening = first == std::string_view::npos ? '\0' : text[first];
  std::vector<std::string> labels;
  if (opening == '{') {
    const std::size_t second = text.find_first_not_of(kSpace, first + 1);
    const bool dict = second != std::string_view::npos && text[second] >= '0' && text[second] <= '9';
    labels = dict ? DictReader(text).run() : parse_json_labels(text);
  } else {
    labels = opening == '[' ? parse_json_labels(text) : parse_lines(text);
  }
  if (labels.empty()) refuse("a label file without labels");
  for (std::size_t i = 0; i < labels.size(); ++i) check_label(labels[i], i);
  return labels;
}

}  // namespace

std::vector<std::string> parse_labels(std::string_view text, std::string_view name) {
  try {
    return parse(text);
  } catch (const Error& error) {
    ErrorDetails details = error.details();
    details.file = name;
    throw Error(error.code(), error.message(), std::move(details));
  }
}

std::vector<std::string> load_labels(const std::filesystem::path& path) {
  return parse_labels(read_text_file(path, kMaxLabelFileBytes, "the label file"), path.string());
}

}  // namespace linnet::cli
