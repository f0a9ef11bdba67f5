// Files as bytes: atomic writing, whole reading, read-only mapping (POSIX).
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <stipple/core/compiled.hpp>
#include <stipple/core/error.hpp>

namespace stipple {

using FilePath = std::filesystem::path;

namespace detail {

/// What the system says about the last failed call.
STIPPLE_IO_INLINE std::string system_message(int error_number = errno);

STIPPLE_IO_INLINE std::string quoted(const FilePath& path);

/// An open file, closed with the object.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  bool is_open() const { return number_ >= 0; }
  int get() const { return number_; }

 private:
  int number_ = -1;
};

STIPPLE_IO_INLINE FileDescriptor open_for_reading(const FilePath& path);

/// Opens the file at `path`, made empty if there is none, and locks it against others that come through here, in this
/// process too. The lock ends with the descriptor; whoever has it may remove the file. Where another one has it, waits
/// or else returns a descriptor that is not open. A file system without locks gives one to everybody.
STIPPLE_IO_INLINE FileDescriptor lock_file(const FilePath& path, bool waits);

/// Writes all of `bytes`; `path` is for the message.
STIPPLE_IO_INLINE void write_all(int file, std::string_view bytes, const FilePath& path);

}  // namespace detail

/// Takes the bytes of a file that is being written; see `write_atomically`.
class FileWriter {
 public:
  FileWriter(int file, const FilePath& path) : file_(file), path_(path) {}
  void write(std::string_view bytes);
  void write(std::span<const std::byte> bytes);

 private:
  int file_;
  const FilePath& path_;
};

/// Replaces the file at `path` by what `body(writer)` writes, all at once: readers see the old file or the new one,
/// and so does a machine that lost power. If anything fails (also inside `body`) the old file stays untouched.
/// Throws Error when the folder does not exist, may not be written or the disk is full.
STIPPLE_IO_INLINE void write_atomically(const FilePath& path, const std::function<void(FileWriter&)>& body);

/// Replaces the file at `path` by `bytes`, all at once.
STIPPLE_IO_INLINE void write_atomically(const FilePath& path, std::string_view bytes);

/// The whole content of a file. Throws Error if it cannot be read.
STIPPLE_IO_INLINE std::string read_file(const FilePath& path);

