// mnist_guided: DDPM on MNIST with classifier-free guidance (Berkeley CS180, project 5B, part 2).
#include "common/device.hpp"
#include "common/idx_data.hpp"
#include "mnist_guided/options.hpp"

namespace {

using Names = std::vector<std::string>;

void add_options(CLI::App& app, mnist_guided::Options& o) {
  app.add_option("--network", o.network, "What the network is told besides the image: time, or class (and time)")
      ->check(CLI::IsMember(Names{"time", "class"}))
      ->capture_default_str();
  app.add_option("--preset", o.preset,
                 "course: the project as it was handed out; later: the page's later form, --width 64 --batch 128 "
                 "--learning-rate 1e-3 --decay 0.1^(1/epochs). Options given besides win")
      ->check(CLI::IsMember(Names{"course", "later"}))
      ->capture_default_str();
  add_training_options(app, o, "60,000 images");
  app.add_option("--decay", o.decay, "Factor of the learning rate after each epoch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--width", o.width, "Channels of the U-Net's first level, the course's D")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--timesteps", o.timesteps, "Timesteps of the diffusion, T")
      ->check(CLI::Range(2, 100'000))
      ->capture_default_str();
  add_schedule_options(app, o.noise);
  app.add_option("--p-uncond", o.unconditional, "Share of the training images whose class is hidden")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--guidance", o.guidance,
                 "Scale gamma of guidance, null + gamma (class - null): 0 ignores the class, 1 is plain conditional")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--sample-count", o.sample_count, "Images to sample, ten in a row")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  add_sample_options(app, o.samples);
  add_fid_options(app, o.fid, true);
}

// What the preset says of options that are not on the command line.
void apply_preset(const CLI::App& app, mnist_guided::Options& o) {
  if (o.preset != "later") return;
  if (app.count("--width") == 0) o.width = 64;
  if (app.count("--batch") == 0) o.batch = 128;
  if (app.count("--learning-rate") == 0) o.learning_rate = 1e-3;
  if (app.count("--decay") == 0) o.decay = std::pow(0.1, 1.0 / static_cast<double>(o.epochs));
}

}  // namespace

int main(int argc, char** argv) {
  mnist_guided::Options options;
  options.precision = "bf16";
  options.epochs = 20;
  options.batch = 256;
  options.learning_rate = 1e-4;
  CLI::App app("Learns handwritten digits by denoising diffusion and samples the digits that it is asked for.",
               "mnist_guided");
  add_options(app, options);
  Names const variants{"--network", "--preset", "--schedule"};
  add_common_options(app, options, example::idx_help("mnist"), example::folder_help(app, variants));
  app.footer(
      "The course is Berkeley's CS180 (2024), project 5B, part 2: the U-Net of part 1 (mnist_denoiser), told t / T "
      "and\n"
      "the class by FCBlocks, predicts the noise in images of [0, 1]; beta from 1e-4 to 0.02 in T = 300 equal steps.\n"
      "t is uniform in 1 to T, as in DDPM's algorithm 1; the course's text also writes 0 to T. The skip connections "
      "of\n"
      "its figure are kept, although the results that it shows are without them. Sampling takes all timesteps of "
      "DDPM,\n"
      "adds noise of the posterior variance, none at t = 1, and asks the network for both halves of guidance in one "
      "call.\n" +
      example::sample_help() +
      "\n"
      "bf16 is the default because it is faster and takes half the memory; weights, statistics and sums stay fp32.\n"
      "--precision fp32 is the course's arithmetic.\n"
      "Time to expect, for the 20 epochs, on two cores with AVX-512 bf16: 4 to 5 hours (3.4 s a step); with --preset\n"
      "later 1 1/2 hours (0.5 s a step); less where the processor multiplies bf16 matrices (AMX). A\n"
      "signal that comes while it samples between epochs takes effect when the samples are done.\n\n"
      "Writes metrics.json, log.jsonl, checkpoint.safetensors, loss.png and, after epoch 1, every fifth and at the "
      "end,\n"
      "samples_epoch_N.png (with classes the columns are the digits 0 to 9) and samples_epoch_N.gif: x at every t\n"
      "divisible by 20, at t = T and at every t below 8, 22 frames when T is 300; every step where --sample-steps are\n"
      "fewer. The gray of an image goes from 0 to 1, and beyond where its values do. A run that ends inside an epoch\n"
      "names them samples_step_N. SIGINT, SIGTERM and SIGHUP end the run with a checkpoint and loss.png.");
  example::add_fid_help(app, true, true);
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, variants);
    apply_preset(app, options);
    example::check_schedule_options(app, options.noise);
    example::check_sampler_options(app, options.samples.sampler);
    if (!options.has_classes())
      example::refuse_options(app, {"--p-uncond", "--guidance"}, "--network time is told no classes");
    return example::run_on_device(options, mnist_guided::run_fp32, mnist_guided::run_bf16, mnist_guided::run_cuda);
  });
}
