// Callbacks that fail, hang-ups, and checkpoints by the clock: nothing that was trained is lost.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>

#include "check.hpp"
#include "scratch_folder.hpp"
#include "tiny_run.hpp"

using namespace stipple;

namespace {

/// What a run leaves that has samples every 8, validation every 6 and a checkpoint to keep every 12 of its steps.
struct Trace {
  std::vector<std::int64_t> validated, sampled;
  std::string failure;  ///< words of the error that ended it
};

// At step `fails_at`, `fail_validation` and `fail_sample` are called.
Trace run(const FilePath& out, std::int64_t steps, bool resumes, std::int64_t fails_at = 0,
          const std::function<void()>& fail_validation = {}, const std::function<void()>& fail_sample = {}) {
  Trace trace;
  auto model = tiny_model<float>();
  auto config = tiny_config(out);
  config.validate_every = 6;
  config.sample_every = 8;
  config.keep_every = 12;
  Trainer trainer{model, tiny_optimizer, config};
  trainer.validate = [&](std::int64_t step) {
    CHECK_FALSE(is_training());
    if (step == fails_at && fail_validation) fail_validation();
    trace.validated.push_back(step);
    return static_cast<double>(trainer.epoch_losses().size()) + static_cast<double>(model.weights().data()[0]);
  };
  trainer.sample = [&](std::int64_t step) {
    if (step == fails_at && fail_sample) fail_sample();
    trace.sampled.push_back(step);
  };
  if (resumes) trainer.resume();
  try {
    auto const result = trainer.fit_steps(tiny_images(), steps, tiny_loss<float>(model));
    CHECK(result.step == steps);
  } catch (const Error& error) {
    trace.failure = error.what();
  }
  return trace;
}

std::string log_without_seconds(const FilePath& out) {
  auto text = bytes_of(out / "log.jsonl");
  for (auto at = text.find(",\"seconds\""); at != std::string::npos; at = text.find(",\"seconds\""))
    text.erase(at, text.find('}', at) - at);
  return text;
}

void require_same_run(const FilePath& out, const FilePath& whole) {
  for (const char* const name : {"checkpoint.safetensors", "checkpoint-12.safetensors", "checkpoint-24.safetensors",
                                 "checkpoint-36.safetensors"})
    CHECK(bytes_of(out / name) == bytes_of(whole / name));
  CHECK(log_without_seconds(out) == log_without_seconds(whole));
}

}  // namespace

TEST_CASE("Trainer: a callback that throws loses no step, and is called again") {
  ScratchFolder const folder;
  auto const whole = folder / "whole";
  CHECK(run(whole, 40, false).failure.empty());
  auto const full_disk = [] { fail("write: no space"); };

  // Step 24 has validation, samples and a checkpoint to keep.
  auto const out = folder / "sample";
  auto const first = run(out, 40, false, 24, {}, full_disk);
  CHECK(first.failure == "write: no space; training is saved at step 24, from which a resume goes on");
  CHECK(first.validated.back() == 24);
  CHECK_FALSE(std::filesystem::exists(out / "checkpoint-24.safetensors"));
  CHECK(read_training_state(out / "checkpoint.safetensors").step == 24);
  CHECK(run(out, 40, true, 24, full_disk).failure == first.failure);  // nor does a second failure
  auto const last = run(out, 40, true);
  CHECK(last.validated == std::vector<std::int64_t>{24, 30, 36});
  CHECK(last.sampled == std::vector<std::int64_t>{24, 32, 40});
  require_same_run(out, whole);

  // After the last step there is nothing to train, but still something to do.
  auto const end = folder / "end";
  CHECK(run(end, 40, false, 40, {}, full_disk).failure.ends_with("from which a resume goes on"));
  CHECK(bytes_of(end / "checkpoint.safetensors") != bytes_of(whole / "checkpoint.safetensors"));
  CHECK(run(end, 40, true).sampled == std::vector<std::int64_t>{40});
  require_same_run(end, whole);

  // A checkpoint to keep that cannot be written.
  auto const kept = folder / "kept";
  std::filesystem::create_directories(kept / "checkpoint-12.safetensors");
  CHECK(run(kept, 40, false).failure.find("wanted a regular file or a new name; training is saved at step 12") !=
        std::string::npos);
  std::filesystem::remove(kept / "checkpoint-12.safetensors");
  CHECK(run(kept, 40, true).validated == std::vector<std::int64_t>{12, 18, 24, 30, 36});
  require_same_run(kept, whole);
}

