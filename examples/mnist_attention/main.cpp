// mnist_attention: DDPM on MNIST with a U-Net with attention (Radboud University, Deep Learning, assignment 12).
#include "common/device.hpp"
#include "common/idx_data.hpp"
#include "mnist_attention/options.hpp"

namespace {

namespace st = stipple;
using Names = std::vector<std::string>;

void add_options(CLI::App& app, mnist_attention::Options& o) {
  app.add_flag("--conditional", o.conditional, "Tell the network the digit: the course's UNetConditional");
  app.add_option("--recipe", o.recipe,
                 "course: batches of 128, constant learning rate of 1e-3; best: batches of 32, warm-up to 2e-3, cosine "
                 "decay, and validation and samples from the average of the weights")
      ->check(CLI::IsMember(Names{"course", "best"}))
      ->capture_default_str();
  add_training_options(app, o, "training images");
  app.add_option("--width", o.width, "Channels of the U-Net's first level")
      ->check(CLI::Range(8, 512))
      ->capture_default_str();
  app.add_option("--timesteps", o.timesteps, "Timesteps of the diffusion, T")
      ->check(CLI::Range(2, 100'000))
      ->capture_default_str();
  add_schedule_options(app, o.noise);
  app.add_option("--validation-count", o.validation_count, "Images kept for validation, chosen by the seed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--validation-batch", o.validation_batch, "Images a step of validation")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--validation-draws", o.validation_draws,
                 "Draws of t and noise for each validation image over which the last figure is averaged")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--sample-count", o.sample_count, "Samples in a history, and of each digit")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--label", o.label, "Digit whose history is drawn, with --conditional")
      ->check(CLI::Range(0, 9))
      ->capture_default_str();
  add_sample_options(app, o.samples);
  add_fid_options(app, o.fid, false);
}

}  // namespace

int main(int argc, char** argv) {
  mnist_attention::Options options;
  options.precision = "bf16";
  options.seed = 12345;
  options.epochs = 20;
  CLI::App app("Learns handwritten digits by denoising diffusion with an attention U-Net and samples new ones.",
               "mnist_attention");
  add_options(app, options);
  Names const variants{"--conditional", "--recipe", "--schedule"};
  add_common_options(app, options, example::idx_help("mnist"), example::folder_help(app, variants));
  app.footer(
      "The course is Radboud University's Deep Learning (NWI-IMC070, 2024), assignment 12: MNIST padded to 32 x 32 in\n"
      "[-1, 1], 55,000 images to train on and 5,000 to validate, beta from 1e-4 to 0.02 in 1000 equal steps, Adam.\n"
      "Its figures after 20 epochs: training loss 0.0196, validation loss 0.0191; conditional 0.0193 and 0.0195.\n"
      "After each epoch every validation image gets one random t and noise, as in the course; that figure jumps by a\n"
      "few percent. The last line averages over --validation-draws of them and is the one to compare.\n"
      "bf16 is the default because it is faster and takes half the memory; weights, statistics and sums stay fp32.\n"
      "--precision fp32 is the course's arithmetic.\n"
      "Samples take all timesteps with sigma_t = sqrt(beta_t), and no noise in the last.\n" +
      example::sample_help() +
      "\n"
      "Time to expect, for the 20 epochs: 50 minutes (400 images a second) on two idle cores with AVX-512 bf16,\n"
      "75 minutes with --precision fp32; some minutes more for the samples.\n\n"
      "Writes metrics.json, log.jsonl, checkpoint.safetensors, loss.png (by epoch, while it trains),\n"
      "forward_process.png and noised_batch.png; then, a row for each sample and time to the right, history.png,\n"
      "fixed_start.png (one start for all rows) and deterministic.png (without sigma z), or with --conditional\n"
      "history_of_3.png and digits.png (a row for each digit). The gray of an image that is not finished goes from -1\n"
      "to 1, and beyond where its values do. SIGINT, SIGTERM and SIGHUP end the run with a checkpoint.");
  example::add_fid_help(app, true, false);
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, variants);
    if (!options.conditional) example::refuse_options(app, {"--label"}, "without --conditional no digit is asked for");
    example::check_schedule_options(app, options.noise);
    example::check_sampler_options(app, options.samples.sampler);
    if (options.best() && app.count("--batch") == 0) options.batch = 32;
    if (options.best() && app.count("--learning-rate") == 0) options.learning_rate = 2e-3;
    return example::run_on_device(options, mnist_attention::run_fp32, mnist_attention::run_bf16,
                                  mnist_attention::run_cuda);
  });
}
