// afhq train: on a few tiny pictures it leaves what it should, goes on where it stopped, and says what is wrong.
#include <stipple/io/checkpoint.hpp>
#include <stipple/io/read_png.hpp>

#include "afhq_commands.hpp"

using namespace stipple;

TEST_CASE("afhq train: numbers, log, pictures and checkpoints") {
  ScratchFolder const folder;
  auto const data = prepared(folder), out = folder / "run";
  auto const text =
      require_success(train(data, out, "--steps 7 --log-interval 3 --keep-every 4 --warmup 4 --precision fp32"));
  CHECK(text.output.find("Mean loss of the last 500 steps") != std::string::npos);
  CHECK(logged_losses(out).size() == 7);
  CHECK(metric(out, "steps") == 7);
  CHECK(metric(out, "images") == 10);
  CHECK(metric(out, "seed") == 63);
  CHECK(metric(out, "beta_end") == 0.02);
  auto const log = bytes_of(out / "log.jsonl");
  auto const first = parse_json(std::string_view(log).substr(0, log.find('\n')), "log");
  CHECK(get_number(first, "learning_rate", "log") == Approx(2e-4 / 4));  // 1 / 4 in the first step
  auto const config = read_json(out / "config.json");
  CHECK(config.at("classes").empty());
  CHECK(config.at("net").at("groups") == 4);
  for (const char* const name : {"step=0-0", "step=3-0", "step=3-3", "step=6-1", "step=7-2"})
    CHECK(read_png(out / (std::string(name) + ".png")).shape() == Shape{8, 12, 3});
  CHECK_FALSE(std::filesystem::exists(out / "step=4-0.png"));
  CHECK(read_png(out / "samples.png").dim(1) == 4 * (24 + 2) + 2);
  CHECK(read_png(out / "loss.png").size() > 0);
  CHECK(std::filesystem::exists(out / "checkpoint-4.safetensors"));
  CHECK_FALSE(std::filesystem::exists(out / "checkpoint-3.safetensors"));
}

TEST_CASE("afhq train: a checkpoint with each sheet of samples") {
  ScratchFolder const folder;
  auto const data = prepared(folder), out = folder / "run";
  auto const command = train(data, out, "--steps 100000 --log-interval 2 --checkpoint-every 100000");
  run_shell(command + " & pid=$!; while ! [ -e " + quoted(out / "step=4-0.png") +
            " ] && kill -0 $pid; do sleep 0.01; done; kill -KILL $pid; wait $pid");
  CHECK(read_training_state(out / "checkpoint.safetensors").step >= 2);
}

TEST_CASE("afhq train: another schedule and class embedding, which sampling knows") {
  ScratchFolder const folder;
  auto const data = prepared(folder), linear = folder / "linear", out = folder / "run";
  require_success(train(data, linear, "--steps 1 --use-cfg"));
  std::string const options = "--steps 1 --use-cfg --class-embedding table --schedule quadratic --beta-end 0.3 ";
  require_success(train(data, out, options));
  // A linear layer of (classes + 1) inputs has a bias, a table has none: 4 * width numbers.
  CHECK(metric(linear, "parameters") == metric(out, "parameters") + 16);
  CHECK(get_string(read_json(linear / "metrics.json"), "class_embedding", "metrics.json") == "linear");
  CHECK(get_string(read_json(out / "metrics.json"), "class_embedding", "metrics.json") == "table");
  CHECK(get_string(read_json(out / "metrics.json"), "noise_schedule", "metrics.json") == "quadratic");
  auto const checkpoint = out / "checkpoint.safetensors";
  auto const configuration = read_training_state(checkpoint).configuration.at("program");
  CHECK(get_number(configuration, "beta_end", "program") == 0.3);
  CHECK_FALSE(read_training_state(linear / "checkpoint.safetensors").configuration.at("program").contains("beta_end"));
  require_success(sample(checkpoint, folder / "samples", "--count 1 --sampler ddim --steps 5 --eta 1"));
  CHECK(get_number(read_json(folder / "samples/sampling.json"), "eta", "sampling.json") == 1);
  require_success(train(data, out, options + "--resume"));
  require_failure(train(data, out, "--steps 2 --use-cfg --class-embedding table --resume"), 1,
                  "the checkpoint has program.noise_schedule");
  require_failure(train(data, out, "--steps 2 --use-cfg --resume"), 1, "is not of this network");
}

TEST_CASE("afhq train: Technion's preset tells the network the class") {
  ScratchFolder const folder;
  auto const data = prepared(folder), out = folder / "run";
  require_success(train(data, out, "--preset technion --steps 2 --gradient-checkpointing --ema 0.9"));
  auto const config = read_json(out / "config.json");
  CHECK(config.at("classes") == Json::array({"cat", "owl"}));
  CHECK(config.at("log_interval") == 200);
  CHECK(metric(out, "p_uncond") == 0.1);
  CHECK(metric(out, "batch") == 4);
}

TEST_CASE("afhq train: stopped by a signal and resumed, the bytes are the same") {
  ScratchFolder const folder;
  auto const data = prepared(folder), whole = folder / "whole", parts = folder / "parts";
  std::string const options = "--steps 60 --log-interval 20 --keep-every 20 --use-cfg --flip --ema 0.99 ";
  require_success(train(data, whole, options + "--threads 2"));
  require_interrupted(train(data, parts, options + "--threads 1 --checkpoint-every 3"), parts);
  CHECK_FALSE(std::filesystem::exists(parts / "metrics.json"));
  require_success(train(data, parts, options + "--threads 1 --resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  for (const char* const name : {"checkpoint-20.safetensors", "checkpoint-60.safetensors", "step=40-1.png"})
    CHECK(bytes_of(parts / name) == bytes_of(whole / name));
}

TEST_CASE(
    "afhq train: a picture that cannot be written costs no step, other pixels are refused, a kept checkpoint too") {
  ScratchFolder const folder;
  auto const data = prepared(folder), whole = folder / "whole", parts = folder / "parts";
  std::string const options = "--steps 6 --log-interval 3 --keep-every 3 ";
  require_success(train(data, whole, options));
  std::filesystem::create_directories(parts / "step=3-0.png");
  require_failure(train(data, parts, options), 1, "training is saved at step 3, from which a resume goes on");
  CHECK_FALSE(std::filesystem::exists(parts / "checkpoint-3.safetensors"));
  std::filesystem::remove(parts / "step=3-0.png");
  require_success(train(data, parts, options + "--resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  for (const char* const name : {"checkpoint-3.safetensors", "samples.png", "step=3-0.png", "loss.png"})
    CHECK(bytes_of(parts / name) == bytes_of(whole / name));
  std::filesystem::copy_file(whole / "checkpoint-3.safetensors", whole / "checkpoint.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  require_failure(train(data, whole, options + "--resume"), 1, "is kept for sampling, without the optimiser's state");
  require_success(afhq("prepare " + quoted(folder / "images") + " " + quoted(data) +
                       " --image-height 8 --image-width 12 --filter lanczos --quiet"));
  require_failure(train(data, parts, options + "--resume"), 1, "the checkpoint has program.sha256_of_training_images");
}
