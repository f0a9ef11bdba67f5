// mnist_attention: on a few tiny pictures it leaves what it should, goes on where it stopped, and says what is wrong.
#include <stipple/io/read_png.hpp>

#include "media.hpp"
#include "program.hpp"

namespace {

constexpr int image_size = 12, padded_size = 16;

std::filesystem::path write_data(const ScratchFolder& folder) {
  auto const data = folder / "mnist";
  write_idx(data, "train", 24, image_size);
  return data;
}

// Of 24 images 8 validate; an epoch is two steps.
const std::string network = " --width 8 --timesteps 20 ", validation = " --validation-count 8 --validation-batch 5 ";

std::string mnist_attention(const std::filesystem::path& data, const std::filesystem::path& out,
                            const std::string& options) {
  return program("mnist_attention") + " --data " + quoted(data) + " --out " + quoted(out) +
         " --batch 8 --sample-count 3 --quiet " + options;
}

std::vector<double> metric_list(const std::filesystem::path& out, const char* name) {
  return stipple::get_array(stipple::read_json(out / "metrics.json"), name, "metrics.json").get<std::vector<double>>();
}

void check_grid(const std::filesystem::path& path, int rows, int columns) {
  auto const grid = stipple::read_png(path);
  INFO(path.string());
  CHECK(grid.dim(0) == rows * (2 * padded_size + 2) + 2);
  CHECK(grid.dim(1) == columns * (2 * padded_size + 2) + 2);
}

}  // namespace

TEST_CASE("mnist_attention: numbers, log and pictures of two epochs") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const text = require_success(mnist_attention(data, out, network + validation + "--epochs 2")).output;
  for (const char* const words : {"training loss ", ", validation loss ", "examples/sec", "over 10 draws"})
    CHECK(text.find(words) != std::string::npos);
  auto const losses = logged_losses(out);
  REQUIRE(losses.size() == 4);
  auto const training = metric_list(out, "epoch_losses"), validated = metric_list(out, "epoch_validation_losses");
  REQUIRE(training.size() == 2);
  REQUIRE(validated.size() == 2);
  CHECK(training[1] == Approx((losses[2] + losses[3]) / 2));
  CHECK(metric(out, "loss") == training[1]);
  CHECK(metric(out, "validation_loss") == validated[1]);
  CHECK(metric(out, "validation_loss_averaged") == Approx(validated[1]).epsilon(0.2));
  CHECK(metric(out, "validation_loss_averaged") != validated[1]);
  CHECK(metric(out, "examples_per_second") == Approx(32 / metric(out, "train_seconds")));
  CHECK(metric(out, "fixed_start_deviation") > 0);
  CHECK(metric(out, "seed") == 12345);
  CHECK(metric(out, "sample_seed") == 12345);
  CHECK(stipple::get_string(stipple::read_json(out / "metrics.json"), "variance", "metrics.json") == "large");
  for (const char* const name : {"history.png", "fixed_start.png", "deterministic.png"}) check_grid(out / name, 3, 10);
  CHECK(bytes_of(out / "history.png") != bytes_of(out / "deterministic.png"));
  for (const char* const name : {"loss.png", "forward_process.png", "noised_batch.png"})
    CHECK(stipple::read_png(out / name).size() > 0);
}

TEST_CASE("mnist_attention: other schedules, samplers and seeds") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run", cosine = folder / "cosine";
  std::string const options = network + validation + "--steps 1 --validation-draws 1 ";
  require_success(mnist_attention(data, out, options + "--beta-start 1e-5 --beta-end 0.5"));
  CHECK(metric(out, "beta_end") == 0.5);
  require_failure(mnist_attention(data, out, options + "--resume"), 1, "the checkpoint has program.noise_schedule");
  require_success(mnist_attention(data, cosine, options + "--schedule cosine"));
  CHECK(bytes_of(out / "forward_process.png") != bytes_of(cosine / "forward_process.png"));
  auto const history = bytes_of(cosine / "history.png");
  auto const again = options + "--schedule cosine --resume ";
  require_success(mnist_attention(data, cosine, again + "--variance small"));
  CHECK(bytes_of(cosine / "history.png") != history);
  require_success(mnist_attention(data, cosine, again + "--sample-seed 3"));
  CHECK(bytes_of(cosine / "history.png") != history);
  require_success(mnist_attention(data, cosine, again));
  CHECK(bytes_of(cosine / "history.png") == history);
  // DDIM without noise: one start is one digit.
  require_success(mnist_attention(data, cosine, again + "--sampler ddim --sample-steps 20"));
  check_grid(cosine / "history.png", 3, 10);
  CHECK(metric(cosine, "fixed_start_deviation") < 1e-5);
  CHECK(bytes_of(cosine / "history.png") == bytes_of(cosine / "deterministic.png"));
}

