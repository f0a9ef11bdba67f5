// safetensors: named tensors in one file, https://github.com/huggingface/safetensors (format section).
//
// Eight bytes with the header's length, a JSON header, then the elements without gaps, all little-endian.
#pragma once

#include <bit>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/io/file_dtype.hpp>
#include <stipple/io/json.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

static_assert(std::endian::native == std::endian::little, "safetensors are read and written on little-endian hosts");

/// Where a tensor lies: bytes [begin, end) after the header.
struct TensorInfo {
  FileDtype dtype{};
  Shape shape;
  std::size_t begin = 0, end = 0;
};

/// A safetensors file, mapped into memory. Everything the header claims is checked when the file is opened, so that
/// no later read can leave the file.
class SafetensorsFile {
 public:
  /// Throws Error if the file cannot be read or breaks a rule of the format.
  explicit SafetensorsFile(const FilePath& path);

  const FilePath& path() const { return path_; }
  /// Names of all tensors, sorted.
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
  /// Throws Error if there is no such tensor; so do `raw` and `read`.
  const TensorInfo& info(std::string_view name) const;
  /// Free text that the writer added.
  const std::map<std::string, std::string>& metadata() const;
  /// The elements as stored; not necessarily aligned. Valid as long as this object.
  std::span<const std::byte> raw(std::string_view name) const;

  /// The tensor as elements of type T. Every value must be exact in T: floating-point types widen always and narrow
  /// where nothing is lost, integers (and BOOL) convert where they fit, the two kinds do not mix. Otherwise Error.
  template <Element T>
  Tensor<T> read(std::string_view name) const;

 private:
  static constexpr std::uint64_t max_header = 100'000'000;  // the limit of the format's own implementation

  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    require(condition, "safetensors: ", detail::quoted(path_), ": ", parts...);
  }

  void read_header(std::string_view text);

  void read_metadata(const Json& entry);

  TensorInfo read_entry(const std::string& name, const Json& entry) const;

  static bool is_size(const Json& value);

  // The tensors must cover the data exactly, without overlap or hole.
  void check_layout() const;

  FilePath path_;
  MappedFile file_;
  std::span<const std::byte> data_;
  std::map<std::string, TensorInfo, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Collects tensors and writes them as one file. The bytes depend on names and values alone, not on the order of the
/// calls; they are those that the format's Python package writes.
class SafetensorsWriter {
 public:
  /// Shares the tensor's storage: `write` takes the values it has then.
  template <Element T>
  void add(const std::string& name, const Tensor<T>& tensor);
  /// Free text beside the tensors.
  void metadata(const std::string& key, const std::string& value);

  /// Replaces the file at `path`; see `write_atomically`.
  void write(const FilePath& path) const;

 private:
  struct Key {
    FileDtype dtype;
    std::string name;
    friend bool operator<(const Key& a, const Key& b) {
      return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
    }
  };
  struct Entry {
    Shape shape;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };

  // Padded with spaces to a multiple of 8 bytes, so that the tensors are aligned in a mapped file.
  std::string header() const;