/// A file mapped read-only into memory: pages are read when they are first touched. The file may be replaced
/// meanwhile (as `write_atomically` does) but must not be shortened in place.
class MappedFile {
 public:
  /// Throws Error if the file cannot be read or is not a regular one.
  explicit MappedFile(const FilePath& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::size_t size() const { return size_; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <algorithm>

namespace stipple::detail {

/// The file that takes the target's place on `commit`, and vanishes without it. It lies beside the target under a
/// fixed name, so that what a killed process left is taken over by the next one; a lock keeps two writers apart.
class ReplacementFile {
 public:
  explicit ReplacementFile(const FilePath& path) : target_(resolve(path)), partial_(target_) {
    struct stat status {};
    bool const exists = stat(target_.c_str(), &status) == 0;
    require(!exists || S_ISREG(status.st_mode), "write: given ", quoted(path), ", wanted a regular file or a new name");
    require(!exists || access(target_.c_str(), W_OK) == 0, "write: cannot replace ", quoted(path), ": ",
            system_message());
    partial_ += ".partial";
    file_ = lock_file(partial_, true);
    if (ftruncate(file_.get(), 0) != 0 || (exists && fchmod(file_.get(), status.st_mode & 0777) != 0)) {
      auto const reason = system_message();
      unlink(partial_.c_str());
      fail("write: cannot write ", quoted(partial_), ": ", reason);
    }
  }
  ReplacementFile(const ReplacementFile&) = delete;
  ReplacementFile& operator=(const ReplacementFile&) = delete;
  ~ReplacementFile() {
    if (!committed_) unlink(partial_.c_str());
  }

  FileWriter writer() const { return {file_.get(), target_}; }

  /// After this the new content is on the disk under the target's name.
  void commit() {
    require(fsync(file_.get()) == 0, "write: cannot flush ", quoted(target_), ": ", system_message());
    require(rename(partial_.c_str(), target_.c_str()) == 0, "write: cannot replace ", quoted(target_), ": ",
            system_message());
    committed_ = true;
    FilePath const folder = target_.has_parent_path() ? target_.parent_path() : FilePath(".");
    FileDescriptor const entry(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!entry.is_open()) return;  // a folder that may be written but not read: the rename stands
    require(fsync(entry.get()) == 0 || errno == EINVAL || errno == ENOTSUP, "write: cannot flush the folder ",
            quoted(folder), ": ", system_message());
  }

 private:
  // A link keeps pointing where it points: its destination is replaced.
  static FilePath resolve(const FilePath& path) {
    require(path.has_filename(), "write: given ", quoted(path), ", wanted the name of a file");
    std::error_code error;
    if (!std::filesystem::is_symlink(path, error)) return path;
    auto const destination = std::filesystem::weakly_canonical(path, error);
    require(!error, "write: cannot follow the link ", quoted(path), ": ", error.message());
    return destination;
  }

  FilePath target_, partial_;
  FileDescriptor file_;
  bool committed_ = false;
};

STIPPLE_IO_INLINE FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

STIPPLE_IO_INLINE FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) close(number_);
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE void FileWriter::write(std::string_view bytes) { detail::write_all(file_, bytes, path_); }

STIPPLE_IO_INLINE void FileWriter::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

STIPPLE_IO_INLINE MappedFile::MappedFile(const FilePath& path) {
  auto const file = detail::open_for_reading(path);
  struct stat status {};
  require(fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode), "read: given ", detail::quoted(path),
          ", wanted a regular file");
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* const address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  require(address != MAP_FAILED, "read: cannot map ", detail::quoted(path), ": ", detail::system_message());
  data_ = static_cast<const std::byte*>(address);
}

STIPPLE_IO_INLINE MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

STIPPLE_IO_INLINE MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

STIPPLE_IO_INLINE MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace stipple

namespace stipple::detail {

STIPPLE_IO_INLINE std::string system_message(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

STIPPLE_IO_INLINE std::string quoted(const FilePath& path) { return "'" + path.string() + "'"; }

STIPPLE_IO_INLINE FileDescriptor open_for_reading(const FilePath& path) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require(file.is_open(), "read: cannot open ", quoted(path), ": ", system_message());
  struct stat status {};
  require(fstat(file.get(), &status) == 0, "read: ", quoted(path), ": ", system_message());
  require(!S_ISDIR(status.st_mode), "read: given the folder ", quoted(path), ", wanted a file");
  return file;
}

STIPPLE_IO_INLINE FileDescriptor lock_file(const FilePath& path, bool waits) {
  while (true) {
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    require(file.is_open(), "write: cannot create ", quoted(path), ": ", system_message());
    int failure = 0;
    do {
      failure = flock(file.get(), waits ? LOCK_EX : LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    } while (failure == EINTR);
    if (failure == EWOULDBLOCK) return {};
    // Whoever had the lock may have renamed or removed the file between our opening and our lock.
    struct stat ours {
    }, named{};
    if (fstat(file.get(), &ours) == 0 && stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
        ours.st_dev == named.st_dev)
      return file;
  }
}

STIPPLE_IO_INLINE void write_all(int file, std::string_view bytes, const FilePath& path) {
  constexpr std::size_t most = std::size_t{1} << 30;  // Linux writes at most 2 GiB a call
  while (!bytes.empty()) {
    ssize_t const written = write(file, bytes.data(), std::min(bytes.size(), most));
    if (written < 0 && errno == EINTR) continue;
    require(written >= 0, "write: cannot write ", quoted(path), ": ", system_message());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE void write_atomically(const FilePath& path, const std::function<void(FileWriter&)>& body) {
  detail::ReplacementFile file(path);
  FileWriter writer = file.writer();
  body(writer);
  file.commit();
}

STIPPLE_IO_INLINE void write_atomically(const FilePath& path, std::string_view bytes) {
  write_atomically(path, [&](FileWriter& file) { file.write(bytes); });
}

STIPPLE_IO_INLINE std::string read_file(const FilePath& path) {
  auto const file = detail::open_for_reading(path);
  struct stat status {};
  fstat(file.get(), &status);
  std::string bytes;
  std::size_t used = 0;
  std::size_t room = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)) + 1;  // one more, to see the end
  while (true) {
    bytes.resize(used + room);
    ssize_t const count = read(file.get(), bytes.data() + used, room);
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "read: cannot read ", detail::quoted(path), ": ", detail::system_message());
    used += static_cast<std::size_t>(count);
    if (count == 0) break;
    room = std::max<std::size_t>(bytes.size() - used, 64 * 1024);
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace stipple

#endif