TEST_CASE(
    "Trainer: after a callback that threw, the same trainer goes on too, and other exceptions stay what they are") {
  ScratchFolder const folder;
  auto const train = [&](const FilePath& out, bool fails) {
    auto model = tiny_model<float>();
    auto config = tiny_config(out);
    config.sample_every = 5;
    Trainer trainer{model, tiny_optimizer, config};
    trainer.sample = [&](std::int64_t step) {
      if (std::exchange(fails, false) && step == 5) throw std::bad_alloc();
    };
    if (fails) CHECK_THROWS_AS(trainer.fit_steps(tiny_images(), 12, tiny_loss<float>(model)), std::bad_alloc);
    CHECK(trainer.fit_steps(tiny_images(), 12, tiny_loss<float>(model)).step == 12);
    return log_without_seconds(out) + bytes_of(out / "checkpoint.safetensors");
  };
  CHECK(train(folder / "failed", true) == train(folder / "whole", false));

  auto model = tiny_model<float>();  // nowhere to save it
  auto config = tiny_config({});
  config.sample_every = 5;
  Trainer trainer{model, tiny_optimizer, config};
  bool fails = true;
  trainer.sample = [&](std::int64_t) { require(!std::exchange(fails, false), "sample: once"); };
  try {
    trainer.fit_steps(tiny_images(), 12, tiny_loss<float>(model));
    FAIL("no exception");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "sample: once");
  }
  CHECK(trainer.fit_steps(tiny_images(), 12, tiny_loss<float>(model)).step == 12);
}

TEST_CASE("Trainer: what cannot be saved after a callback that threw is said") {
  ScratchFolder const folder;
  auto const out = folder / "run";
  std::filesystem::create_directories(out / "checkpoint.safetensors");
  auto const failure = run(out, 40, false, 8, {}, [] { fail("write: no space"); }).failure;
  CHECK(failure.starts_with("write: no space; training could not be saved at step 8 either: write: given "));
}

TEST_CASE("Trainer: checkpoints by the clock, which change no byte of the run") {
  ScratchFolder const folder;
  auto const train = [&](const FilePath& out, double seconds, bool resumes, std::int64_t killed_at) {
    auto model = tiny_model<float>();
    auto config = tiny_config(out);
    config.checkpoint_seconds = seconds;
    Trainer trainer{model, tiny_optimizer, config};
    if (resumes) trainer.resume();
    trainer.fit_steps(tiny_images(), 30, [&](const ImageBatch& batch, Rng& rng) {
      if (trainer.step() == killed_at) raise(SIGKILL);
      return tiny_loss<float>(model)(batch, rng);
    });
    return bytes_of(out / "checkpoint.safetensors");
  };
  auto const whole = train(folder / "whole", 300, false, -1);
  auto const out = folder / "killed";
  for (double const seconds : {300.0, 1e-9}) {
    ContextGuard const guard;
    set_num_threads(1);  // a child has the thread that forked, and no other
    pid_t const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      train(out, seconds, false, 17);
      _exit(1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
    CHECK(std::filesystem::exists(out / "checkpoint.safetensors") == (seconds < 1));
  }
  CHECK(read_training_state(out / "checkpoint.safetensors").step == 17);
  CHECK(train(out, 300, true, -1) == whole);
}

TEST_CASE("Trainer: a hang-up ends the run like SIGTERM, unless it is ignored") {
  ScratchFolder const folder;
  auto const train = [&](const FilePath& out) {
    auto model = tiny_model<float>();
    Trainer trainer{model, tiny_optimizer, tiny_config(out)};
    return trainer.fit_steps(tiny_images(), 20, [&](const ImageBatch& batch, Rng& rng) {
      if (trainer.step() == 6) raise(SIGHUP);
      return tiny_loss<float>(model)(batch, rng);
    });
  };
  auto const stopped = train(folder / "stopped");
  CHECK(stopped.signal == SIGHUP);
  CHECK(stopped.step == 7);
  CHECK(read_training_state(folder / "stopped/checkpoint.safetensors").step == 7);
  auto const before = ::signal(SIGHUP, SIG_IGN);  // as nohup does
  auto const whole = train(folder / "whole");
  ::signal(SIGHUP, before);
  CHECK(whole.signal == 0);
  CHECK(whole.step == 20);
}
