// What the programs do so that no training is lost: folders that hold a run, callbacks that fail, other data, short
// logs.
#include <functional>

#include "media.hpp"
#include "program.hpp"

using Path = std::filesystem::path;

namespace {

// Twenty pictures of 28 x 28 and as many to test with, under the names of both data sets.
Path write_data(const ScratchFolder& folder) {
  for (const char* const name : {"mnist", "fashion-mnist"})
    for (const char* const split : {"train", "t10k"}) write_idx(folder / name, split, 20, 28);
  return folder.path();
}

// An epoch is three steps, or with mnist_attention two.
std::string command(const std::string& name, const Path& data, const std::string& options) {
  std::string tiny = " --batch 8 --quiet ";
  if (name == "mnist_attention") tiny += "--width 8 --timesteps 5 --validation-count 8 --sample-count 1 ";
  if (name == "mnist_guided") tiny += "--width 2 --timesteps 5 --sample-count 4 ";
  if (name == "mnist_denoiser") tiny += "--width 4 --test-count 4 ";
  if (name == "points2d") tiny += "--points 300 --sample-count 16 --ddim-steps 5 ";
  if (name != "points2d") tiny += "--data " + quoted(data) + " ";
  return program(name) + tiny + options + " ";
}

std::string to(const Path& out) { return " --out " + quoted(out); }

// metrics.json without what is measured by the clock or of the process.
stipple::Json lasting_metrics(const Path& out) {
  auto metrics = stipple::read_json(out / "metrics.json");
  for (const char* const name : {"train_seconds", "sample_seconds", "sample_seconds_ddpm", "sample_seconds_ddim",
                                 "examples_per_second", "peak_tensor_mib"})
    metrics.erase(name);
  return metrics;
}

}  // namespace

TEST_CASE("programs: a new run in the folder of another one moves that to a folder of its own") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const start = [&](const std::string& options) {
    return require_success(command("train_classifier", data, options) + to(out)).output;
  };
  std::vector<std::string> const files{"checkpoint.safetensors", "classifier.safetensors", "log.jsonl", "metrics.json"};
  CHECK(start("--steps 4").find("earlier") == std::string::npos);
  put_bytes(out / "notes.txt", "mine");
  std::vector<std::string> first;
  for (auto const& name : files) first.push_back(bytes_of(out / name));
  CHECK(start("--steps 2 --seed 5")
            .find("Moved the earlier run (step 4) to " + (out / "earlier-1").string() +
                  "; --resume goes on with a run.") != std::string::npos);
  for (std::size_t i = 0; i < files.size(); ++i) {
    CHECK(bytes_of(out / "earlier-1" / files[i]) == first[i]);
    CHECK(bytes_of(out / files[i]) != first[i]);
  }
  CHECK(bytes_of(out / "notes.txt") == "mine");
  CHECK(start("--steps 2 --seed 5").find("(step 2)") != std::string::npos);
  CHECK(checkpoint_bytes(out) == checkpoint_bytes(out / "earlier-2"));
  // A resume moves nothing, and goes on with what was moved too.
  CHECK(start("--steps 2 --seed 5 --resume").find("earlier") == std::string::npos);
  require_success(command("train_classifier", data, "--steps 4 --resume") + to(out / "earlier-1"));
  CHECK(checkpoint_bytes(out / "earlier-1") == first[0]);
  CHECK_FALSE(std::filesystem::exists(out / "earlier-3"));
}

TEST_CASE("programs: a second run in the folder of one that is at work is refused and changes nothing") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const start = command("train_classifier", data, "--checkpoint-every 1 --steps ");
  auto const second = start + "1" + to(out);
  auto const outcome =
      run_shell(start + "1000000" + to(out) + " & pid=$!; while ! [ -s " + quoted(out / "checkpoint.safetensors") +
                " ] && kill -0 $pid; do sleep 0.01; done; " + second + "; echo code $?; " + second +
                " --resume; echo code $?; kill -TERM $pid; wait $pid");
  INFO(outcome.output);
  CHECK(outcome.code == 143);
  auto const refused = "another run is at work in '" + out.string() + "'; wait until it has ended, or choose another " +
                       "folder\ncode 1\n";
  auto const first = outcome.output.find(refused);
  REQUIRE(first != std::string::npos);
  CHECK(outcome.output.find(refused, first + 1) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(out / "earlier-1"));
  CHECK_FALSE(std::filesystem::exists(out / ".lock"));
  CHECK_FALSE(logged_losses(out).empty());  // which requires that no step is missing or there twice
}

