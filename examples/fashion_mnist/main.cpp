// fashion_mnist: DDPM on Fashion-MNIST with the annotated U-Net (AI504, practice 13).
#include "common/device.hpp"
#include "common/idx_data.hpp"
#include "fashion_mnist/options.hpp"

namespace {

namespace st = stipple;
using Names = std::vector<std::string>;

void add_options(CLI::App& app, fashion_mnist::Options& o) {
  app.add_option("--block", o.block, "Blocks of the U-Net: convnext or resnet")
      ->check(CLI::IsMember(Names{"convnext", "resnet"}))
      ->capture_default_str();
  app.add_option("--loss", o.loss, "Comparison of noise and prediction: l1, l2 or huber")
      ->check(CLI::IsMember(Names{"l1", "l2", "huber"}))
      ->capture_default_str();
  app.add_option("--schedule", o.schedule, "Noise schedule: linear, cosine, quadratic or sigmoid")
      ->check(CLI::IsMember(Names{"linear", "cosine", "quadratic", "sigmoid"}))
      ->capture_default_str();
  app.add_option(
         "--recipe", o.recipe,
         "course: constant learning rate; best: warm-up to twice that, cosine decay, samples from the average of "
         "the weights, which start from noise with the mean and covariance of the data noised to the last timestep")
      ->check(CLI::IsMember(Names{"course", "best"}))
      ->capture_default_str();
  add_training_options(app, o, "60,000 images");
  app.add_option("--timesteps", o.timesteps, "Timesteps of the diffusion, T")
      ->check(CLI::Range(2, 100'000))
      ->capture_default_str();
  app.add_option("--sample-count", o.sample_count, "Images to sample")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  add_sample_options(app, o.samples);
  add_fid_options(app, o.fid, false);
}

}  // namespace

int main(int argc, char** argv) {
  fashion_mnist::Options options;
  options.precision = "bf16";
  options.epochs = 5;
  CLI::App app("Learns pictures of clothes by denoising diffusion and samples new ones.", "fashion_mnist");
  add_options(app, options);
  Names const variants{"--block", "--loss", "--schedule", "--recipe"};
  add_common_options(app, options, example::idx_help("fashion-mnist"), example::folder_help(app, variants));
  app.footer(
      "The course is KAIST's AI504 (Programming for AI, 2023), practice 13: a U-Net of widths 28, 56 and 112 is\n"
      "trained by Adam (1e-3) on the huber loss of the predicted noise, 5 epochs of randomly mirrored images in "
      "batches\n"
      "of 128; beta from 1e-4 to 0.02 in T = 200 equal steps. It sets no mark; the losses that it prints in its fifth\n"
      "epoch have a mean of 0.0455.\n"
      "bf16 is the default because it is several times as fast as fp32 where the processor multiplies bf16 matrices,\n"
      "takes half the memory, and reaches the same loss: weights, statistics and sums stay fp32. --precision fp32 is\n"
      "the course's arithmetic.\n"
      "The course's schedule leaves 36 % of an image's amplitude at the last timestep, but its sampling starts from "
      "noise\n"
      "alone, which costs much of the samples' quality; --recipe best starts where the schedule ends.\n"
      "Samples take all timesteps of DDPM. A step adds the noise to the mean. The course's p_sample multiplies them, "
      "which is a\n"
      "slip.\n" +
      example::sample_help() +
      "\n"
      "The course's 8 groups of the ResNet blocks' norms do not divide 28 channels: the largest number below that\n"
      "divides all widths, 7, is taken.\n"
      "Time to expect, for the 5 epochs on two idle cores with AVX-512 bf16: 26 minutes (0.66 s a step), with --block\n"
      "resnet 24 (0.61 s), and under a minute for the samples.\n\n"
      "Writes metrics.json, log.jsonl, checkpoint.safetensors, loss.png, samples.png and denoising.gif, whose gray "
      "goes\n"
      "from -1 to 1 in each frame, and beyond where its values do. SIGINT, SIGTERM and SIGHUP end the run with a\n"
      "checkpoint and loss.png.");
  example::add_fid_help(app, false, false);
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, variants);
    example::check_sampler_options(app, options.samples.sampler);
    if (options.best() && app.count("--learning-rate") == 0) options.learning_rate = 2e-3;
    return example::run_on_device(options, fashion_mnist::run_fp32, fashion_mnist::run_bf16, fashion_mnist::run_cuda);
  });
}
