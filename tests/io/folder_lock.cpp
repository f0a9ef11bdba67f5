// A folder that one at a time has, in one process and in two.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include <stipple/io/folder_lock.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

TEST_CASE("a locked folder is refused by name, and free again afterwards") {
  ScratchFolder const folder;
  put_bytes(folder / ".lock", "");  // what a killed process leaves
  std::optional<FolderLock> first(folder.path());
  auto const wanted = "another run is at work in '" + folder.path().string() + "'";
  require_error([&] { FolderLock{folder.path()}; }, wanted);
  require_error([&] { FolderLock{folder.path() / ""}; }, "choose another folder");  // the same by another name
  {
    FolderLock const moved = std::move(*first);
    first.reset();
    require_error([&] { FolderLock{folder.path()}; }, wanted);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  { FolderLock const again(folder.path()); }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a lock is held under a relative name too, and ends where it began") {
  ScratchFolder const folder;
  std::filesystem::create_directory(folder / "run");
  auto const before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  {
    FolderLock const lock("run");
    std::filesystem::current_path(before);
    require_error([&] { FolderLock{folder / "run"}; }, "at work");
  }
  CHECK(std::filesystem::is_empty(folder / "run"));
}

TEST_CASE("a lock keeps another process out, and dies with its own") {
  ScratchFolder const folder;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  pid_t const child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    FolderLock const lock(folder.path());
    if (write(pipe_ends[1], "x", 1) == 1) pause();
    _exit(1);
  }
  char byte = 0;
  REQUIRE(read(pipe_ends[0], &byte, 1) == 1);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  require_error([&] { FolderLock{folder.path()}; }, "at work");
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(std::filesystem::exists(folder / ".lock"));
  FolderLock const lock(folder.path());
}

TEST_CASE("a folder that is not there or may not be written cannot be locked") {
  ScratchFolder const folder;
  require_error([&] { FolderLock{folder / "none"}; }, "none/.lock': No such file");
  put_bytes(folder / "file", "");
  require_error([&] { FolderLock{folder / "file"}; }, "file/.lock': Not a directory");
  if (geteuid() != 0) {  // root may write everywhere
    std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read);
    require_error([&] { FolderLock{folder.path()}; }, "Permission denied");
    std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  }
}
