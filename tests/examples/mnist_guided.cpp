// mnist_guided: on a few pictures it leaves what it should, goes on where it stopped, and says what is wrong.
#include <stipple/io/read_png.hpp>

#include "media.hpp"
#include "program.hpp"

namespace {

std::filesystem::path write_data(const ScratchFolder& folder) {
  auto const data = folder / "mnist";
  write_idx(data, "train", 12, 28);
  return data;
}

// An epoch is two steps.
std::string mnist_guided(const std::filesystem::path& data, const std::filesystem::path& out,
                         const std::string& options) {
  return program("mnist_guided") + " --data " + quoted(data) + " --out " + quoted(out) +
         " --batch 8 --sample-count 20 --quiet " + options;
}

void check_samples(const std::filesystem::path& out, const std::string& name) {
  auto const grid = stipple::read_png(out / (name + ".png"));
  INFO(name);
  CHECK(grid.dim(0) == 2 * (2 * 28 + 2) + 2);
  CHECK(grid.dim(1) == 10 * (2 * 28 + 2) + 2);
}

// How many frames an animation of samples has.
std::size_t frame_count(const std::filesystem::path& path) {
  int error = 0;
  GifFileType* const gif = DGifOpenFileName(path.c_str(), &error);
  REQUIRE(gif != nullptr);
  REQUIRE(DGifSlurp(gif) == GIF_OK);
  auto const count = static_cast<std::size_t>(gif->ImageCount);
  REQUIRE(DGifCloseFile(gif, &error) == GIF_OK);
  return count;
}

}  // namespace

TEST_CASE("mnist_guided: numbers, log and pictures of six epochs") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  require_success(mnist_guided(data, out, "--width 2 --epochs 6 --timesteps 25"));
  auto const losses = logged_losses(out);
  REQUIRE(losses.size() == 12);
  auto const metrics = stipple::read_json(out / "metrics.json");
  auto const epochs = stipple::get_array(metrics, "epoch_losses", "metrics.json").get<std::vector<double>>();
  REQUIRE(epochs.size() == 6);
  CHECK(epochs[5] == Approx((losses[10] + losses[11]) / 2));
  CHECK(metric(out, "p_uncond") == 0.1);
  CHECK(metric(out, "guidance") == 5);
  CHECK(metric(out, "seed") == 1);
  CHECK(metric(out, "sample_seed") == 2);
  for (const char* const name : {"samples_epoch_1", "samples_epoch_5", "samples_epoch_6"}) {
    check_samples(out, name);
    CHECK(frame_count(out / (std::string(name) + ".gif")) == 9);  // t = 25, 20, 7, ..., 1
  }
  CHECK_FALSE(std::filesystem::exists(out / "samples_epoch_2.png"));
  CHECK(stipple::read_png(out / "loss.png").size() > 0);
}

TEST_CASE("mnist_guided: the course's networks have its parameters, and 300 timesteps make 22 frames") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  std::string const options = "--steps 1 --timesteps 2 --precision fp32";
  require_success(mnist_guided(data, folder / "class", options));
  CHECK(metric(folder / "class", "parameters") == 8060673);
  require_success(mnist_guided(data, folder / "time", options + " --network time"));
  CHECK(metric(folder / "time", "parameters") == 7974145);
  CHECK(metric(folder / "time", "p_uncond") == 0);
  CHECK_FALSE(stipple::read_json(folder / "time/metrics.json").contains("guidance"));
  require_success(mnist_guided(data, out, "--width 2 --steps 1"));
  check_samples(out, "samples_step_1");
  CHECK(frame_count(out / "samples_step_1.gif") == 22);
}

