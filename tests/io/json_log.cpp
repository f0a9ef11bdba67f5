#include <stipple/io/json_log.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

Json entry(int step, double loss) { return Json::object({{"step", step}, {"loss", loss}}); }

}  // namespace

TEST_CASE("JSON files are written indented and read back") {
  ScratchFolder const folder;
  auto const metrics = Json::object({{"loss", 0.5}, {"steps", 10}});
  write_json(folder / "metrics.json", metrics);
  REQUIRE(bytes_of(folder / "metrics.json") == "{\n  \"loss\": 0.5,\n  \"steps\": 10\n}\n");
  REQUIRE(read_json(folder / "metrics.json") == metrics);
  put_bytes(folder / "broken.json", "{\"loss\": }");
  require_error([&] { read_json(folder / "broken.json"); }, "broken.json': not JSON at byte 9");
  require_error([&] { read_json(folder / "missing.json"); }, "missing.json");
}

TEST_CASE("every entry is in the file as soon as it was added") {
  ScratchFolder const folder;
  auto const path = folder / "log.jsonl";
  put_bytes(path, "from an older run\n");
  auto log = JsonLog::create(path);
  REQUIRE(bytes_of(path).empty());
  log.append(entry(1, 0.5));
  REQUIRE(bytes_of(path) == "{\"step\":1,\"loss\":0.5}\n");
  log.append(entry(2, 0.25));
  REQUIRE(bytes_of(path) == "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":0.25}\n");
  require_error([&] { log.append(Json::object({{"loss", 1}})); }, "without 'step'");
  require_error([&] { log.append(Json::object({{"step", 1.5}})); }, "'step': given number, wanted an integer");
  require_error([&] { log.append(7); }, "wanted an object");
  REQUIRE(bytes_of(path) == "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":0.25}\n");
}

TEST_CASE("a resumed log is the log of one run") {
  ScratchFolder const folder;
  auto const whole = folder / "whole.jsonl", resumed = folder / "resumed.jsonl";
  auto const steps = [](JsonLog& log, int first, int last) {
    for (int step = first; step <= last; ++step) log.append(entry(step, 1.0 / step));
  };
  auto reference = JsonLog::create(whole);
  steps(reference, 1, 20);
  {
    auto log = JsonLog::create(resumed);
    steps(log, 1, 15);
  }
  SECTION("the checkpoint is older than the log") {
    auto log = JsonLog::resume(resumed, 12);
    steps(log, 13, 20);
  }
  SECTION("the last line was cut off") {
    put_bytes(resumed, bytes_of(resumed).substr(0, bytes_of(resumed).size() - 4));
    auto log = JsonLog::resume(resumed, 14);
    steps(log, 15, 20);
  }
  SECTION("the checkpoint is that of the last line") {
    auto log = JsonLog::resume(resumed, 15);
    steps(log, 16, 20);
  }
  SECTION("from the start") {
    auto log = JsonLog::resume(resumed, 0);
    steps(log, 1, 20);
  }
  SECTION("no log was there") {
    std::filesystem::remove(resumed);
    auto log = JsonLog::resume(resumed, 12);
    steps(log, 1, 20);
  }
  REQUIRE(bytes_of(resumed) == bytes_of(whole));
}

TEST_CASE("a file that is not a log is refused and kept") {
  ScratchFolder const folder;
  auto const path = folder / "log.jsonl";
  for (const char* const text :
       {"{\"step\":1}\nnonsense\n", "{\"step\":1}\n{\"loss\":2}\n", "{\"step\":1}\n{\"step\":\"2\"}\n"}) {
    put_bytes(path, text);
    require_error([&] { JsonLog::resume(path, 5); }, "line 2");
    REQUIRE(bytes_of(path) == text);
  }
  require_error([&] { JsonLog::create(folder.path()); }, "Is a directory");
  require_error([&] { JsonLog::create(folder / "missing/log.jsonl"); }, "No such file");
  require_error([&] { JsonLog::resume(folder.path(), 1); }, "given the folder");
}
