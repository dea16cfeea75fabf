// Class names from the files that people have.
//
//   std::vector<std::string> labels = linnet::cli::load_labels("labels.json");   // labels[0] == "tench, Tinca tinca"
//
// The form is recognised by the text itself, whatever the file is called:
//   {"0": "tench", "1": "goldfish"}     modelhub's labels.json: a JSON object keyed by the index
//   ["tench", "goldfish"]               a JSON array
//   {0: 'tench', 1: "goldfish"}         a Python dict, as the much-copied imagenet1000_clsidx_to_labels.txt
//   n01440764 tench, Tinca tinca        synset.txt: one class a line; the WordNet id is left off if every line has one
//   tench                               one class a line
// Text is UTF-8, with or without a byte order mark; lines end with LF or CRLF.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace linnet::cli {

constexpr std::size_t kMaxLabelFileBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxLabels = std::size_t{1} << 20;

/// labels[i] names class i. `name` is used as details().file of an error. Throws Error `format`, saying where: not one of
/// the forms above, an index twice or one missing, an empty line between others, bytes that are not UTF-8, a control
/// character (labels end up on terminals), no label at all; `limit` for too many bytes or labels.
std::vector<std::string> parse_labels(std::string_view text, std::string_view name = {});

/// The same from a regular file; `io` if it cannot be read.
std::vector<std::string> load_labels(const std::filesystem::path& path);

}  // namespace linnet::cli
