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
      "A U-Net of widths 28, 56 and 112 is trained by Adam on randomly mirrored images.\n"
      "bf16 is the default because it is several times as fast as fp32 where the processor multiplies bf16 matrices,\n"
      "takes half the memory, and reaches the same loss: weights, statistics and sums stay fp32. --precision fp32 is\n"
      "the course's arithmetic.\n"
      "The course's schedule leaves 36 % of an image's amplitude at the last timestep, but its sampling starts from "
      "noise\n"
      "alone, which costs much of the samples' quality; --recipe best starts where the schedule ends.\n"
      "A step of sampling adds the noise to the mean. The course's p_sample multiplies them, which is a slip.\n"
      "The course's 8 groups of the ResNet blocks' norms do not divide 28 channels: the largest number below that\n"
      "divides all widths, 7, is taken.\n\n"
      "Writes metrics.json, log.jsonl, checkpoint.safetensors, loss.png, samples.png and denoising.gif. SIGINT,\n"
      "SIGTERM and SIGHUP end the run with a checkpoint.");
  example::add_fid_help(app);
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, variants);
    if (options.best() && app.count("--learning-rate") == 0) options.learning_rate = 2e-3;
    return example::run_on_device(options, fashion_mnist::run_fp32, fashion_mnist::run_bf16, fashion_mnist::run_cuda);
  });
}