TEST_CASE("mnist_guided: presets, and the guidance that the samples follow") {
  ScratchFolder const folder;
  auto const data = write_data(folder), later = folder / "later", out = folder / "run";
  std::string const few = " --timesteps 5 --sample-count 10 --quiet ";
  auto const run = [&](const std::filesystem::path& to, const std::string& options) {
    require_success(program("mnist_guided") + " --data " + quoted(data) + " --out " + quoted(to) + few + options);
  };
  run(later, "--preset later --epochs 2 --width 2");
  CHECK(metric(later, "width") == 2);
  CHECK(metric(later, "batch") == 128);
  CHECK(metric(later, "decay") == Approx(std::sqrt(0.1)));
  auto const log = bytes_of(later / "log.jsonl");
  auto const second = stipple::parse_json(std::string_view(log).substr(log.find('\n') + 1), "log");
  CHECK(stipple::get_number(second, "learning_rate", "log") == Approx(1e-3 * std::sqrt(0.1)));
  std::string const tiny = "--width 2 --learning-rate 0.05 --steps 10 --batch 8 ";
  run(out, tiny);
  CHECK(metric(out, "decay") == 1);
  auto const guided = bytes_of(out / "samples_epoch_5.png");
  run(out, tiny + "--guidance 0");
  CHECK(bytes_of(out / "samples_epoch_5.png") != guided);
}

TEST_CASE("mnist_guided: a run that is done samples by another sampler, in other steps, from another seed") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  std::string const tiny = "--width 2 --timesteps 25 --steps 2 --learning-rate 0.05 ";
  require_success(mnist_guided(data, out, tiny));
  auto const checkpoint = checkpoint_bytes(out), picture = bytes_of(out / "samples_epoch_1.png");
  CHECK(metric(out, "sampler_steps") == 25);
  std::vector<std::string> pictures{picture};
  for (const char* const options : {"--sampler ddim --sample-steps 6", "--sampler ddim --sample-steps 6 --eta 1",
                                    "--sampler heun --sample-steps 3", "--sample-seed 7", "--variance large"}) {
    INFO(options);
    require_success(mnist_guided(data, out, tiny + "--resume " + options));
    CHECK(checkpoint_bytes(out) == checkpoint);
    pictures.push_back(bytes_of(out / "samples_epoch_1.png"));
    for (std::size_t i = 0; i + 1 < pictures.size(); ++i) CHECK(pictures[i] != pictures.back());
    if (pictures.size() == 3) {
      auto const metrics = stipple::read_json(out / "metrics.json");
      CHECK(stipple::get_string(metrics, "sampler", "metrics.json") == "ddim");
      CHECK(metric(out, "eta") == 1);
      CHECK_FALSE(metrics.contains("variance"));
      CHECK(frame_count(out / "samples_epoch_1.gif") == 6);
    }
  }
  require_success(mnist_guided(data, out, tiny + "--resume"));
  CHECK(bytes_of(out / "samples_epoch_1.png") == picture);
}

TEST_CASE("mnist_guided: another schedule is another run") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run", cosine = folder / "cosine", wide = folder / "wide";
  std::string const tiny = "--width 2 --timesteps 5 --steps 2 ";
  require_success(mnist_guided(data, out, tiny + "--schedule linear --beta-end 0.02"));
  CHECK(stipple::get_string(stipple::read_json(out / "metrics.json"), "noise_schedule", "metrics.json") == "linear");
  CHECK(metric(out, "beta_start") == 1e-4);
  require_success(mnist_guided(data, cosine, tiny + "--schedule cosine"));
  CHECK(stipple::get_string(stipple::read_json(cosine / "metrics.json"), "noise_schedule", "metrics.json") == "cosine");
  require_success(mnist_guided(data, wide, tiny + "--beta-start 0.01 --beta-end 0.9"));
  CHECK(metric(wide, "beta_end") == 0.9);
  CHECK(logged_losses(out) != logged_losses(cosine));
  CHECK(logged_losses(out) != logged_losses(wide));
  require_failure(mnist_guided(data, cosine, tiny + "--resume"), 1, "the checkpoint has program.noise_schedule");
  require_failure(mnist_guided(data, wide, tiny + "--beta-start 0.01 --resume"), 1,
                  "the checkpoint has program.beta_end");
  require_success(mnist_guided(data, wide, tiny + "--beta-start 0.01 --beta-end 0.9 --resume"));
}