  std::map<Key, Entry> tensors_;
  std::set<std::string> names_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstring>
#include <type_traits>
#include <utility>

namespace stipple {

STIPPLE_IO_INLINE SafetensorsFile::SafetensorsFile(const FilePath& path) : path_(path), file_(path) {
  auto const bytes = file_.bytes();
  check(bytes.size() >= 8, "given a file of ", bytes.size(), " bytes, wanted at least the 8 of the header's length");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  check(length <= max_header && length <= bytes.size() - 8, "given a header of ", length, " bytes in a file of ",
        bytes.size(), " bytes");
  data_ = bytes.subspan(8 + static_cast<std::size_t>(length));
  auto const* const text = reinterpret_cast<const char*>(bytes.data() + 8);
  read_header({text, static_cast<std::size_t>(length)});
  check_layout();
}

STIPPLE_IO_INLINE std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> result;
  for (auto const& [name, info] : tensors_) result.push_back(name);
  return result;
}

STIPPLE_IO_INLINE const TensorInfo& SafetensorsFile::info(std::string_view name) const {
  auto const it = tensors_.find(name);
  check(it != tensors_.end(), "given no tensor named '", name, "'");
  return it->second;
}

STIPPLE_IO_INLINE const std::map<std::string, std::string>& SafetensorsFile::metadata() const { return metadata_; }

STIPPLE_IO_INLINE std::span<const std::byte> SafetensorsFile::raw(std::string_view name) const {
  auto const& where = info(name);
  return data_.subspan(where.begin, where.end - where.begin);
}

STIPPLE_IO_INLINE void SafetensorsFile::read_header(std::string_view text) {
  check(text.starts_with('{'), "the header is not a JSON object");
  auto const header = parse_json(text, "safetensors: " + detail::quoted(path_) + ": the header");
  for (auto const& [name, entry] : header.items()) {
    if (name == "__metadata__")
      read_metadata(entry);
    else
      tensors_.emplace(name, read_entry(name, entry));
  }
}

STIPPLE_IO_INLINE void SafetensorsFile::read_metadata(const Json& entry) {
  check(entry.is_object(), "__metadata__ is not an object");
  for (auto const& [key, value] : entry.items()) {
    check(value.is_string(), "__metadata__ '", key, "' is not a string");
    metadata_.emplace(key, value.get<std::string>());
  }
}

STIPPLE_IO_INLINE TensorInfo SafetensorsFile::read_entry(const std::string& name, const Json& entry) const {
  check(entry.contains("dtype") && entry.contains("shape") && entry.contains("data_offsets"), "tensor '", name,
        "': wanted an object with dtype, shape and data_offsets");
  TensorInfo result;
  auto const& dtype = entry.at("dtype");
  check(dtype.is_string(), "tensor '", name, "': the dtype is not a string");
  auto const& dtype_text = dtype.get_ref<const std::string&>();
  auto const known = std::find_if(detail::file_dtypes.begin(), detail::file_dtypes.end(),
                                  [&](auto const& candidate) { return candidate.name == dtype_text; });
  check(known != detail::file_dtypes.end(), "tensor '", name, "': given dtype '", dtype_text,
        "', wanted one of F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL");
  result.dtype = static_cast<FileDtype>(known - detail::file_dtypes.begin());

  auto const& shape = entry.at("shape");
  check(shape.is_array() && shape.size() <= Shape::max_rank, "tensor '", name, "': wanted a shape of at most ",
        int{Shape::max_rank}, " extents");
  for (auto const& extent : shape)
    check(is_size(extent), "tensor '", name, "': an extent of the shape is not a number of elements");
  try {
    for (auto const& extent : shape) result.shape.append(extent.get<Index>());
  } catch (const Error& error) {
    check(false, "tensor '", name, "': ", error.what());
  }
  std::size_t const wanted = static_cast<std::size_t>(result.shape.size()) * known->bytes;

  auto const& offsets = entry.at("data_offsets");
  check(offsets.is_array() && offsets.size() == 2 && is_size(offsets[0]) && is_size(offsets[1]), "tensor '", name,
        "': data_offsets are not two byte positions");
  result.begin = offsets[0].get<std::size_t>();
  result.end = offsets[1].get<std::size_t>();
  check(result.begin <= result.end && result.end <= data_.size(), "tensor '", name, "': given bytes [", result.begin,
        ", ", result.end, ") of ", data_.size());
  check(result.end - result.begin == wanted, "tensor '", name, "': given ", result.end - result.begin,
        " bytes, wanted ", wanted, " for ", result.dtype, " of shape ", result.shape);
  return result;
}

STIPPLE_IO_INLINE bool SafetensorsFile::is_size(const Json& value) {
  return is_integer(value) && value.get<std::int64_t>() >= 0;
}

STIPPLE_IO_INLINE void SafetensorsFile::check_layout() const {
  std::map<std::pair<std::size_t, std::size_t>, std::string_view> by_place;
  for (auto const& [name, info] : tensors_) {
    bool const added = by_place.emplace(std::pair(info.begin, info.end), name).second;
    check(added || info.begin == info.end, "tensors '", by_place[{info.begin, info.end}], "' and '", name, "' overlap");
  }
  std::size_t covered = 0;
  for (auto const& [place, name] : by_place) {
    check(place.first >= covered, "tensor '", name, "' overlaps the one before it");
    check(place.first == covered, "bytes [", covered, ", ", place.first, ") belong to no tensor");
    covered = place.second;
  }
  check(covered == data_.size(), "bytes [", covered, ", ", data_.size(), ") belong to no tensor");
}

STIPPLE_IO_INLINE void SafetensorsWriter::metadata(const std::string& key, const std::string& value) {
  metadata_[key] = value;
}

STIPPLE_IO_INLINE void SafetensorsWriter::write(const FilePath& path) const {
  auto const text = header();
  auto const length = static_cast<std::uint64_t>(text.size());
  write_atomically(path, [&](FileWriter& file) {
    file.write(std::as_bytes(std::span(&length, 1)));
    file.write(text);
    for (auto const& [key, entry] : tensors_) file.write(entry.bytes);
  });
}

STIPPLE_IO_INLINE std::string SafetensorsWriter::header() const {
  auto fields = Json::object();
  if (!metadata_.empty()) fields["__metadata__"] = metadata_;
  std::size_t offset = 0;
  for (auto const& [key, entry] : tensors_) {
    std::size_t const end = offset + entry.bytes.size();
    fields[key.name] = Json::object({{"dtype", to_text(key.dtype)},
                                     {"shape", std::vector<Index>(entry.shape.begin(), entry.shape.end())},
                                     {"data_offsets", Json::array({offset, end})}});
    offset = end;
  }
  auto text = dump_json(fields);
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

template <Element T>
Tensor<T> SafetensorsFile::read(std::string_view name) const {
  auto const& where = info(name);
  Tensor<T> result(where.shape);
  Index exact = 0;  // elements converted before the first that T cannot hold
  detail::with_element_type(where.dtype,
                            [&]<class F>(F) { exact = detail::copy_exactly<F>(raw(name).data(), result.span()); });
  check(exact >= 0, "tensor '", name, "': given ", where.dtype, ", wanted ", dtype_name<T>());
  check(exact == result.size(), "tensor '", name, "': given ", where.dtype, ", wanted ", dtype_name<T>(),
        ", which cannot hold element ", exact, " exactly");
  return result;
}

template <Element T>
void SafetensorsWriter::add(const std::string& name, const Tensor<T>& tensor) {
  require(tensor.defined(), "safetensors: given an undefined tensor for '", name, "'");
  require(name != "__metadata__", "safetensors: '__metadata__' is not a name for a tensor");
  bool const added =
      tensors_
          .emplace(Key{detail::file_dtype<T>(), name},
                   Entry{tensor.shape(), std::as_bytes(tensor.span()), std::make_shared<Tensor<T>>(tensor)})
          .second;
  require(names_.insert(name).second && added, "safetensors: given two tensors named '", name, "'");
}

#define STIPPLE_INSTANCES(T)                                           \
  template Tensor<T> SafetensorsFile::read<T>(std::string_view) const; \
  template void SafetensorsWriter::add<T>(const std::string&, const Tensor<T>&);
STIPPLE_INSTANTIATE(STIPPLE_INSTANCES(float) STIPPLE_INSTANCES(bf16) STIPPLE_INSTANCES(double)
                        STIPPLE_INSTANCES(std::int32_t) STIPPLE_INSTANCES(std::int64_t) STIPPLE_INSTANCES(std::uint8_t))
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
