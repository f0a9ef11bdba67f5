// fashion_mnist: on a few tiny pictures it leaves what it should, goes on where it stopped, and says what is wrong.
#include <numeric>

#include <stipple/io/read_png.hpp>

#include "media.hpp"
#include "program.hpp"

namespace {

constexpr int image_count = 12, image_size = 8;

std::filesystem::path write_data(const ScratchFolder& folder) {
  auto const data = folder / "fashion-mnist";
  write_idx(data, "train", image_count, image_size);
  return data;
}

std::string fashion_mnist(const std::filesystem::path& data, const std::filesystem::path& out,
                          const std::string& options) {
  return program("fashion_mnist") + " --data " + quoted(data) + " --out " + quoted(out) +
         " --batch 8 --timesteps 6 --sample-count 4 --quiet " + options;
}

double mean(const std::vector<double>& values, std::size_t begin, std::size_t end) {
  auto const at = [&](std::size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i); };
  return std::accumulate(at(begin), at(end), 0.0) / static_cast<double>(end - begin);
}

}  // namespace

TEST_CASE("fashion_mnist: numbers, log and pictures of two epochs") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  require_success(fashion_mnist(data, out, "--epochs 2"));
  auto const losses = logged_losses(out);
  REQUIRE(losses.size() == 4);
  CHECK(metric(out, "steps") == 4);
  CHECK(metric(out, "parameters") == 2996315);
  CHECK(metric(out, "loss") == Approx(mean(losses, 0, 4)));
  auto const metrics = stipple::read_json(out / "metrics.json");
  auto const epochs = stipple::get_array(metrics, "epoch_losses", "metrics.json").get<std::vector<double>>();
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[0] == Approx(mean(losses, 0, 2)));
  CHECK(epochs[1] == Approx(mean(losses, 2, 4)));
  auto const samples = stipple::read_png(out / "samples.png");
  CHECK(samples.dim(0) == 2 * (2 * image_size) + 3 * 2);  // two rows of images at twice their size, and borders
  CHECK(samples.dim(1) == samples.dim(0));
  CHECK(stipple::read_png(out / "loss.png").size() > 0);
  CHECK(frame_delays(out / "denoising.gif", 4 * image_size) == std::vector<int>{5, 5, 5, 5, 5, 100});
  CHECK(metric(out, "seed") == 1);
  auto const before = bytes_of(out / "samples.png");
  require_success(
      fashion_mnist(data, out, "--epochs 2 --resume --sampler dpm_solver --sample-steps 3 --sample-seed 8"));
  CHECK(bytes_of(out / "samples.png") != before);
  CHECK(frame_delays(out / "denoising.gif", 4 * image_size) == std::vector<int>{5, 5, 100});
  CHECK(metric(out, "sample_seed") == 8);
}

TEST_CASE("fashion_mnist: what it keeps to animate one sample does not grow with their number") {
  ScratchFolder const folder;
  auto const data = write_data(folder);
  auto const peak = [&](const std::string& timesteps) {
    auto const out = folder / timesteps;
    require_success(program("fashion_mnist") + " --data " + quoted(data) + " --out " + quoted(out) +
                    " --batch 8 --steps 1 --sample-count 300 --quiet --timesteps " + timesteps);
    return metric(out, "peak_tensor_mib");
  };
  CHECK(peak("40") < peak("4") + 0.5);  // all samples of 36 steps more would be 2.6 MiB
}

TEST_CASE("fashion_mnist: prints epoch and loss every 100 steps, and the groups that it chose") {
  ScratchFolder const folder;
  auto const data = write_data(folder);
  auto const text =
      require_success(program("fashion_mnist") + " --data " + quoted(data) + " --out " + quoted(folder / "run") +
                      " --batch 8 --timesteps 3 --sample-count 1 --steps 3 --block resnet --loss l1 " +
                      "--schedule cosine --precision fp32")
          .output;
  for (const char* const words : {"epoch: 0\n\tLoss: ", "epoch: 1\n\tLoss: ", "/ step:    0", "Groups of the norms: 7"})
    CHECK(text.find(words) != std::string::npos);
}

TEST_CASE("fashion_mnist: stopped by time or signal and resumed, the bytes are the same") {
  ScratchFolder const folder;
  auto const data = write_data(folder), whole = folder / "whole", parts = folder / "parts";
  std::string const options = "--recipe best --steps 60";
  require_success(fashion_mnist(data, whole, options + " --threads 2"));
  require_success(fashion_mnist(data, parts, options + " --threads 1 --max-minutes 1e-9"));
  CHECK(metric(parts, "steps") == 1);
  CHECK(stipple::read_png(parts / "samples.png").size() > 0);
  std::filesystem::remove(parts / "loss.png");
  require_interrupted(fashion_mnist(data, parts, options + " --threads 1 --resume --checkpoint-every 2"), parts);
  CHECK(stipple::read_png(parts / "loss.png").size() > 0);
  require_success(fashion_mnist(data, parts, options + " --threads 1 --resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  CHECK(bytes_of(parts / "samples.png") == bytes_of(whole / "samples.png"));
  CHECK(bytes_of(parts / "denoising.gif") == bytes_of(whole / "denoising.gif"));
  CHECK(metric(parts, "learning_rate") == 2e-3);  // the recipe's own
}

TEST_CASE("fashion_mnist: what cannot be done is said in a sentence") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const help = require_success(program("fashion_mnist") + " --help").output;
  for (const char* const option :
       {"--block", "--loss", "--schedule", "--epochs", "--steps", "--recipe", "--max-minutes", "--batch", "--out",
        "--seed", "--threads", "--precision", "--resume", "--checkpoint-every", "--data", "--quiet", "p_sample",
        "AI504", "Time to expect"})
    CHECK(help.find(option) != std::string::npos);
  require_failure(fashion_mnist(data, out, "--block vit"), 2, "--block");
  require_failure(fashion_mnist(data, out, "--loss l3"), 2, "--loss");
  require_failure(fashion_mnist(data, out, "--sample-steps 7"), 1, "--sample-steps: given 7 steps, wanted 1 to 6");
  require_failure(fashion_mnist(data, out, "--max-minutes -1"), 2, "--max-minutes");
  require_failure(fashion_mnist(data, out, "--epochs 0"), 2, "--epochs");
  require_failure(fashion_mnist(data, out, "--epochs 4611686018427387904"), 2, "--epochs");  // times 2 steps
  require_failure(fashion_mnist(folder / "nowhere", out, ""), 1, "scripts/get-data fashion-mnist");
  auto const from_environment = "STIPPLE_DATA=" + quoted(folder.path()) + " " + program("fashion_mnist") +
                                " --steps 1 --batch 2 --timesteps 2 --sample-count 1 --quiet --out ";
  require_success(from_environment + quoted(folder / "environment"));
  require_failure(fashion_mnist(data, out, "--steps 1 --resume"), 1, "no checkpoint");
  CHECK_FALSE(std::filesystem::exists(out / "metrics.json"));
  auto const images = data / "train-images-idx3-ubyte";
  put_bytes(images, bytes_of(images).substr(0, 100));
  require_failure(fashion_mnist(folder.path(), out, "--steps 1"), 1, "train-images-idx3-ubyte");
}