TEST_CASE("mnist_guided: stopped by a signal and resumed, the bytes are the same") {
  ScratchFolder const folder;
  auto const data = write_data(folder), whole = folder / "whole", parts = folder / "parts";
  std::string const options = "--width 2 --timesteps 9 --epochs 30 --decay 0.9";
  require_success(mnist_guided(data, whole, options + " --threads 2"));
  require_interrupted(mnist_guided(data, parts, options + " --threads 1 --checkpoint-every 3"), parts);
  CHECK_FALSE(std::filesystem::exists(parts / "metrics.json"));
  CHECK(stipple::read_png(parts / "loss.png").size() > 0);
  require_success(mnist_guided(data, parts, options + " --threads 1 --resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  for (const char* const name : {"samples_epoch_1.png", "samples_epoch_25.gif", "samples_epoch_30.gif"})
    CHECK(bytes_of(parts / name) == bytes_of(whole / name));
}

TEST_CASE("mnist_guided: what cannot be done is said in a sentence") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const help = require_success(program("mnist_guided") + " --help").output;
  for (const char* const words : {"--network",
                                  "--preset",
                                  "--guidance",
                                  "--p-uncond",
                                  "--epochs",
                                  "--steps",
                                  "--max-minutes",
                                  "--batch",
                                  "--learning-rate",
                                  "--decay",
                                  "--width",
                                  "--out",
                                  "--seed",
                                  "--threads",
                                  "--precision",
                                  "--resume",
                                  "--checkpoint-every",
                                  "--data",
                                  "--quiet",
                                  "CS180",
                                  "Time to expect"})
    CHECK(help.find(words) != std::string::npos);
  std::string const tiny = "--width 2 --timesteps 5 ";
  require_failure(mnist_guided(data, out, "--network none"), 2, "--network");
  require_failure(mnist_guided(data, out, "--p-uncond 2"), 2, "--p-uncond");
  require_failure(mnist_guided(folder / "nowhere", out, ""), 1, "scripts/get-data mnist");
  require_failure(mnist_guided(data, out, tiny + "--steps 1 --resume"), 1, "no checkpoint");
  require_success(mnist_guided(data, out, tiny + "--steps 1"));
  require_failure(mnist_guided(data, out, tiny + "--steps 2 --network time --resume"), 1, "is not of this network");
  require_failure(mnist_guided(data, out, tiny + "--steps 2 --network time --guidance 2"), 1,
                  "--guidance: --network time is told no classes");
  require_failure(mnist_guided(data, out, tiny + "--steps 2 --network time --p-uncond 0"), 1, "--p-uncond: ");
  require_failure(mnist_guided(data, out, tiny + "--steps 2 --p-uncond 0.2 --resume"), 1, "is of another run");
  require_failure(mnist_guided(data, out, tiny + "--schedule cosine --beta-end 0.1"), 1,
                  "--beta-end: the cosine schedule");
  require_failure(mnist_guided(data, out, tiny + "--beta-end 1.5"), 1, "wanted a number between 0 and 1");
  require_failure(mnist_guided(data, out, tiny + "--beta-start 0"), 2, "--beta-start");
  require_failure(mnist_guided(data, out, tiny + "--schedule cubic"), 2, "--schedule");
  require_failure(mnist_guided(data, out, tiny + "--sampler plms"), 2, "--sampler");
  require_failure(mnist_guided(data, out, tiny + "--sampler ddim --variance small"), 1, "--variance: is of ddpm");
  require_failure(mnist_guided(data, out, tiny + "--eta 0.5"), 1, "--eta: is of ddim, given --sampler ddpm");
  require_failure(mnist_guided(data, out, tiny + "--sampler ddim --eta 2"), 2, "--eta");
  require_failure(mnist_guided(data, out, tiny + "--sample-steps 6"), 1,
                  "--sample-steps: given 6 steps, wanted 1 to 5");
  auto const labels = data / "train-labels-idx1-ubyte";
  put_bytes(labels, bytes_of(labels).substr(0, 8) + std::string(12, '\x0b'));
  require_failure(mnist_guided(data, out, tiny + "--steps 1"), 1, "given id 11");
}
