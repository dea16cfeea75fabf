// stb_image, compiled here once with everything but JPEG and PNG left out: the formats that its open security reports are
// about do not exist in this build. Its names are static, so that a program may carry its own copy.
//
// Its heap is replaced by one that counts against a budget, hands out zeroed memory (so that no path through the decoder can
// show what was there before) and remembers every block. The last makes it safe to throw through the decoder, which has no
// destructors: whatever way it is left, the blocks go.
#include "image/stb_decoder.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace linnet::image {

namespace {

class DecoderHeap {
 public:
  explicit DecoderHeap(std::int64_t budget_bytes) : budget_(static_cast<std::size_t>(budget_bytes)), outer_(current_) {
    current_ = this;
  }
  ~DecoderHeap() {
    current_ = outer_;
    while (blocks_ != nullptr) release(blocks_ + 1);
  }
  DecoderHeap(const DecoderHeap&) = delete;
  DecoderHeap& operator=(const DecoderHeap&) = delete;

  static DecoderHeap& current() { return *current_; }

  void* allocate(std::size_t bytes) {
    if (bytes > budget_ - used_) {
      throw Error(ErrorCode::limit,
                  "decoding the picture needs more memory than its header explains: a damaged or hostile file",
                  {.expected = "at most " + std::to_string(budget_) + " bytes"});
    }
    auto* block = static_cast<Block*>(std::calloc(1, sizeof(Block) + bytes));
    if (block == nullptr) throw std::bad_alloc();
    block->bytes = bytes;
    block->next = blocks_;
    if (blocks_ != nullptr) blocks_->previous = block;
    blocks_ = block;
    used_ += bytes;
    return block + 1;
  }

  void* reallocate(void* old, std::size_t bytes) {
    if (old == nullptr) return allocate(bytes);
    const std::size_t kept = (static_cast<Block*>(old) - 1)->bytes;
    void* grown = allocate(bytes);
    std::memcpy(grown, old, kept < bytes ? kept : bytes);
    release(old);
    return grown;
  }

  void release(void* pointer) {
    if (pointer == nullptr) return;
    Block* block = static_cast<Block*>(pointer) - 1;
    if (block->previous != nullptr) block->previous->next = block->next;
    else blocks_ = block->next;
    if (block->next != nullptr) block->next->previous = block->previous;
    used_ -= block->bytes;
    std::free(block);
  }

 private:
  struct alignas(std::max_align_t) Block {
    std::size_t bytes;
    Block* previous;
    Block* next;
  };

  std::size_t budget_;
  std::size_t used_ = 0;
  Block* blocks_ = nullptr;
  DecoderHeap* outer_;
  // stb_image's hooks carry no context, so the heap of the running decode is known by its thread.
  static thread_local DecoderHeap* current_;
};

thread_local DecoderHeap* DecoderHeap::current_ = nullptr;

[[noreturn]] void broken_invariant() { refuse("damaged picture data: the decoder gave up"); }

}  // namespace

}  // namespace linnet::image

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS 65535  // the fence's limits are lower; this is JPEG's own
// Not assert(): a library that is given a stranger's file does not abort.
#define STBI_ASSERT(condition)                           \
  do {                                                   \
    if (!(condition)) linnet::image::broken_invariant(); \
  } while (false)
#define STBI_MALLOC(bytes) linnet::image::DecoderHeap::current().allocate(bytes)
#define STBI_REALLOC(pointer, bytes) linnet::image::DecoderHeap::current().reallocate(pointer, bytes)
#define STBI_FREE(pointer) linnet::image::DecoderHeap::current().release(pointer)
#if defined(__aarch64__)
#define STBI_NEON  // its saturating arithmetic, as SSE2's on x86-64, is defined for every input; the portable path's is not
#endif
// It narrows integers on purpose (a damaged file's coefficients wrap around in 16 bits), which our own code never does and the
// sanitizer is told to look for.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("implicit-integer-truncation"))), apply_to = function)
#endif
#include <stb/stb_image.h>
#if defined(__clang__)
#pragma clang attribute pop
#endif

namespace linnet::image {

namespace {

// An index past the end of a short PLTE would read the decoder's uninitialised palette. The file it sees has all the entries
// that the bit depth can ask for; the added ones are black, as in libpng. Its CRC is then wrong, which the decoder ignores.
std::vector<std::byte> with_full_palette(Bytes file, const Inspected& picture) {
  const std::size_t data_begin = picture.palette_offset + 8;
  const std::size_t data_end = data_begin + 3 * picture.palette_entries;
  const std::size_t full_bytes = std::size_t{3} << picture.file_bit_depth;
  std::vector<std::byte> copy;
  copy.reserve(file.size() + full_bytes);
  copy.insert(copy.end(), file.begin(), file.begin() + static_cast<std::ptrdiff_t>(data_end));
  copy.resize(data_begin + full_bytes);
  copy.insert(copy.end(), file.begin() + static_cast<std::ptrdiff_t>(data_end), file.end());
  for (std::size_t i = 0; i < 4; ++i)
    copy[picture.palette_offset + i] = std::byte{static_cast<unsigned char>(full_bytes >> (24 - 8 * i))};
  return copy;
}

// Where the first IDAT is empty, the decoder would copy to a null pointer: no byte, but C forbids it all the same.
std::vector<std::byte> without_empty_data(Bytes file, const Inspected& picture) {
  std::vector<std::byte> copy(file.begin(), file.end());
  const auto first = copy.begin() + static_cast<std::ptrdiff_t>(picture.empty_offset);
  copy.erase(first, first + static_cast<std::ptrdiff_t>(picture.empty_bytes));
  return copy;
}

}  // namespace

std::vector<std::uint8_t> decode_pixels(Bytes file, const Inspected& picture) {
  Bytes bytes = file.first(picture.used_bytes);
  std::vector<std::byte> patched, stripped;
  if (picture.empty_bytes != 0) {
    stripped = without_empty_data(bytes, picture);
    bytes = stripped;
  }
  if (picture.palette_entries != 0 && picture.palette_entries < std::size_t{1} << picture.file_bit_depth) {
    patched = with_full_palette(bytes, picture);
    bytes = patched;
  }
  DecoderHeap heap(picture.decoder_bytes);
  int width = 0;
  int height = 0;
  int channels = 0;
  const stbi_uc* pixels = stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()),
                                                static_cast<int>(bytes.size()), &width, &height, &channels, 0);
  if (pixels == nullptr) {
    const char* reason = stbi_failure_reason();
    refuse("damaged picture data", {.found = reason != nullptr ? reason : "a decoder error"});
  }
  if (width != picture.width || height != picture.height || channels != picture.channels) {
    throw Error(ErrorCode::internal, "the decoder and the fence disagree about a picture",
                {.expected = std::to_string(picture.width) + "x" + std::to_string(picture.height) + "x" +
                             std::to_string(picture.channels),
                 .found = std::to_string(width) + "x" + std::to_string(height) + "x" + std::to_string(channels)});
  }
  const std::size_t size =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(channels);
  return {pixels, pixels + size};
}

}  // namespace linnet::image