TEST_CASE("mnist_attention: the course's networks have its parameters, and the digits are sampled") {
  ScratchFolder const folder;
  auto const data = write_data(folder), plain = folder / "plain", conditional = folder / "conditional";
  std::string const options = validation + "--steps 1 --timesteps 10 --validation-draws 1 --precision fp32";
  require_success(mnist_attention(data, plain, options));
  CHECK(metric(plain, "parameters") == 810561);
  require_success(mnist_attention(data, conditional, options + " --conditional"));
  CHECK(metric(conditional, "parameters") == 811201);
  check_grid(conditional / "history_of_3.png", 3, 10);
  check_grid(conditional / "digits.png", 10, 3);
  require_success(mnist_attention(data, conditional,
                                  options + " --conditional --resume --label 7 --sampler ddim --sample-steps 5"));
  check_grid(conditional / "history_of_7.png", 3, 5);
  CHECK(metric(conditional, "sampler_steps") == 5);
  CHECK_FALSE(std::filesystem::exists(conditional / "history.png"));
  CHECK(metric_list(plain, "epoch_losses").empty());
  CHECK(metric(plain, "loss") == Approx(logged_losses(plain)[0]));
}

TEST_CASE("mnist_attention: stopped by a signal and resumed, the bytes are the same") {
  ScratchFolder const folder;
  auto const data = write_data(folder), whole = folder / "whole", parts = folder / "parts";
  std::string const options =
      network + "--validation-count 8 --recipe best --conditional --steps 61 --validation-draws 2";
  auto const text = require_success(mnist_attention(data, whole, options + " --threads 2 --validation-batch 5")).output;
  CHECK(text.find("over 2 draws") != std::string::npos);
  require_interrupted(mnist_attention(data, parts, options + " --threads 1 --checkpoint-every 3"), parts);
  CHECK_FALSE(std::filesystem::exists(parts / "metrics.json"));
  require_success(mnist_attention(data, parts, options + " --threads 1 --validation-batch 5 --resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  auto const validated = metric_list(parts, "epoch_validation_losses");
  REQUIRE(validated.size() == 30);
  CHECK(validated.front() == Approx(metric_list(whole, "epoch_validation_losses").front()));
  for (const char* const name : {"digits.png", "history_of_3.png", "loss.png"})
    CHECK(bytes_of(parts / name) == bytes_of(whole / name));
}

TEST_CASE("mnist_attention: what cannot be done is said in a sentence") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const small = network + validation;
  auto const help = require_success(program("mnist_attention") + " --help").output;
  for (const char* const words :
       {"--conditional", "--recipe", "--epochs", "--steps", "--max-minutes", "--batch", "--learning-rate",
        "--validation-draws", "--out", "--seed", "12345", "--threads", "--precision", "--resume", "--checkpoint-every",
        "--data", "--quiet", "Radboud", "Time to expect"})
    CHECK(help.find(words) != std::string::npos);
  require_failure(mnist_attention(data, out, "--recipe other"), 2, "--recipe");
  require_failure(mnist_attention(data, out, "--width 0"), 2, "--width");
  require_failure(mnist_attention(data, out, "--label 3"), 1, "--label: without --conditional");
  require_failure(mnist_attention(data, out, "--conditional --label 10"), 2, "--label");
  require_failure(mnist_attention(data, out, "--schedule cosine --beta-start 1"), 1,
                  "--beta-start: the cosine schedule");
  require_failure(mnist_attention(data, out, small + "--sampler euler --sample-steps 21"), 1,
                  "--sample-steps: given 21 steps, wanted 1 to 20");
  require_failure(mnist_attention(data, out, "--validation-count 24"), 1, "--validation-count: given 24 of 24 images");
  require_failure(mnist_attention(folder / "nowhere", out, ""), 1, "scripts/get-data mnist");
  require_failure(mnist_attention(data, out, small + "--steps 1 --resume"), 1, "no checkpoint");
  require_success(mnist_attention(data, out, small + "--steps 1"));
  require_failure(mnist_attention(data, out, small + "--steps 2 --resume --conditional"), 1, "is not of this network");
  auto const images = data / "train-images-idx3-ubyte";
  put_bytes(images, "\x01" + bytes_of(images).substr(1));
  require_failure(mnist_attention(data, out, small + "--steps 1"), 1, "train-images-idx3-ubyte");
}
