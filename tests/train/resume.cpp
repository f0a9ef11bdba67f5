// A run that was stopped, killed or resumed is the same run, to the byte.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"
#include "scratch_folder.hpp"
#include "tiny_run.hpp"

using namespace stipple;

namespace {

/// Trains to `steps` steps in `out`, from the checkpoint there if `resumes`; returns the checkpoint's bytes.
template <class T>
std::string run(const FilePath& out, std::int64_t steps, bool resumes = false, std::int64_t checkpoint_every = 0) {
  auto model = tiny_model<T>();
  auto config = tiny_config(out);
  config.checkpoint_every = checkpoint_every;
  Trainer trainer{model, tiny_optimizer, config};
  if (resumes) trainer.resume();
  auto const result = trainer.fit_steps(tiny_images(), steps, tiny_loss<T>(model));
  CHECK(result.step == steps);
  CHECK(result.signal == 0);
  return bytes_of(out / "checkpoint.safetensors");
}

/// Runs f in a child process that must end by `signal`.
template <class F>
void in_child_that_dies(int signal, const F& f) {
  ContextGuard const guard;
  set_num_threads(1);  // a child has the thread that forked, and no other
  pid_t const child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(signal, SIG_DFL);  // the test program has a handler of its own
    f();
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == signal);
}

}  // namespace

TEMPLATE_TEST_CASE("Trainer: 200 steps in one run are 120, a resume and 80", "", float, bf16) {
  ScratchFolder const folder;
  auto const whole = run<TestType>(folder / "whole", 200, false, 50);
  auto const part = run<TestType>(folder / "parts", 120);
  CHECK(part != whole);
  CHECK(run<TestType>(folder / "parts", 200, true, 7) == whole);
  CHECK(run<TestType>(folder / "parts", 200, true) == whole);  // nothing is left to do
  CHECK(run<TestType>(folder / "other", 200) == whole);
}

TEST_CASE("Trainer: the same bytes with 1, 2 and 3 threads and any instruction set's own") {
  ScratchFolder const folder;
  ContextGuard const guard;
  set_num_threads(1);
  auto const one = run<bf16>(folder / "1", 60);
  for (int threads : {2, 3}) {
    set_num_threads(threads);
    CHECK(run<bf16>(folder / std::to_string(threads), 60) == one);
  }
}

TEST_CASE("Trainer: killed by SIGKILL in the middle of a step, then resumed") {
  ScratchFolder const folder;
  auto const whole = run<float>(folder / "whole", 100);
  in_child_that_dies(SIGKILL, [&] {
    auto model = tiny_model<float>();
    auto config = tiny_config(folder / "killed");
    config.checkpoint_every = 10;
    Trainer trainer{model, tiny_optimizer, config};
    trainer.fit_steps(tiny_images(), 100, [&](const ImageBatch& batch, Rng& rng) {
      if (trainer.step() == 57) raise(SIGKILL);
      return tiny_loss<float>(model)(batch, rng);
    });
  });
  auto const at_kill = read_training_state(folder / "killed" / "checkpoint.safetensors");
  CHECK(at_kill.step == 50);
  CHECK(run<float>(folder / "killed", 100, true) == whole);
  // The log tells the run once: the steps after the checkpoint were taken back.
  auto const log = bytes_of(folder / "killed" / "log.jsonl");
  CHECK(std::count(log.begin(), log.end(), '\n') == 100);
  CHECK(log.find("\"step\":57,") == log.rfind("\"step\":57,"));
}

TEST_CASE("Trainer: killed at any moment, there is a checkpoint to go on from") {
  ScratchFolder const folder;
  auto const whole = run<float>(folder / "whole", 60);
  run<float>(folder / "killed", 1);
  for (int delay : {3000, 11000, 7000}) {  // microseconds
    ContextGuard const guard;
    set_num_threads(1);
    pid_t const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto model = tiny_model<float>();
      auto config = tiny_config(folder / "killed");
      config.checkpoint_every = 1;  // so that most of the time goes into writing
      Trainer trainer{model, tiny_optimizer, config};
      trainer.resume();
      trainer.fit_steps(tiny_images(), 60, tiny_loss<float>(model));
      _exit(0);
    }
    usleep(static_cast<useconds_t>(delay));
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
  }
  CHECK(run<float>(folder / "killed", 60, true) == whole);
}

