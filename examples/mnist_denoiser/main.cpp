// mnist_denoiser: a denoiser of one step on MNIST (Berkeley CS180, project 5B, part 1).
#include "common/device.hpp"
#include "common/idx_data.hpp"
#include "mnist_denoiser/options.hpp"

namespace {

void add_options(CLI::App& app, mnist_denoiser::Options& o) {
  app.add_option("--sigma", o.sigma, "Standard deviation of the noise to train with")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_training_options(app, o, "60,000 images");
  app.add_option("--width", o.width, "Channels of the U-Net's first level, the course's D")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--sample-count", o.sample_count, "Test digits to show")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--test-count", o.test_count, "Test digits over which the error at each sigma is averaged")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  mnist_denoiser::Options options;
  options.precision = "bf16";
  options.epochs = 5;
  options.batch = 256;
  options.learning_rate = 1e-4;
  CLI::App app("Learns to clean noisy handwritten digits in one step.", "mnist_denoiser");
  add_options(app, options);
  add_common_options(app, options, example::idx_help("mnist"), example::folder_help(app, {}));
  app.footer(
      "The course is Berkeley's CS180 (2024), project 5B, part 1: a U-Net (D = 128, 7,891,073 parameters) is shown\n"
      "z = x + sigma e, with new noise for every batch, and trained by Adam on the squared error of its output to the\n"
      "clean image x in [0, 1]. Batch norm uses its running statistics outside of training.\n"
      "bf16 is the default because it is faster and takes half the memory; weights, statistics and sums stay fp32.\n"
      "--precision fp32 is the course's arithmetic.\n"
      "Time to expect, for the 5 epochs: one hour (2.9 s a step) on two cores with AVX-512 bf16, less\n"
      "where the processor multiplies bf16 matrices (AMX).\n\n"
      "Writes metrics.json (with the mean squared error on test digits at each sigma), log.jsonl,\n"
      "checkpoint.safetensors, noising.png (sigma from 0 to 1), loss.png, denoised_epoch_N.png after epoch 1, every\n"
      "fifth and at the end (rows: clean, noisy, denoised; denoised_step_N.png if that is inside an epoch), and\n"
      "out_of_distribution.png (one digit at every sigma, noisy above denoised). The gray of a picture goes from 0 to "
      "1,\n"
      "and beyond where its values do. SIGINT, SIGTERM and SIGHUP end the run with a checkpoint and loss.png.");
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, {});
    return example::run_on_device(options, mnist_denoiser::run_fp32, mnist_denoiser::run_bf16,
                                  mnist_denoiser::run_cuda);
  });
}
