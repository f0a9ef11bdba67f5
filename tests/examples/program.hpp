// Runs the example programs as a user would, and looks at the files they leave.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <stipple/io/json_log.hpp>

#include "catch.hpp"
#include "scratch_folder.hpp"

struct Outcome {
  int code = -1;       ///< exit code; 128 + n after signal n
  std::string output;  ///< standard output and error
};

/// Runs a command line of the shell.
inline Outcome run_shell(const std::string& command) {
  std::FILE* const pipe = popen(("{ " + command + "; } 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Outcome outcome;
  std::array<char, 4096> buffer;
  while (std::size_t const n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), n);
  int const status = pclose(pipe);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  return outcome;
}

inline std::string quoted(const std::filesystem::path& path) { return "'" + path.string() + "'"; }

/// The path of an example program, for the shell.
inline std::string program(const std::string& name) {
  return quoted(std::filesystem::path(STIPPLE_EXAMPLES_DIR) / name);
}

/// Requires that the program fails with this exit code and these words, and not by a signal.
inline void require_failure(const std::string& command, int code, const std::string& words) {
  auto const outcome = run_shell(command);
  INFO(command << "\n" << outcome.output);
  REQUIRE(outcome.code == code);
  REQUIRE(outcome.output.find(words) != std::string::npos);
}
inline Outcome require_success(const std::string& command) {
  auto outcome = run_shell(command);
  INFO(command << "\n" << outcome.output);
  REQUIRE(outcome.code == 0);
  return outcome;
}

/// A field of metrics.json that is a finite number.
inline double metric(const std::filesystem::path& folder, const char* name) {
  double const value = stipple::get_number(stipple::read_json(folder / "metrics.json"), name, "metrics.json");
  INFO(name << " = " << value);
  REQUIRE(std::isfinite(value));
  return value;
}

/// The losses in log.jsonl; requires that the steps are 1, 2, 3, ...
inline std::vector<double> logged_losses(const std::filesystem::path& folder) {
  auto const text = bytes_of(folder / "log.jsonl");
  std::vector<double> losses;
  for (std::size_t begin = 0; begin < text.size();) {
    auto const end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);
    auto const entry = stipple::parse_json(std::string_view(text).substr(begin, end - begin), "log");
    losses.push_back(stipple::get_number(entry, "loss", "log"));
    REQUIRE(stipple::get_integer(entry, "step", "log") == static_cast<std::int64_t>(losses.size()));
    begin = end + 1;
  }
  return losses;
}

inline std::string checkpoint_bytes(const std::filesystem::path& folder) {
  return bytes_of(folder / "checkpoint.safetensors");
}

/// Starts a program, sends it SIGTERM as soon as it has added to its log, or to another file there, and requires that
/// it ends by itself, with the exit code of an interrupted run.
inline void require_interrupted(const std::string& command, const std::filesystem::path& folder,
                                const std::string& file = "log.jsonl") {
  auto const size = "$(stat -c %s " + quoted(folder / file) + " 2>/dev/null || echo 0)";
  auto const outcome = run_shell("before=" + size + "; " + command + " & pid=$!; while [ " + size +
                                 " -le $before ] && kill -0 $pid; do sleep 0.01; done; kill -TERM $pid; wait $pid");
  INFO(command << "\n" << outcome.output);
  REQUIRE(outcome.code == 143);
  REQUIRE(outcome.output.find("--resume goes on") != std::string::npos);
}
