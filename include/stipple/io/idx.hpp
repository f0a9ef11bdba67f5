// IDX files, the format of MNIST and its relatives, plain or compressed by gzip: http://yann.lecun.com/exdb/mnist
//
// Two zero bytes, element type, rank, the extents as big-endian 32-bit integers, then the elements.
#pragma once

#include <string>
#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// All elements of an IDX file of unsigned bytes, in the file's shape. Throws Error if the file cannot be read, is of
/// another type, or has fewer or more elements than its shape says.
STIPPLE_IO_INLINE Tensor<std::uint8_t> read_idx(const FilePath& path);

/// Gray images: (N, H, W, 1).
STIPPLE_IO_INLINE Tensor<std::uint8_t> read_idx_images(const FilePath& path);

/// Class labels: (N).
STIPPLE_IO_INLINE Tensor<std::int32_t> read_idx_labels(const FilePath& path);

/// The file `stem` or `stem`.gz in `folder`, for example stem "train-images-idx3-ubyte".
STIPPLE_IO_INLINE FilePath find_idx(const FilePath& folder, std::string_view stem);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <zlib.h>
#include <algorithm>
#include <array>
#include <span>

namespace stipple::detail {

/// Reads bytes in order from a file that may be compressed by gzip.
class IdxSource {
 public:
  explicit IdxSource(const FilePath& path) : path_(path), file_(path), rest_(file_.bytes()) {
    compressed_ = is_gzip();
    if (!compressed_) return;
    constexpr int gzip_format = 15 + 16;  // largest window, gzip header
    check(inflateInit2(&stream_, gzip_format) == Z_OK, "zlib has no memory");
  }
  IdxSource(const IdxSource&) = delete;
  IdxSource& operator=(const IdxSource&) = delete;
  ~IdxSource() {
    if (compressed_) inflateEnd(&stream_);
  }

  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    require(condition, "idx: ", quoted(path_), ": ", parts...);
  }

  /// How many bytes the rest of the file may hold: deflate shrinks to a 1032nd at most.
  std::size_t most() const { return compressed_ ? rest_.size() * 1032 + 65536 : rest_.size(); }

  /// Fills `bytes` as far as the file goes and returns how many were there.
  std::size_t read(std::span<std::uint8_t> bytes) {
    if (compressed_) return inflate_into(bytes);
    std::size_t const count = std::min(bytes.size(), rest_.size());
    std::copy_n(reinterpret_cast<const std::uint8_t*>(rest_.data()), count, bytes.data());
    rest_ = rest_.subspan(count);
    return count;
  }

 private:
  bool is_gzip() const { return rest_.size() >= 2 && rest_[0] == std::byte{0x1f} && rest_[1] == std::byte{0x8b}; }

  std::size_t inflate_into(std::span<std::uint8_t> bytes) {
    constexpr std::size_t most_a_call = std::size_t{1} << 30;  // zlib counts in 32 bits
    std::size_t done = 0;
    while (done < bytes.size() && !ended_) {
      auto const room = static_cast<uInt>(std::min(bytes.size() - done, most_a_call));
      auto const given = static_cast<uInt>(std::min(rest_.size(), most_a_call));
      stream_.next_out = bytes.data() + done;
      stream_.avail_out = room;
      stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(rest_.data()));
      stream_.avail_in = given;
      int const status = inflate(&stream_, Z_NO_FLUSH);
      rest_ = rest_.subspan(given - stream_.avail_in);
      done += room - stream_.avail_out;
      check(status != Z_BUF_ERROR, "the compressed data end too early");
      check(status == Z_OK || status == Z_STREAM_END,
            "the compressed data are corrupt: ", stream_.msg != nullptr ? stream_.msg : "unknown reason");
      if (status == Z_STREAM_END) {
        ended_ = !is_gzip();  // gzip files may be concatenated
        check(!ended_ || rest_.empty(), "given ", rest_.size(), " bytes after the compressed data");
        if (!ended_) inflateReset(&stream_);
      }
    }
    return done;
  }

  FilePath path_;
  MappedFile file_;
  std::span<const std::byte> rest_;
  z_stream stream_{};
  bool compressed_ = false, ended_ = false;
};

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE Tensor<std::uint8_t> read_idx(const FilePath& path) {
  detail::IdxSource source(path);
  std::array<std::uint8_t, 4> word;
  source.check(source.read(word) == 4 && word[0] == 0 && word[1] == 0, "the file does not start as an IDX file does");
  source.check(word[2] == 0x08, "given element type ", word[2], ", wanted 8 (unsigned bytes)");
  int const rank = word[3];
  source.check(rank >= 1 && rank <= Shape::max_rank, "given rank ", rank, ", wanted 1 to ", int{Shape::max_rank});
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) {
    source.check(source.read(word) == 4, "the file ends within its shape");
    Index const extent = Index{word[0]} << 24 | word[1] << 16 | word[2] << 8 | word[3];
    try {
      shape.append(extent);
    } catch (const Error& error) {
      source.check(false, error.what());
    }
  }
  auto const size = static_cast<std::size_t>(shape.size());
  source.check(size <= source.most(), "given at most ", source.most(), " elements for shape ", shape);
  Tensor<std::uint8_t> result(shape);
  auto const count = source.read(result.span());
  source.check(count == size, "given ", count, " elements for shape ", shape);
  source.check(source.read(std::span(word).first(1)) == 0, "given more elements than shape ", shape, " has");
  return result;
}

STIPPLE_IO_INLINE Tensor<std::uint8_t> read_idx_images(const FilePath& path) {
  auto const images = read_idx(path);
  require(images.rank() == 3, "idx: ", detail::quoted(path), ": given shape ", images.shape(),
          ", wanted images (N, H, W)");
  return images.reshape({images.dim(0), images.dim(1), images.dim(2), 1});
}

STIPPLE_IO_INLINE Tensor<std::int32_t> read_idx_labels(const FilePath& path) {
  auto const bytes = read_idx(path);
  require(bytes.rank() == 1, "idx: ", detail::quoted(path), ": given shape ", bytes.shape(), ", wanted labels (N)");
  Tensor<std::int32_t> labels(bytes.shape());
  std::copy_n(bytes.data(), bytes.size(), labels.data());
  return labels;
}

STIPPLE_IO_INLINE FilePath find_idx(const FilePath& folder, std::string_view stem) {
  std::error_code error;
  for (std::string_view const ending : {"", ".gz"}) {
    auto const path = folder / (std::string(stem) + std::string(ending));
    if (std::filesystem::is_regular_file(path, error)) return path;
  }
  fail("idx: wanted ", stem, " or ", stem, ".gz in the folder ", detail::quoted(folder), ", which has neither");
}

}  // namespace stipple

#endif
