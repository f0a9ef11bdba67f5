// Runs gnuplot (https://gnuplot.info): a script in, the bytes of a picture out.
#pragma once

#include <string>
#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>

namespace stipple {

/// A string of gnuplot that stands for exactly this text. All ASCII characters but letters and spaces are written as
/// octal escapes, so that nothing in it can be interpreted; digits too, because gnuplot would take one that follows an
/// escape for a part of it. Control characters become spaces.
STIPPLE_IO_INLINE std::string gnuplot_string(std::string_view text);

/// A number of gnuplot; what is not finite is a missing value.
STIPPLE_IO_INLINE std::string gnuplot_number(double value);

/// The PNG that gnuplot makes of `script`, in `width` x `height` pixels. Texts appear as they are written
/// (noenhanced). Throws Error if gnuplot is missing or reports a mistake.
STIPPLE_IO_INLINE std::string run_gnuplot(std::string_view script, int width, int height);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>

extern char** environ;

namespace stipple::detail {

/// An unnamed file that vanishes when it is closed; the child process inherits it.
class ScratchFile {
 public:
  ScratchFile() : stream_(std::tmpfile(), &std::fclose) {
    require(stream_ != nullptr, "plot: cannot create a temporary file: ", system_message());
  }
  int descriptor() const { return fileno(stream_.get()); }
  void put(std::string_view bytes) const {
    write_all(descriptor(), bytes, "a temporary file");
    lseek(descriptor(), 0, SEEK_SET);
  }
  std::string content() const {
    std::string bytes;
    std::array<char, 65536> buffer;
    lseek(descriptor(), 0, SEEK_SET);
    for (ssize_t count = 1; count > 0; bytes.append(buffer.data(), static_cast<std::size_t>(count))) {
      do count = read(descriptor(), buffer.data(), buffer.size());
      while (count < 0 && errno == EINTR);
      require(count >= 0, "plot: cannot read a temporary file: ", system_message());
    }
    return bytes;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream_;
};

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE std::string gnuplot_string(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    auto const byte = static_cast<unsigned char>(c);
    bool const plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || byte >= 0x80;
    if (plain) {
      result += c;
    } else if (byte <= 0x20 || byte == 0x7f) {
      result += ' ';
    } else {
      result += {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + (byte >> 3 & 7)),
                 static_cast<char>('0' + (byte & 7))};
    }
  }
  return result + "\"";
}

STIPPLE_IO_INLINE std::string gnuplot_number(double value) {
  if (!std::isfinite(value)) return "NaN";
  std::array<char, 32> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

}  // namespace stipple

namespace stipple::detail {

/// Starts gnuplot on these files and waits for its end; returns its exit status, or -1 if a signal ended it.
inline int run_gnuplot_process(const ScratchFile& input, const ScratchFile& output, const ScratchFile& errors) {
  struct Settings {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    Settings() {
      posix_spawn_file_actions_init(&files);
      posix_spawnattr_init(&attributes);
    }
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;
    ~Settings() {
      posix_spawn_file_actions_destroy(&files);
      posix_spawnattr_destroy(&attributes);
    }
  } settings;
  posix_spawn_file_actions_adddup2(&settings.files, input.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&settings.files, output.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&settings.files, errors.descriptor(), STDERR_FILENO);
  // A process group of its own: Ctrl-C is for the training program, which then finishes its step and its pictures.
  posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETPGROUP);
  std::string program = "gnuplot", defaults = "-d";  // -d: the user's own settings stay out
  std::array<char*, 3> arguments{program.data(), defaults.data(), nullptr};
  pid_t child = 0;
  int const error = posix_spawnp(&child, "gnuplot", &settings.files, &settings.attributes, arguments.data(), environ);
  require(error != ENOENT, "plot: the program gnuplot was not found; Debian and Ubuntu have it as gnuplot-nox");
  require(error == 0, "plot: cannot start gnuplot: ", system_message(error));
  int status = 0;
  while (waitpid(child, &status, 0) < 0) require(errno == EINTR, "plot: cannot wait for gnuplot: ", system_message());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE std::string run_gnuplot(std::string_view script, int width, int height) {
  require(width >= 100 && height >= 100 && width <= 20000 && height <= 20000, "plot: given ", width, " x ", height,
          " pixels, wanted 100 to 20000");
  detail::ScratchFile const input, output, errors;
  input.put("set terminal pngcairo noenhanced size " + std::to_string(width) + "," + std::to_string(height) + "\n" +
            std::string(script));
  int const status = detail::run_gnuplot_process(input, output, errors);
  auto picture = output.content();
  bool const complete = status == 0 && picture.starts_with("\x89PNG\r\n");
  if (!complete) fail("plot: gnuplot failed: ", errors.content());
  return picture;
}

}  // namespace stipple

#endif
