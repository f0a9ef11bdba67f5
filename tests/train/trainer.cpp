// Trainer: epochs, losses, log, callbacks, what it does by hand, and runs that go wrong.
#include <unistd.h>

#include <limits>

#include "check.hpp"
#include "scratch_folder.hpp"
#include "tiny_run.hpp"

using namespace stipple;

namespace {

std::vector<Json> log_lines(const FilePath& path) {
  std::vector<Json> lines;
  auto const text = bytes_of(path);
  for (std::size_t begin = 0; begin < text.size();) {
    auto const end = text.find('\n', begin);
    lines.push_back(parse_json(std::string_view(text).substr(begin, end - begin), "log_lines"));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("Trainer: the same weights as the loop by hand") {
  auto model = tiny_model<float>(), by_hand = tiny_model<float>();
  auto config = tiny_config({});
  Trainer trainer{model, tiny_optimizer, config};
  auto const result = trainer.fit(tiny_images(), 3, tiny_loss<float>(model));
  CHECK(result.step == 15);
  REQUIRE(result.epoch_losses.size() == 3);

  by_hand.track_ema({.decay = config.ema});
  Loader loader{tiny_images(), {.batch = 8, .flip = true, .seed = 7}};
  Rng rng(7);
  auto const loss_of = tiny_loss<float>(by_hand);
  double sum = 0;
  while (loader.epoch() < 3) {
    Training const training(rng);
    auto const step = loader.taken();
    auto const loss = loss_of(loader.next(), rng);
    loss.backward();
    tiny_optimizer.step(by_hand, {.learning_rate_factor = config.schedule(step), .max_norm = 1});
    if (step < 5) sum += static_cast<double>(loss.item());
  }
  CHECK(same_bits(by_hand.weights(), model.weights()));
  CHECK(same_bits(std::as_const(by_hand).ema_state().weights, std::as_const(model).ema_state().weights));
  CHECK(result.epoch_losses[0] == sum / 5);
  CHECK(model.net().passes.value.item() == 15);
}

TEST_CASE("Trainer: learns, and the steps of the log are those that were done") {
  ScratchFolder const folder;
  auto model = tiny_model<float>();
  auto config = tiny_config(folder / "a/b");
  config.schedule = nullptr;
  config.validate_every = 10;
  config.sample_every = 7;
  Trainer trainer{model, tiny_optimizer, config};
  std::vector<std::int64_t> sampled;
  trainer.validate = [&](std::int64_t step) {
    CHECK_FALSE(is_training());
    CHECK_FALSE(model.net().first.scale.var.requires_grad());
    return 100.0 + static_cast<double>(step);
  };
  trainer.sample = [&](std::int64_t step) { sampled.push_back(step); };
  auto const result = trainer.fit(tiny_images(), 5, tiny_loss<float>(model));
  CHECK(sampled == std::vector<std::int64_t>{7, 14, 21});
  CHECK(result.epoch_losses.back() < 0.9 * result.epoch_losses.front());
  auto const lines = log_lines(folder / "a/b/log.jsonl");
  REQUIRE(lines.size() == 25);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(lines[i].at("step") == static_cast<std::int64_t>(i) + 1);
    CHECK(lines[i].at("epoch") == static_cast<std::int64_t>(i) / 5);
    CHECK(lines[i].at("learning_rate") == 1e-2);
    CHECK(lines[i].at("gradient_norm").get<double>() > 0);
    CHECK(lines[i].contains("epoch_loss") == ((i + 1) % 5 == 0));
  }
  CHECK(lines[9].at("validation") == 110);
  CHECK_FALSE(lines[10].contains("validation"));
  CHECK(lines.back().at("loss") == result.loss);
  CHECK(lines.back().at("epoch_loss") == result.epoch_losses.back());
}

TEST_CASE("Trainer: samples after the first step, and checkpoints with samples, besides those after steps or seconds") {
  ScratchFolder const folder;
  auto const saved = [&](TrainerConfig config) {
    auto model = tiny_model<float>();
    config.sample_every = 4;
    config.sample_first = true;
    Trainer trainer{model, tiny_optimizer, config};
    std::vector<std::int64_t> sampled, steps;
    trainer.sample = [&](std::int64_t step) { sampled.push_back(step); };
    trainer.fit_steps(tiny_images(), 9, [&](const ImageBatch& batch, Rng& rng) {
      std::error_code error;
      auto const path = trainer.checkpoint_path();
      auto const step = std::filesystem::exists(path, error) ? read_training_state(path).step : 0;
      if (steps.empty() || steps.back() != step) steps.push_back(step);
      return tiny_loss<float>(model)(batch, rng);
    });
    CHECK(sampled == std::vector<std::int64_t>{1, 4, 8});
    return steps;
  };
  auto config = tiny_config(folder / "by-time");
  CHECK(saved(config) == std::vector<std::int64_t>{0});
  config.out = folder / "with-samples";
  config.checkpoint_samples = true;
  CHECK(saved(config) == std::vector<std::int64_t>{0, 1, 4, 8});
  config.out = folder / "and-every-three-steps";
  config.checkpoint_every = 3;
  CHECK(saved(config) == std::vector<std::int64_t>{0, 1, 3, 4, 6, 8});
}

TEST_CASE("Trainer: the seconds of the log are without samples, but with validation") {
  ScratchFolder const folder;
  auto model = tiny_model<float>();
  auto config = tiny_config(folder / "run");
  config.validate_every = 2;
  config.sample_every = 3;
  Trainer trainer{model, tiny_optimizer, config};
  trainer.validate = [](std::int64_t) { return usleep(20'000), 0.0; };
  trainer.sample = [](std::int64_t) { usleep(500'000); };
  auto const result = trainer.fit_steps(tiny_images(), 4, tiny_loss<float>(model));
  auto const lines = log_lines(folder / "run/log.jsonl");
  REQUIRE(lines.size() == 4);
  for (std::size_t i = 1; i < 4; ++i) CHECK(lines[i].at("seconds") > lines[i - 1].at("seconds"));
  CHECK(lines[3].at("seconds").get<double>() >= 0.04);
  CHECK(lines[3].at("seconds").get<double>() <= result.seconds - 0.5);
}

TEST_CASE("Trainer: checkpoints to keep have the state of their step and no moments") {
  ScratchFolder const folder;
  auto model = tiny_model<bf16>(), other = tiny_model<bf16>();
  auto config = tiny_config(folder / "run");
  config.keep_every = 4;
  Trainer trainer{model, tiny_optimizer, config};
  trainer.fit_steps(tiny_images(), 4, tiny_loss<bf16>(model));
  auto const kept = folder / "run/checkpoint-4.safetensors";
  CHECK(load_checkpoint(kept, other).step == 4);
  CHECK(same_bits(other.weights(), model.weights()));
  CHECK(other.optimizer_state().moments.empty());
  require_error([&] { trainer.resume(kept); }, "checkpoint-4.safetensors' is kept for sampling, without the optimiser");
  CHECK(model.optimizer_state().moments.size() == 2);
  auto const bytes = bytes_of(kept);
  trainer.fit_steps(tiny_images(), 9, tiny_loss<bf16>(model));
  CHECK(bytes_of(kept) == bytes);
  CHECK(std::filesystem::exists(folder / "run/checkpoint-8.safetensors"));
  CHECK_FALSE(std::filesystem::exists(folder / "run/checkpoint-9.safetensors"));
  CHECK_THROWS_AS((Trainer{model, tiny_optimizer, {.keep_every = 1}}), Error);
}

TEST_CASE("Trainer: the log can be sparse, epochs and validation stay") {
  ScratchFolder const folder;
  auto model = tiny_model<float>();
  auto config = tiny_config(folder / "run");
  config.log_every = 4;
  Trainer trainer{model, tiny_optimizer, config};
  trainer.fit(tiny_images(), 2, tiny_loss<float>(model));
  std::vector<std::int64_t> steps;
  for (auto const& line : log_lines(folder / "run/log.jsonl")) steps.push_back(line.at("step").get<std::int64_t>());
  CHECK(steps == std::vector<std::int64_t>{4, 5, 8, 10});
}

TEST_CASE("Trainer: without a data set, and for more epochs afterwards") {
  auto model = tiny_model<float>();
  auto config = tiny_config({});
  Trainer trainer{model, Sgd{{.learning_rate = 0.01}}, config};
  auto const loss = [&](Rng& rng) {
    auto const x = rng.normal({4, 6});
    return mean_squared_error(model(Var<float>(x)), x);
  };
  CHECK(trainer.train(10, loss).step == 10);
  CHECK(trainer.train(10, loss).step == 10);
  CHECK(trainer.train(12, [&] { return loss(trainer.rng()); }).step == 12);
  // Epochs count on their own, and each call goes on where the last one ended.
  CHECK(trainer.fit(tiny_images(), 1, tiny_loss<float>(model)).step == 17);
  auto const result = trainer.fit(tiny_images(), 3, tiny_loss<float>(model));
  CHECK(result.step == 27);
  CHECK(result.epoch_losses.size() == 3);
}

TEST_CASE("Trainer: a run that has used up its time ends after the step, with a checkpoint") {
  ScratchFolder const folder;
  auto model = tiny_model<float>();
  auto config = tiny_config(folder / "run");
  config.max_seconds = 1e-9;
  Trainer trainer{model, tiny_optimizer, config};
  CHECK(trainer.fit_steps(tiny_images(), 9, tiny_loss<float>(model)).step == 1);
  CHECK(read_training_state(trainer.checkpoint_path()).step == 1);
  CHECK(trainer.fit_steps(tiny_images(), 9, tiny_loss<float>(model)).step == 2);
}

TEST_CASE("Trainer: a loss that is not finite names the step and the weights, and no checkpoint is written") {
  ScratchFolder const folder;
  auto model = tiny_model<float>();
  auto config = tiny_config(folder / "run");
  config.checkpoint_every = 1;
  Trainer trainer{model, tiny_optimizer, config};
  auto const nan = std::numeric_limits<float>::quiet_NaN();
  auto const loss = tiny_loss<float>(model);
  auto const spoil_weights = [&](const ImageBatch& batch, Rng& rng) {
    if (trainer.step() == 4) model.view(model.weights(), 2).fill(nan);
    return loss(batch, rng);
  };
  require_error(
      [&] { trainer.fit_steps(tiny_images(), 9, spoil_weights); },
      "the loss of step 5 is not a number; the first weights that are not finite are those of 'second.scale'");
  require_error([&] { trainer.save(); }, "the weights of 'second.scale' are not finite after step 4");
  CHECK(read_training_state(trainer.checkpoint_path()).step == 4);

  trainer.resume();
  auto const spoil_data = [&](ImageBatch batch, Rng& rng) {
    if (trainer.step() == 6) batch.images.fill(std::numeric_limits<float>::infinity());
    return loss(batch, rng);
  };
  require_error([&] { trainer.fit_steps(tiny_images(), 9, spoil_data); }, "the loss of step 7 is ");
  require_error([&] { trainer.fit_steps(tiny_images(), 9, spoil_data); }, "all weights are finite");
}

TEST_CASE("Trainer: folders that cannot be written, settings that do not fit") {
  ScratchFolder const folder;
  auto model = tiny_model<float>();
  put_bytes(folder / "file", "x");
  Trainer in_file{model, tiny_optimizer, tiny_config(folder / "file" / "run")};
  require_error([&] { in_file.fit(tiny_images(), 1, tiny_loss<float>(model)); }, "cannot create the folder");
  CHECK(in_file.step() == 0);
  if (geteuid() != 0) {  // root may write everywhere
    std::filesystem::create_directory(folder / "locked");
    std::filesystem::permissions(folder / "locked", std::filesystem::perms::owner_read);
    Trainer locked{model, tiny_optimizer, tiny_config(folder / "locked")};
    require_error([&] { locked.fit(tiny_images(), 1, tiny_loss<float>(model)); }, "cannot create");
  }
  auto config = tiny_config({});
  config.checkpoint_every = 5;
  require_error([&] { Trainer{model, tiny_optimizer, config}; }, "without a folder");
  config = tiny_config({});
  config.batch = 41;
  config.drop_last = true;
  Trainer counted{model, tiny_optimizer, tiny_config({})};
  auto const loss = tiny_loss<float>(model);
  CHECK(counted.fit_steps(tiny_images(), 3, loss).step == 3);
  auto const most = (std::numeric_limits<std::int64_t>::max() - 3) / 5;
  for (auto const epochs : {most + 1, std::numeric_limits<std::int64_t>::max()})
    require_error(
        [&] { counted.fit(tiny_images(), epochs, loss); },
        "fit: given " + std::to_string(epochs) + " epochs of 5 batches, wanted at most " + std::to_string(most));
  CHECK(counted.fit(tiny_images(), std::numeric_limits<std::int64_t>::min(), loss).step == 3);
  CHECK(counted.fit(tiny_images(), 1, loss).step == 5);
  Trainer small{model, tiny_optimizer, config};
  require_error([&] { small.fit(tiny_images(), 1, tiny_loss<float>(model)); }, "given 40 samples");
}

TEST_CASE("progress_text: bar, rate, time left, loss, memory") {
  CHECK(progress_text({.step = 37, .total = 100, .steps_per_second = 12.34, .loss = 0.05321, .memory = 412 << 20}) ==
        " 37%  37/100  12.3 steps/s  0:05 left  loss 0.05321  412 MiB");
  CHECK(progress_text({.step = 1, .total = 4, .loss = 1}, 8) == "[##......]  25%  1/4  loss 1  0 MiB");
  CHECK(progress_text({.step = 0, .total = 10000, .steps_per_second = 1, .memory = std::size_t{3} << 30}) ==
        "  0%  0/10000  1.0 steps/s  2:46:40 left  loss 0  3.0 GiB");
  CHECK(progress_text({.step = 1, .total = 4, .loss = std::numeric_limits<double>::quiet_NaN()}) == " 25%  1/4  0 MiB");
}

TEST_CASE("Progress: plain lines where there is no terminal, nothing when quiet") {
  ScratchFolder const folder;
  auto const shown = [&](bool quiet) {
    auto* const stream = std::fopen((folder / "progress").c_str(), "w");
    REQUIRE(stream != nullptr);
    {
      Progress progress(
          0, 10, quiet, [] { return std::size_t{5} << 20; }, stream);
      for (int step = 1; step <= 10; ++step) progress.update(step, 0.5);
    }
    std::fclose(stream);
    return bytes_of(folder / "progress");
  };
  auto const text = shown(false);
  CHECK(text.substr(0, 13) == "100%  10/10  ");
  CHECK(text.find("loss 0.5  5 MiB") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.find('\r') == std::string::npos);
  CHECK(shown(true).empty());
}
