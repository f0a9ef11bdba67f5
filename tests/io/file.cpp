#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include <stipple/io/file.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

std::size_t entries(const FilePath& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

/// No file may grow beyond `bytes` while this lives: the nearest thing to a full disk that needs no privileges.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

}  // namespace

TEST_CASE("a file is created and replaced, and nothing else remains") {
  ScratchFolder const folder;
  auto const path = folder / "a file";
  write_atomically(path, "first");
  REQUIRE(bytes_of(path) == "first");
  write_atomically(path, [](FileWriter& file) {
    file.write("sec");
    file.write(std::as_bytes(std::span("ond", 3)));
  });
  REQUIRE(bytes_of(path) == "second");
  write_atomically(path, "");
  REQUIRE(bytes_of(path).empty());
  REQUIRE(entries(folder.path()) == 1);
}

TEST_CASE("a relative name is written into the current folder") {
  ScratchFolder const folder;
  auto const before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_atomically("plain", "here");
  std::filesystem::current_path(before);
  REQUIRE(bytes_of(folder / "plain") == "here");
}

TEST_CASE("a failed write leaves the old file as it was") {
  ScratchFolder const folder;
  auto const path = folder / "kept";
  write_atomically(path, "old");
  SECTION("the body throws") {
    require_error(
        [&] {
          write_atomically(path, [](FileWriter& file) {
            file.write("new");
            fail("stopped half-way");
          });
        },
        "stopped half-way");
  }
  SECTION("the disk is full") {
    FileSizeLimit const limit(100'000);
    require_error([&] { write_atomically(path, std::string(200'000, 'x')); }, "kept'");
  }
  REQUIRE(bytes_of(path) == "old");
  REQUIRE(entries(folder.path()) == 1);
}

TEST_CASE("what a killed writer left is taken over by the next") {
  ScratchFolder const folder;
  auto const path = folder / "checkpoint";
  write_atomically(path, "old");
  pid_t const child = fork();
  if (child == 0) {
    write_atomically(path, [](FileWriter& file) {
      file.write("a much longer new content");
      raise(SIGKILL);
    });
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  REQUIRE(bytes_of(path) == "old");
  REQUIRE(entries(folder.path()) == 2);
  write_atomically(path, "new");
  REQUIRE(bytes_of(path) == "new");
  REQUIRE(entries(folder.path()) == 1);
}

TEST_CASE("several writers of one file never mix") {
  ScratchFolder const folder;
  auto const path = folder / "shared";
  auto const write_often = [&](char letter) {
    for (int i = 0; i < 40; ++i) write_atomically(path, std::string(100'000, letter));
  };
  write_atomically(path, std::string(100'000, 'a'));
  std::thread first(write_often, 'b'), second(write_often, 'c');
  bool whole = true;
  for (int i = 0; i < 40; ++i) {
    auto const bytes = read_file(path);
    whole = whole && bytes.size() == 100'000 && bytes == std::string(100'000, bytes[0]);
  }
  first.join();
  second.join();
  REQUIRE(whole);
  REQUIRE(entries(folder.path()) == 1);
}

TEST_CASE("permissions and links of the target survive") {
  ScratchFolder const folder;
  auto const path = folder / "private", link = folder / "link";
  write_atomically(path, "old");
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  std::filesystem::create_symlink("private", link);
  write_atomically(link, "new");
  REQUIRE(std::filesystem::is_symlink(link));
  REQUIRE(bytes_of(path) == "new");
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  REQUIRE((status.st_mode & 0777) == 0600);
}

TEST_CASE("a target that cannot be written is refused with its name") {
  ScratchFolder const folder;
  require_error([&] { write_atomically(folder.path(), "x"); }, "wanted a regular file");
  require_error([&] { write_atomically(folder.path() / "", "x"); }, "wanted the name of a file");
  require_error([&] { write_atomically("", "x"); }, "wanted the name of a file");
  require_error([&] { write_atomically("/dev/null", "x"); }, "'/dev/null', wanted a regular file");
  require_error([&] { write_atomically(folder / "missing/file", "x"); }, "missing/file.partial': No such file");
  put_bytes(folder / "file", "kept");
  require_error([&] { write_atomically(folder / "file/below", "x"); }, "file/below.partial': Not a directory");
  std::filesystem::create_symlink("circle", folder / "circle");
  require_error([&] { write_atomically(folder / "circle", "x"); }, "circle");
  REQUIRE(bytes_of(folder / "file") == "kept");
  if (geteuid() != 0) {  // root may write everywhere
    REQUIRE(chmod((folder / "file").c_str(), 0400) == 0);
    require_error([&] { write_atomically(folder / "file", "x"); }, "Permission denied");
  }
}

TEST_CASE("files are read whole, also those that do not know their size") {
  ScratchFolder const folder;
  std::string bytes(300'001, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  put_bytes(folder / "bytes", bytes);
  REQUIRE(read_file(folder / "bytes") == bytes);
  put_bytes(folder / "empty", "");
  REQUIRE(read_file(folder / "empty").empty());

  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::thread writer([&] { put_bytes(folder / "pipe", bytes); });
  auto const piped = read_file(folder / "pipe");
  writer.join();
  REQUIRE(piped == bytes);

  require_error([&] { read_file(folder / "missing"); }, "missing': No such file");
  require_error([&] { read_file(folder.path()); }, "given the folder");
}

TEST_CASE("a mapped file shows the file's bytes and moves") {
  ScratchFolder const folder;
  put_bytes(folder / "bytes", "some bytes");
  MappedFile first(folder / "bytes");
  write_atomically(folder / "bytes", "x");  // a replacement does not disturb the mapping
  MappedFile second = std::move(first);
  REQUIRE(first.size() == 0);
  first = std::move(second);
  REQUIRE(std::string(reinterpret_cast<const char*>(first.bytes().data()), first.size()) == "some bytes");
  put_bytes(folder / "empty", "");
  REQUIRE(MappedFile(folder / "empty").bytes().empty());
  require_error([&] { MappedFile{folder / "missing"}; }, "missing': No such file");
  require_error([&] { MappedFile{folder.path()}; }, "given the folder");
  require_error([&] { MappedFile{"/dev/null"}; }, "wanted a regular file");
}
