// The folder of a run: what an earlier run left there is moved, and nothing else.
#include "check.hpp"
#include "scratch_folder.hpp"
#include "tiny_run.hpp"

using namespace stipple;

namespace {

/// Trains to `steps` steps in `out`; returns which run was there.
std::optional<EarlierRun> run(const FilePath& out, std::int64_t steps, bool resumes = false) {
  auto model = tiny_model<float>();
  auto config = tiny_config(out);
  config.keep_every = 6;
  config.results = {"metrics.json", "network.bin", "step=*-*.png"};
  Trainer trainer{model, tiny_optimizer, config};
  if (resumes) trainer.resume();
  auto const earlier = trainer.open_folder();
  CHECK_FALSE(trainer.open_folder());
  trainer.fit_steps(tiny_images(), steps, tiny_loss<float>(model));
  return earlier;
}

std::vector<std::string> names_in(const FilePath& folder) {
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("Trainer: a run that starts where another one was moves its files to a folder of their own") {
  ScratchFolder const folder;
  auto const out = folder / "run";
  CHECK_FALSE(run(out, 13));
  for (const char* const name : {"metrics.json", "network.bin", "step=10-3.png", "step=7-0.png"})
    put_bytes(out / name, name);
  std::vector<std::string> const others{"checkpoint-x.safetensors", "picture.png",  "step=-0.png",
                                        "step=1-0.png.old",         "step=1-x.png", "step=1.png"};
  for (auto const& name : others) put_bytes(out / name, name);
  std::filesystem::create_directories(out / "checkpoint-7.safetensors");  // a folder is no file of a run
  std::vector<std::string> const files{"checkpoint-12.safetensors",
                                       "checkpoint-6.safetensors",
                                       "checkpoint.safetensors",
                                       "log.jsonl",
                                       "metrics.json",
                                       "network.bin",
                                       "step=10-3.png",
                                       "step=7-0.png"};
  std::vector<std::string> before;
  for (auto const& name : files) before.push_back(bytes_of(out / name));
  std::filesystem::create_directories(out / "earlier-1");
  put_bytes(out / "earlier-2", "");

  auto const earlier = run(out, 3);
  REQUIRE(earlier);
  CHECK(earlier->folder == out / "earlier-3");
  CHECK(earlier->step == 13);
  CHECK(names_in(out / "earlier-3") == files);
  for (std::size_t i = 0; i < files.size(); ++i) CHECK(bytes_of(out / "earlier-3" / files[i]) == before[i]);
  std::vector<std::string> stay{
      "checkpoint-7.safetensors", "checkpoint.safetensors", "earlier-1", "earlier-2", "earlier-3", "log.jsonl"};
  stay.insert(stay.end(), others.begin(), others.end());
  std::sort(stay.begin(), stay.end());
  CHECK(names_in(out) == stay);
  CHECK(read_training_state(out / "checkpoint.safetensors").step == 3);

  // A resume goes on in its folder, also in one that was moved.
  CHECK_FALSE(run(out, 5, true));
  CHECK_FALSE(run(out / "earlier-3", 14, true));
  CHECK(bytes_of(out / "earlier-3/log.jsonl").substr(0, before[3].size()) == before[3]);
}

TEST_CASE("Trainer: neither `save` nor a checkpoint of elsewhere takes the place of another run") {
  ScratchFolder const folder;
  run(folder / "a", 3);
  run(folder / "b", 5);
  auto const log = bytes_of(folder / "b/log.jsonl");
  auto model = tiny_model<float>();
  Trainer{model, tiny_optimizer, tiny_config(folder / "b")}.save();
  CHECK(read_training_state(folder / "b/checkpoint.safetensors").step == 0);
  CHECK(bytes_of(folder / "b/earlier-1/log.jsonl") == log);

  Trainer other{model, tiny_optimizer, tiny_config(folder / "b")};
  other.resume(folder / "a");
  auto const earlier = other.open_folder();
  REQUIRE(earlier);
  CHECK(earlier->folder == folder / "b/earlier-2");
  CHECK(earlier->step == 0);
  CHECK(bytes_of(folder / "b/log.jsonl").empty());
}

TEST_CASE("Trainer: a folder in which another trainer is at work is refused, and nothing in it changes") {
  ScratchFolder const folder;
  auto const out = folder / "run";
  run(out, 3);
  auto const bytes = bytes_of(out / "checkpoint.safetensors");
  auto model = tiny_model<float>(), other = tiny_model<float>(2);
  auto const weights = other.weights().clone();
  Trainer second{other, tiny_optimizer, tiny_config(out)};
  {
    Trainer first{model, tiny_optimizer, tiny_config(out)};
    first.resume();
    auto const wanted = "another run is at work in '" + out.string() + "'";
    require_error([&] { second.resume(); }, wanted);
    require_error([&] { second.open_folder(); }, wanted);
    require_error([&] { second.save(); }, wanted);
    require_error([&] { second.fit(tiny_images(), 1, tiny_loss<float>(other)); }, wanted);
    CHECK(bytes_of(out / "checkpoint.safetensors") == bytes);
    CHECK(std::as_const(second).step() == 0);
    CHECK(same_bits(other.weights(), weights));
    CHECK(names_in(out) == std::vector<std::string>{".lock", "checkpoint.safetensors", "log.jsonl"});
    CHECK(first.fit_steps(tiny_images(), 5, tiny_loss<float>(model)).step == 5);
    require_error([&] { second.resume(); }, wanted);
  }
  second.resume();
  CHECK(second.step() == 5);
  auto config = tiny_config(out);
  config.seed = 8;
  Trainer third{model, tiny_optimizer, config};
  require_error([&] { third.resume(); }, "another run is at work");
  // A resume that fails gives the folder back, and one from elsewhere locks nothing there.
  run(folder / "free", 3);
  config.out = folder / "free";
  Trainer failed{model, tiny_optimizer, config};
  require_error([&] { failed.resume(); }, "seed");
  Trainer{model, tiny_optimizer, tiny_config(folder / "elsewhere")}.resume(folder / "free");
  Trainer{model, tiny_optimizer, tiny_config(folder / "free")}.resume();
}

TEST_CASE("Trainer: what is left of a run without a checkpoint that can be read makes room too") {
  ScratchFolder const folder;
  auto const out = folder / "run";
  std::filesystem::create_directories(out);
  put_bytes(out / "checkpoint.safetensors", "damaged");
  auto const earlier = run(out, 1);
  REQUIRE(earlier);
  CHECK_FALSE(earlier->step);
  CHECK(bytes_of(out / "earlier-1/checkpoint.safetensors") == "damaged");
}
