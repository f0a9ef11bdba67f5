// A folder that one program at a time writes into.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>

namespace stipple {

/// While it lives, no other FolderLock has the folder, be it of this process or of another one. It is a lock on the
/// file
/// `.lock` there, which goes with it. The system takes it from a process that dies, so what a killed one leaves locks
/// nothing. On file systems without locks it keeps nobody out.
class FolderLock {
 public:
  /// Throws Error, which names the folder, if another one has it or if the folder cannot be written.
  explicit FolderLock(const FilePath& folder);
  FolderLock(FolderLock&&) = default;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  FilePath path_;
  detail::FileDescriptor file_;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_IO_INLINE FolderLock::FolderLock(const FilePath& folder)
    : path_(std::filesystem::absolute(folder) / ".lock"), file_(detail::lock_file(path_, false)) {
  require(file_.is_open(), "folder: another run is at work in ", detail::quoted(folder),
          "; wait until it has ended, or choose another folder");
}

STIPPLE_IO_INLINE FolderLock::~FolderLock() {
  if (file_.is_open()) unlink(path_.c_str());
}

}  // namespace stipple

#endif
