// afhq sample: numbered images from a checkpoint, into a folder where an earlier run may have left some of them.
#include "afhq/sample.hpp"

#include <algorithm>
#include <cstdio>

#include <stipple/data/image_folder.hpp>
#include <stipple/io/folder_lock.hpp>
#include <stipple/io/hash.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/io/read_png.hpp>

#include "afhq/options.hpp"
#include "common/device.hpp"
#include "common/measure.hpp"

namespace afhq {

namespace {

// The checkpoint, its network and the sampler that the options ask for.
SamplingTask make_task(const Options& options, const st::TrainingState& state) {
  SamplingTask task;
  task.checkpoint = options.checkpoint;
  task.out = options.out;
  if (!task.out.has_filename()) task.out = task.out.parent_path();  // "samples/"
  auto const what = "'" + options.checkpoint + "'";
  task.description = Description::from_json(st::get_field(state.configuration, "program", what), what);
  if (!task.description.is_conditional())
    for (auto const& option : options.class_options) st::fail(option, ": the network of ", what, " is told no classes");
  task.device = options.device;
  task.precision = options.sample_precision;
  if (task.precision.empty())
    task.precision =
        st::get_string(state.configuration, "precision", what) == st::dtype_name<st::bf16>() ? "bf16" : "fp32";
  example::check_precision(task.device, task.precision);
  auto& settings = task.settings;
  settings.sampler = options.sampler.for_timesteps(task.description.timesteps, "--steps");
  settings.guidance = task.description.is_conditional() ? options.guidance : 0;
  settings.seed = options.seed;
  task.batch = options.sample_batch > 0 ? options.sample_batch : example::gpu_number(options.device) ? 32 : 8;
  task.quiet = options.quiet;
  return task;
}

// The label of image `number`.
std::int32_t label_of(st::Index number, const Options& options, const Description& description) {
  auto const& classes = description.classes;
  auto const n = static_cast<std::int32_t>(classes.size());
  if (options.label == "each") return static_cast<std::int32_t>(number % n) + 1;
  if (options.label == "random") {
    st::Rng rng(options.seed);
    return rng.integers({1}, 1, n + 1, st::Purpose::label, static_cast<std::uint64_t>(number)).item();
  }
  auto const place = std::find(classes.begin(), classes.end(), options.label);
  if (place != classes.end()) return static_cast<std::int32_t>(place - classes.begin()) + 1;
  std::string known;
  for (std::int32_t label = 1; label <= n; ++label) {
    if (options.label == std::to_string(label)) return label;
    known += ", " + classes[static_cast<std::size_t>(label - 1)];
  }
  st::fail("--label: given '", options.label, "', wanted random, each, a number from 1 to ", n, known);
}

// What every image of a folder has in common.
st::Json describe(const SamplingTask& task, const Options& options, std::int64_t step) {
  auto json = st::Json::object({{"checkpoint_sha256", st::sha256_of_file(task.checkpoint)},
                                {"checkpoint_step", step},
                                {"precision", task.precision},
                                {"seed", std::to_string(task.settings.seed)}});
  json.update(task.settings.sampler.to_json());
  if (task.description.is_conditional()) {
    json["cfg_scale"] = task.settings.guidance;
    json["label"] = options.label;
  }
  return json;
}

// Images of two kinds must not mix: where there are some, their settings have to be these.
void note_settings(const SamplingTask& task, const st::Json& settings) {
  auto const path = task.out / "sampling.json";
  if (st::data::list_images(task.out).empty()) {
    st::write_json(path, settings);
    return;
  }
  std::error_code error;
  st::require(std::filesystem::exists(path, error), "--out: '", task.out.string(),
              "' holds images, but no sampling.json that says how they were made; choose another folder");
  auto const before = st::read_json(path);
  for (auto const& field : settings.items()) {
    auto const now = st::dump_json(field.value());
    auto const was =
        before.is_object() && before.contains(field.key()) ? st::dump_json(before.at(field.key())) : "unknown";
    st::require(was == now, "--out: '", task.out.string(), "' holds images of other settings: ", field.key(), " was ",
                was, ", now ", now, "; choose another folder");
  }
}

// Up to 64 of the images, beside their folder: measures take every file in it for a sample. The name is none that
// `afhq train` writes, whose folder this may be.
st::FilePath write_sheet(const SamplingTask& task, st::Index count) {
  count = std::min<st::Index>(count, 64);
  st::Tensor<std::uint8_t> images(task.description.images(count));
  for (st::Index i = 0; i < count; ++i) {
    auto const image = st::read_png(task.image_path(i));
    images.slice(i, i + 1).copy_from(image.reshape(images.shape().with(0, 1)));
  }
  st::FilePath path = task.out;
  path += "-sheet.png";
  st::write_grid(path, images, {.columns = std::min<st::Index>(count, 8)});
  return path;
}

}  // namespace

int sample(const Options& options) {
  auto const state = st::read_training_state(options.checkpoint);
  auto task = make_task(options, state);
  example::make_folder(task.out);
  st::FolderLock const lock(task.out);
  note_settings(task, describe(task, options, state.step));
  std::error_code error;
  for (st::Index i = 0; i < options.sample_count; ++i) {
    if (std::filesystem::exists(task.image_path(i), error)) continue;
    task.numbers.push_back(i);
    if (task.description.is_conditional()) task.labels.push_back(label_of(i, options, task.description));
  }
  auto const missing = task.numbers.size();
  example::announce(options, "step %lld, %zu of %lld images to draw, %s, %d steps, %s",
                    static_cast<long long>(state.step), missing, static_cast<long long>(options.sample_count),
                    options.sampler.name.c_str(), task.settings.sampler.steps, task.precision.c_str());
  example::Stopwatch const watch;
  int signal = 0;
  if (missing > 0) signal = example::run_on_device(task, draw_fp32, draw_bf16, draw_cuda);
  if (signal != 0) {
    std::fprintf(stderr, "Stopped by a signal; the same command goes on with the images that are missing.\n");
    return 128 + signal;
  }
  if (missing > 0)
    std::printf("%.3g seconds an image on %d threads\n", watch.seconds() / static_cast<double>(missing),
                st::num_threads());
  auto const sheet = write_sheet(task, options.sample_count);
  std::printf("%lld images are in %s, some of them together in %s\n", static_cast<long long>(options.sample_count),
              task.out.c_str(), sheet.c_str());
  return 0;
}

}  // namespace afhq