TEST_CASE("Trainer: SIGTERM and SIGINT end the step, write the checkpoint and give back control") {
  ScratchFolder const folder;
  auto const whole = run<float>(folder / "whole", 80);
  for (int const signal : {SIGTERM, SIGINT}) {
    auto const out = folder / std::to_string(signal);
    {
      auto model = tiny_model<float>();
      Trainer trainer{model, tiny_optimizer, tiny_config(out)};
      auto const result = trainer.fit_steps(tiny_images(), 80, [&](const ImageBatch& batch, Rng& rng) {
        if (trainer.step() == 41) raise(signal);
        return tiny_loss<float>(model)(batch, rng);
      });
      CHECK(result.signal == signal);
      CHECK(result.step == 42);
    }  // which gives the folder back
    CHECK(read_training_state(out / "checkpoint.safetensors").step == 42);
    CHECK(run<float>(out, 80, true) == whole);
  }
  // One that comes while the last checkpoint is written, which asks for the factor of the step after the last.
  auto model = tiny_model<float>();
  auto config = tiny_config(folder / "last");
  config.schedule = [](std::int64_t step) {
    if (step == 3) raise(SIGTERM);
    return 1.0;
  };
  Trainer trainer{model, tiny_optimizer, config};
  auto const last = trainer.fit_steps(tiny_images(), 3, tiny_loss<float>(model));
  CHECK(last.step == 3);
  CHECK(last.signal == SIGTERM);
  // Outside of a run signals do what they did before.
  in_child_that_dies(SIGTERM, [] {
    { StopSignals const signals; }
    raise(SIGTERM);
  });
  // A second signal ends a run that does not come to the end of its step.
  in_child_that_dies(SIGINT, [] {
    StopSignals const signals;
    raise(SIGINT);
    if (signals.received() == SIGINT) raise(SIGINT);
  });
}

TEST_CASE("Trainer: an Rng of the program's own is resumed with the run") {
  ScratchFolder const folder;
  auto const run_with = [&](const FilePath& out, std::int64_t steps, bool resumes, std::uint64_t draws) {
    auto model = tiny_model<float>();
    Rng own(99, draws);
    Trainer trainer{model, tiny_optimizer, tiny_config(out)};
    trainer.keep(own);
    if (resumes) trainer.resume(out);
    trainer.fit_steps(tiny_images(), steps,
                      [&](const ImageBatch& batch) { return tiny_loss<float>(model)(batch, own); });
    return bytes_of(out / "checkpoint.safetensors");
  };
  auto const whole = run_with(folder / "whole", 40, false, 0);
  run_with(folder / "parts", 17, false, 0);
  CHECK(run_with(folder / "parts", 40, true, 1234) == whole);
  auto model = tiny_model<float>();
  Trainer trainer{model, tiny_optimizer, tiny_config(folder / "whole")};
  require_error([&] { trainer.resume(); }, "holds 2 random states, wanted 1");
}

TEST_CASE("Trainer: a checkpoint of another run, damaged or missing, changes nothing") {
  ScratchFolder const folder;
  run<float>(folder / "run", 20);
  auto const path = folder / "run" / "checkpoint.safetensors";
  auto model = tiny_model<float>(3);
  auto const before = model.weights().clone();
  auto const refuses = [&](auto const& change, const std::string& wanted) {
    auto config = tiny_config(folder / "run");
    change(config);
    Trainer trainer{model, tiny_optimizer, config};
    require_error([&] { trainer.resume(); }, wanted);
    CHECK(trainer.step() == 0);
    CHECK(trainer.rng().draws() == 0);
  };
  refuses([](auto& c) { c.batch = 4; }, "the checkpoint has batch = 8, this program 4");
  refuses([](auto& c) { c.seed = 8; }, "seed");
  refuses([](auto& c) { c.ema = 0.5; }, "ema");
  refuses([](auto& c) { c.schedule = CosineDecay{.steps = 300, .warmup = 10}; }, "learning_rate_factor");
  refuses([](auto& c) { c.configuration["blocks"] = 4; }, "program.blocks = nothing, this program 4");
  refuses([](auto& c) { c.out = c.out / "none"; }, "cannot open");
  {
    Trainer trainer{model, Adam{{.learning_rate = 1e-2}}, tiny_config(folder / "run")};
    require_error([&] { trainer.resume(); }, "optimizer.name = \"adamw\", this program \"adam\"");
    auto rounded = tiny_model<bf16>();
    Trainer other{rounded, tiny_optimizer, tiny_config(folder / "run")};
    require_error([&] { other.resume(); }, "precision = \"float32\", this program \"bfloat16\"");
  }
  auto const good = bytes_of(path);
  put_bytes(path, good.substr(0, good.size() / 2));
  refuses([](auto&) {}, "safetensors");
  auto bad = good;
  bad[good.size() - 100] = static_cast<char>(bad[good.size() - 100] ^ 1);
  put_bytes(path, bad);
  refuses([](auto&) {}, "is damaged");
  CHECK(same_bits(model.weights(), before));
}
