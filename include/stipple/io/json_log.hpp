// JSON in files: metrics, configurations and the line-by-line log of a run.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/io/json.hpp>

namespace stipple {

/// Replaces the file at `path` by `value`, indented; see `write_atomically`.
STIPPLE_IO_INLINE void write_json(const FilePath& path, const Json& value);

/// Throws Error if the file cannot be read or is not JSON.
STIPPLE_IO_INLINE Json read_json(const FilePath& path);

/// A log with one JSON object a line, each with the integer field "step". Every line reaches the operating system
/// before `append` returns, so a killed process loses none.
class JsonLog {
 public:
  /// Starts an empty log, in place of an older one.
  static JsonLog create(const FilePath& path);

  /// Goes on with a log after a resume from the checkpoint of `step`: later lines, and a last line that was cut off,
  /// are removed, so that log and checkpoint tell one story. A missing file is an empty log. Throws Error if another
  /// line is not an entry of a log; the file is then unchanged.
  static JsonLog resume(const FilePath& path, std::int64_t step);

  /// Writes one line. Throws Error if there is no integer "step", or the disk is full.
  void append(const Json& entry);

  /// Returns when all lines are on the disk, where they outlast a loss of power. Throws Error if that fails.
  void sync();

 private:
  JsonLog(const FilePath& path, std::size_t length);

  static std::size_t length_until(const FilePath& path, std::int64_t last_step);

  FilePath path_;
  detail::FileDescriptor file_;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_IO_INLINE JsonLog JsonLog::create(const FilePath& path) { return JsonLog(path, 0); }

STIPPLE_IO_INLINE JsonLog JsonLog::resume(const FilePath& path, std::int64_t step) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return create(path);
  return JsonLog(path, length_until(path, step));
}

STIPPLE_IO_INLINE void JsonLog::append(const Json& entry) {
  get_integer(entry, "step", "log");
  detail::write_all(file_.get(), dump_json(entry) + "\n", path_);
}

STIPPLE_IO_INLINE void JsonLog::sync() {
  require(fsync(file_.get()) == 0, "log: cannot flush ", detail::quoted(path_), ": ", detail::system_message());
}

STIPPLE_IO_INLINE JsonLog::JsonLog(const FilePath& path, std::size_t length)
    : path_(path), file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  require(file_.is_open(), "log: cannot open ", detail::quoted(path), ": ", detail::system_message());
  require(ftruncate(file_.get(), static_cast<off_t>(length)) == 0, "log: cannot shorten ", detail::quoted(path), ": ",
          detail::system_message());
}

STIPPLE_IO_INLINE std::size_t JsonLog::length_until(const FilePath& path, std::int64_t last_step) {
  auto const text = read_file(path);
  std::size_t begin = 0, line = 1;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin), ++line) {
    auto const what = "log: " + detail::quoted(path) + ", line " + std::to_string(line);
    auto const entry = parse_json(std::string_view(text).substr(begin, end - begin), what);
    if (get_integer(entry, "step", what) > last_step) break;
    begin = end + 1;
  }
  return begin;
}

STIPPLE_IO_INLINE void write_json(const FilePath& path, const Json& value) {
  write_atomically(path, dump_json(value, 2) + "\n");
}

STIPPLE_IO_INLINE Json read_json(const FilePath& path) {
  return parse_json(read_file(path), "read_json: " + detail::quoted(path));
}

}  // namespace stipple

#endif