TEST_CASE("programs: the pictures of an earlier run move with it, others stay") {
  ScratchFolder const folder;
  auto const data = write_data(folder);
  auto const names_in = [](const Path& out) {
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::directory_iterator(out))
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with("."))
        names.push_back(entry.path().filename().string());
    return names;
  };
  auto const check = [&](const std::string& name, const std::string& first, const std::string& second) {
    INFO(name << " " << first);
    auto const out = folder / "run" / name;
    require_success(command(name, data, first) + to(out));
    auto const before = names_in(out);
    put_bytes(out / "photo.png", "mine");
    require_success(command(name, data, second) + to(out));
    for (auto const& file : before) {
      INFO(file);
      CHECK(std::filesystem::exists(out / "earlier-1" / file));
    }
    CHECK(bytes_of(out / "photo.png") == "mine");
    CHECK(before.size() >= 5);
  };
  check("mnist_attention", "--epochs 1", "--steps 1 --conditional --label 4");
  check("mnist_guided", "--steps 4", "--steps 1");
  check("mnist_denoiser", "--steps 4", "--steps 1");
  check("train_classifier", "--epochs 1", "--steps 1");
  check("fashion_mnist", "--steps 2 --timesteps 5 --sample-count 2", "--steps 1 --timesteps 5 --sample-count 2");
  check("points2d", "--steps 3 --recipe best", "--steps 1");
  CHECK_FALSE(std::filesystem::exists(folder / "run/points2d/samples_at_2.png"));
}

TEST_CASE("programs: without --out the folder has the name of what was chosen") {
  ScratchFolder const folder;
  auto const data = write_data(folder);
  auto const leaves = [&](const std::string& name, const std::string& options, const std::string& run) {
    require_success("cd " + quoted(folder.path()) + " && " + command(name, data, options + " --steps 1"));
    INFO(run);
    CHECK(std::filesystem::exists(folder / "runs" / run / "checkpoint.safetensors"));
  };
  leaves("train_classifier", "", "train_classifier");
  leaves("train_classifier", "--data-set fashion_mnist", "train_classifier-fashion_mnist");
  leaves("mnist_attention", "--conditional --recipe course", "mnist_attention-conditional");
  leaves("mnist_guided", "--network time", "mnist_guided-time");
  leaves("mnist_guided", "--preset later", "mnist_guided-later");
  leaves("mnist_denoiser", "", "mnist_denoiser");
  leaves("points2d", "--dataset moon --recipe best", "points2d-moon-best");
  auto const help = require_success(program("mnist_guided") + " --help").output;
  CHECK(help.find("runs/mnist_guided") != std::string::npos);
}

TEST_CASE("programs: a picture that cannot be written costs no training") {
  ScratchFolder const folder;
  auto const data = write_data(folder);
  auto const check = [&](const std::string& name, const std::string& options, const std::string& picture, int step,
                         const std::vector<std::string>& pictures) {
    INFO(name);
    auto const whole = folder / (name + "-whole"), parts = folder / (name + "-parts");
    require_success(command(name, data, options) + to(whole));
    std::filesystem::create_directories(parts / picture);
    require_failure(command(name, data, options) + to(parts), 1,
                    picture + "', wanted a regular file or a new name; training is saved at step " +
                        std::to_string(step) + ", from which a resume goes on");
    std::filesystem::remove(parts / picture);
    require_success(command(name, data, options) + to(parts) + " --resume");
    CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
    CHECK(logged_losses(parts) == logged_losses(whole));
    CHECK(lasting_metrics(parts) == lasting_metrics(whole));
    for (auto const& other : pictures) CHECK(bytes_of(parts / other) == bytes_of(whole / other));
  };
  check("mnist_attention", "--epochs 3", "loss.png", 2, {"loss.png", "history.png"});
  check("train_classifier", "--epochs 2", "accuracy.png", 3, {"accuracy.png", "confusion.png"});
  check("mnist_guided", "--epochs 2", "samples_epoch_1.png", 3, {"samples_epoch_1.png", "samples_epoch_1.gif"});
  check("mnist_denoiser", "--epochs 2", "denoised_epoch_1.png", 3, {"denoised_epoch_1.png"});
  check("points2d", "--steps 4 --sample-every 2", "samples_at_1.png", 2, {"samples_at_1.png", "samples_at_3.png"});
}

