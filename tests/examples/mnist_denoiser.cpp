// mnist_denoiser: on a few pictures it leaves what it should, goes on where it stopped, and says what is wrong.
#include <algorithm>

#include <stipple/io/read_png.hpp>

#include "media.hpp"
#include "program.hpp"

namespace {

std::filesystem::path write_data(const ScratchFolder& folder) {
  auto const data = folder / "mnist";
  write_idx(data, "train", 12, 28);
  write_idx(data, "t10k", 10, 28);
  return data;
}

std::string mnist_denoiser(const std::filesystem::path& data, const std::filesystem::path& out,
                           const std::string& options) {
  return program("mnist_denoiser") + " --data " + quoted(data) + " --out " + quoted(out) +
         " --batch 8 --sample-count 3 --quiet " + options;
}

}  // namespace

TEST_CASE("mnist_denoiser: numbers, log and pictures of five epochs") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const text = require_success(mnist_denoiser(data, out, "--width 4 --learning-rate 0.01")).output;
  CHECK(text.find("sigma 0.8: mean squared error ") != std::string::npos);
  auto const losses = logged_losses(out);
  REQUIRE(losses.size() == 10);
  CHECK(losses.back() < losses.front());
  auto const metrics = stipple::read_json(out / "metrics.json");
  auto const epochs = stipple::get_array(metrics, "epoch_losses", "metrics.json").get<std::vector<double>>();
  REQUIRE(epochs.size() == 5);
  CHECK(epochs[4] == Approx((losses[8] + losses[9]) / 2));
  auto const tests = stipple::get_array(metrics, "test", "metrics.json");
  std::vector<double> const sigmas{0, 0.2, 0.4, 0.5, 0.6, 0.8, 1};
  REQUIRE(tests.size() == sigmas.size());
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    CHECK(tests[i].at("sigma").get<double>() == sigmas[i]);
    CHECK(tests[i].at("noisy").get<double>() == Approx(sigmas[i] * sigmas[i]).epsilon(0.1));
    CHECK(tests[i].at("denoised").get<double>() > 0);
  }
  for (const char* const name : {"denoised_epoch_1.png", "denoised_epoch_5.png"}) {
    auto const grid = stipple::read_png(out / name);
    CHECK(grid.dim(0) == 3 * (2 * 28 + 2) + 2);
    CHECK(grid.dim(1) == 3 * (2 * 28 + 2) + 2);
  }
  CHECK_FALSE(std::filesystem::exists(out / "denoised_epoch_2.png"));
  CHECK(stipple::read_png(out / "noising.png").dim(1) == 7 * (4 * 28 + 6) + 6);
  for (const char* const name : {"loss.png", "out_of_distribution.png"})
    CHECK(stipple::read_png(out / name).size() > 0);
}

TEST_CASE("mnist_denoiser: the course's network has its parameters") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  require_success(mnist_denoiser(data, out, "--steps 1 --test-count 1 --precision fp32"));
  CHECK(metric(out, "parameters") == 7891073);
  CHECK(metric(out, "seed") == 1);
}

TEST_CASE("mnist_denoiser: test digits are shown at the end, wherever that is") {
  ScratchFolder const folder;
  auto const data = write_data(folder);
  auto const leaves = [&](const std::string& options, const std::vector<std::string>& wanted) {
    auto const out = folder / options;
    require_success(mnist_denoiser(data, out, "--width 4 --test-count 1 " + options));
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator(out))
      if (auto const name = entry.path().filename().string(); name.starts_with("denoised_")) names.push_back(name);
    std::sort(names.begin(), names.end());
    INFO(options);
    CHECK(names == wanted);
  };
  leaves("--epochs 3", {"denoised_epoch_1.png", "denoised_epoch_3.png"});
  leaves("--steps 3", {"denoised_epoch_1.png", "denoised_step_3.png"});
  leaves("--max-minutes 1e-9", {"denoised_step_1.png"});
}

TEST_CASE("mnist_denoiser: stopped by a signal and resumed, the bytes are the same") {
  ScratchFolder const folder;
  auto const data = write_data(folder), whole = folder / "whole", parts = folder / "parts";
  std::string const options = "--width 4 --epochs 30";
  require_success(mnist_denoiser(data, whole, options + " --threads 2"));
  require_interrupted(mnist_denoiser(data, parts, options + " --threads 1 --checkpoint-every 3"), parts);
  CHECK_FALSE(std::filesystem::exists(parts / "metrics.json"));
  CHECK(stipple::read_png(parts / "loss.png").size() > 0);
  require_success(mnist_denoiser(data, parts, options + " --threads 1 --resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  for (const char* const name : {"denoised_epoch_1.png", "denoised_epoch_30.png", "out_of_distribution.png"})
    CHECK(bytes_of(parts / name) == bytes_of(whole / name));
}

TEST_CASE("mnist_denoiser: what cannot be done is said in a sentence") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const help = require_success(program("mnist_denoiser") + " --help").output;
  for (const char* const words : {"--sigma", "--epochs", "--steps", "--max-minutes", "--batch", "256",
                                  "--learning-rate", "--width", "--out", "--seed", "--threads", "--precision",
                                  "--resume", "--checkpoint-every", "--data", "--quiet", "CS180", "Time to expect"})
    CHECK(help.find(words) != std::string::npos);
  require_failure(mnist_denoiser(data, out, "--sigma -1"), 2, "--sigma");
  require_failure(mnist_denoiser(folder / "nowhere", out, ""), 1, "scripts/get-data mnist");
  require_failure(mnist_denoiser(data, out, "--width 4 --steps 1 --resume"), 1, "no checkpoint");
  require_success(mnist_denoiser(data, out, "--width 4 --steps 1"));
  require_failure(mnist_denoiser(data, out, "--width 4 --steps 2 --sigma 0.3 --resume"), 1, "is of another run");
  std::filesystem::remove(data / "t10k-labels-idx1-ubyte");
  require_failure(mnist_denoiser(data, out, "--width 4 --steps 1"), 1, "t10k-labels-idx1-ubyte");
  write_idx(data, "train", 12, 20);
  write_idx(data, "t10k", 10, 20);
  require_failure(mnist_denoiser(data, out, "--width 4 --steps 1"), 1, "multiples of 28");
}
