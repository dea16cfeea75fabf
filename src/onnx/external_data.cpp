#include "onnx/external_data.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/checked_math.h"
#include "base/printable.h"
#include "base/sha1.h"

namespace linnet::onnx {

namespace {

using base::quote_name;

[[noreturn]] void refuse(const Message& message, const std::string& why, const std::string& location) {
  message.fail(ErrorCode::model, "external data: " + why, {}, "location " + quote_name(location));
}

std::string_view next_component(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view component = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  return component;
}

void check_location(const std::string& location, const Message& message) {
  if (location.empty()) refuse(message, "the location is empty", location);
  if (location.find('\0') != std::string::npos) refuse(message, "the location holds a NUL character", location);
  if (location.find('\\') != std::string::npos) refuse(message, "the location holds a backslash", location);
  if (location.front() == '/') refuse(message, "the location must be relative", location);
  std::string_view rest = location;
  while (!rest.empty()) {
    if (next_component(rest) == "..") refuse(message, "the location leads out of the model's folder", location);
  }
}

}  // namespace

// Component by component and never through a symbolic link, so that nothing that is swapped between a check and its use can
// lead out of the folder.
void ExternalData::open(const std::string& location, const Message& message) {
  if (open_file_.is_open() && open_location_ == location) return;
  check_location(location, message);
  open_file_ = {};  // so that there are never more than two: of a folder and of what is opened in it
  const std::string start = folder_->empty() ? "." : *folder_;
  const std::string path = start + "/" + location;
  base::FileHandle at(::open(start.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int error_number = errno;
  std::string_view rest = location;
  while (at.is_open() && !rest.empty()) {
    const std::string component(next_component(rest));
    if (component.empty() || component == ".") continue;
    const int next = ::openat(at.get(), component.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    error_number = errno;
    at = base::FileHandle(next);
  }
  if (!at.is_open()) {
    if (error_number == ELOOP) refuse(message, "a symbolic link, which may lead out of the model's folder", location);
    throw Error(ErrorCode::io, "cannot open external data: " + std::string(std::strerror(error_number)),
                {.file = path});
  }
  const base::FileFacts facts = base::regular_file_facts(at, path);
  if (facts.links != 1) refuse(message, "a hard link, which may lead out of the model's folder", location);
  if (facts.bytes > max_file_bytes_) {
    throw Error(ErrorCode::limit, "the external data is too large",
                {.file = path,
                 .expected = "at most " + std::to_string(max_file_bytes_) + " bytes",
                 .found = std::to_string(facts.bytes)});
  }
  open_location_ = location;
  open_file_ = std::move(at);
  open_facts_ = facts;
}

// A file is read through once, however many tensors give its checksum.
void ExternalData::verify_checksum(const ExternalEntry& entry, const Message& message) {
  const Identity file{open_facts_.device, open_facts_.inode};
  auto digest = digests_.find(file);
  if (digest == digests_.end()) {
    base::Sha1 sum;
    std::vector<std::byte> chunk(std::size_t{1} << 16);
    for (std::int64_t at = 0; at < open_facts_.bytes; at += static_cast<std::int64_t>(chunk.size())) {
      const std::int64_t rest = open_facts_.bytes - at;
      if (std::cmp_less(rest, chunk.size())) chunk.resize(static_cast<std::size_t>(rest));
      read_exactly(open_file_, at, chunk, entry.location);
      sum.update(chunk);
    }
    digest = digests_.emplace(file, sum.finish()).first;
  }
  std::string wanted = *entry.checksum;
  std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (wanted != digest->second)
    message.fail(ErrorCode::model, "external data: " + quote_name(entry.location) + " has another checksum",
                 quote_name(wanted), digest->second);
}

Tensor ExternalData::read(const ExternalEntry& entry, DataType type, const Shape& shape, std::size_t bytes,
                          const Message& message) {
  if (!folder_) {
    message.fail(ErrorCode::unsupported,
                 "the model's tensors lie in another file, and a model from memory has no folder: "
                 "set LoadOptions::external_data_dir",
                 {}, "location " + quote_name(entry.location));
  }
  open(entry.location, message);
  if (entry.checksum) verify_checksum(entry, message);
  const std::int64_t room = open_facts_.bytes - entry.offset;
  if (entry.offset < 0 || room < 0)
    refuse(message, "the offset " + std::to_string(entry.offset) + " is outside the file", entry.location);
  const std::int64_t length = entry.length.value_or(static_cast<std::int64_t>(bytes));
  if (std::cmp_not_equal(length, bytes)) {
    message.fail(ErrorCode::model, "external data: the length does not fit the tensor " + to_string(shape),
                 std::to_string(bytes) + " bytes", std::to_string(length));
  }
  if (length > room) refuse(message, "the file ends before offset + length", entry.location);

  const Identity file{open_facts_.device, open_facts_.inode};
  const Range range{file, entry.offset, bytes};
  if (const auto known = tensors_.find(range); known != tensors_.end()) {
    return Tensor::share(type, shape, known->second.raw(), std::make_shared<const Tensor>(known->second));
  }
  // Without this, a small model could name one large file many times over, at offsets a byte apart.
  std::int64_t& total = read_[file];
  total = base::checked_add(total, length, "external data");
  if (total > open_facts_.bytes) refuse(message, "ranges overlap", entry.location);
  Tensor tensor(type, shape);
  read_exactly(open_file_, entry.offset, {static_cast<std::byte*>(tensor.mutable_raw()), bytes}, entry.location);
  tensors_.emplace(range, tensor);
  return tensor;
}

}  // namespace linnet::onnx