TEST_CASE("programs: a resume with other training images or labels is refused") {
  ScratchFolder const folder;
  auto const data = write_data(folder), other = folder / "other";
  auto const refuses = [&](const std::string& name, const std::string& options, const Path& file,
                           const std::string& words) {
    INFO(name);
    auto const out = folder / ("run-" + name);
    if (!std::filesystem::exists(out)) require_success(command(name, data, options + " --steps 2") + to(out));
    std::filesystem::remove_all(other);
    std::filesystem::create_directories(other);
    for (const char* const set : {"mnist", "fashion-mnist"})
      std::filesystem::copy(data / set, other / set, std::filesystem::copy_options::recursive);
    require_success(command(name, other, options + " --steps 2 --resume") + to(out));
    auto bytes = bytes_of(other / file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    put_bytes(other / file, bytes);
    auto const checkpoint = checkpoint_bytes(out);
    require_failure(command(name, other, options + " --steps 2 --resume") + to(out), 1,
                    "is of another run: the checkpoint has program." + words);
    CHECK(checkpoint_bytes(out) == checkpoint);
  };
  Path const images = "mnist/train-images-idx3-ubyte", labels = "mnist/train-labels-idx1-ubyte";
  refuses("mnist_guided", "", images, "sha256_of_training_images = \"");
  refuses("mnist_guided", "", labels, "sha256_of_training_labels = \"");
  refuses("mnist_denoiser", "", images, "sha256_of_training_images");
  refuses("train_classifier", "", labels, "sha256_of_training_labels");
}

TEST_CASE("programs: a log that a loss of power cut short leaves gaps, not zeros") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run", whole = folder / "whole";
  auto const values = [](const Path& run, const char* name) {
    return stipple::get_array(stipple::read_json(run / "metrics.json"), name, "metrics.json");
  };
  require_success(command("mnist_attention", data, "--epochs 5") + to(whole));
  require_success(command("mnist_attention", data, "--epochs 3") + to(out));
  auto const log = bytes_of(out / "log.jsonl");
  std::size_t end = 0;
  for (int line = 0; line < 3; ++line) end = log.find('\n', end) + 1;
  put_bytes(out / "log.jsonl", log.substr(0, end));  // the first epoch and a step
  require_success(command("mnist_attention", data, "--epochs 5 --resume") + to(out));
  CHECK(checkpoint_bytes(out) == checkpoint_bytes(whole));
  CHECK(values(out, "epoch_losses") == values(whole, "epoch_losses"));
  auto wanted = values(whole, "epoch_validation_losses");
  REQUIRE(wanted.size() == 5);
  wanted[1] = wanted[2] = nullptr;
  CHECK(values(out, "epoch_validation_losses") == wanted);
  CHECK(bytes_of(out / "loss.png") != bytes_of(whole / "loss.png"));

  // Without any log.
  auto const bare = folder / "bare";
  require_success(command("train_classifier", data, "--epochs 2") + to(bare));
  std::filesystem::remove(bare / "log.jsonl");
  require_success(command("train_classifier", data, "--epochs 2 --resume") + to(bare));
  CHECK(values(bare, "epoch_test_accuracies") == stipple::Json::array({nullptr, nullptr}));
  CHECK(stipple::read_json(bare / "metrics.json").at("loss").is_null());
}
