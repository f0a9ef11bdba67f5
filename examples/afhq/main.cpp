// afhq: DDPM on photographs of animals, KAIST CS479 assignment 3 and Technion 00960236 assignment 4, task 2 of both.
#include <ctime>

#include "afhq/options.hpp"
#include "common/device.hpp"
#include "common/feature_network.hpp"

namespace {

using afhq::Options;
using Names = std::vector<std::string>;

template <class Value>
CLI::Option* add(CLI::App& app, const char* name, Value& value, const std::string& help) {
  return app.add_option(name, value, help)->capture_default_str();
}

void add_machine_options(CLI::App& app, Options& o) {
  add(app, "--threads", o.threads, "Threads; the result does not depend on them")->check(CLI::Range(1, 1024));
  app.add_flag("--quiet", o.quiet, "Print the results alone");
}

CLI::App& add_prepare(CLI::App& app, Options& o) {
  auto& command = *app.add_subcommand("prepare", "Makes images of one size from a folder of images");
  command.add_option("images", o.images, "Folder with train/CLASS/*.jpg or .png, and val/ or test/ like it")
      ->required();
  command.add_option("out", o.out, "Folder for train.safetensors, train.png and eval/")->required();
  add(command, "--image-height", o.image_height, "Pixels that every image gets")->check(CLI::Range(1, 4096));
  add(command, "--image-width", o.image_width, "Pixels that every image gets")->check(CLI::Range(1, 4096));
  add(command, "--max-per-class", o.max_per_class, "Images of each class to train on, by name; 0: all. Technion: 3000")
      ->check(CLI::NonNegativeNumber);
  Names const filters{"bilinear", "bicubic", "lanczos"};
  add(command, "--filter", o.filter, "How images to train on are resized: bilinear, bicubic or lanczos")
      ->check(CLI::IsMember(filters));
  add(command, "--evaluation-filter", o.evaluation_filter, "The same for those to evaluate with")
      ->check(CLI::IsMember(filters));
  add(command, "--damaged", o.damaged, "What to do about files that cannot be read: refuse or skip")
      ->check(CLI::IsMember(Names{"refuse", "skip"}));
  add_machine_options(command, o);
  command.footer(
      "Classes are the folders' names, sorted; labels count from 1. Every image is stretched to the size, as the\n"
      "courses do; cut it before if that is not what you want. Gray becomes colour, CMYK is converted, what is\n"
      "transparent lies over white. eval/ holds all images of val/ (or else test/) as PNG files, for FID. The\n"
      "courses resize by PIL's default, which is bicubic, for that folder, and bilinear to train.\n"
      "Time to expect: less than a minute for AFHQ's 4,500 images of 512 x 512 pixels, 4 ms of one core for each.\n"
      "Where AFHQ is not to be had, `scripts/get-data animals64` makes a small stand-in; figures on it are not\n"
      "AFHQ's.");
  return command;
}

CLI::App& add_train(CLI::App& app, Options& o) {
  auto& command = *app.add_subcommand("train", "Trains the U-Net on what prepare made");
  add(command, "--preset", o.preset,
      "kaist, or technion: --use-cfg --batch 16 --log-interval 200; it goes with prepare's --max-per-class 3000. Other "
      "options win")
      ->check(CLI::IsMember(Names{"kaist", "technion"}));
  add(command, "--steps", o.steps, "Steps of training")->check(CLI::NonNegativeNumber);
  command.add_option("--max-minutes", o.max_minutes, "Stop training after the step that reaches this")
      ->check(CLI::PositiveNumber);
  add(command, "--batch", o.batch, "Images a step")->check(CLI::PositiveNumber);
  add(command, "--learning-rate", o.learning_rate, "Of Adam")->check(CLI::PositiveNumber);
  add(command, "--warmup", o.warmup, "Steps over which the learning rate rises in a line")
      ->check(CLI::NonNegativeNumber);
  add(command, "--width", o.width, "Channels of the U-Net's first level")->check(CLI::Range(1, 1024));
  add(command, "--multipliers", o.multipliers, "Of the width at each level, with commas")
      ->delimiter(',')
      ->check(CLI::Range(1, 64));
  add(command, "--num-res-blocks", o.res_blocks, "Residual blocks of a level")->check(CLI::Range(1, 64));
  add(command, "--dropout", o.dropout, "Share of the values that residual blocks drop")->check(CLI::Range(0.0, 0.99));
  add(command, "--timesteps", o.timesteps, "Timesteps of the diffusion, T")->check(CLI::Range(2, 100'000));
  add_schedule_options(command, o.noise);
  add(command, "--ema", o.ema, "Decay of an average of the weights to sample with; 0: none")
      ->check(CLI::Range(0.0, 0.99999));
  command.add_flag("--flip", o.flip, "Mirror images left to right with probability 1/2");
  command.add_flag("--use-cfg", o.conditional, "Tell the network the class, for classifier-free guidance");
  add(command, "--class-embedding", o.class_embedding,
      "How the class is embedded: linear layer of the one-hot vector, as Technion's text has it, or table, as its code")
      ->check(CLI::IsMember(Names{"linear", "table"}));
  add(command, "--p-uncond", o.unconditional, "Share of the images whose class is hidden")->check(CLI::Range(0.0, 1.0));
  add(command, "--cfg-scale", o.guidance, "Guidance of the samples that are drawn meanwhile")
      ->check(CLI::NonNegativeNumber);
  add(command, "--log-interval", o.log_interval, "Steps between samples, each with loss.png and a checkpoint")
      ->check(CLI::PositiveNumber);
  add(command, "--keep-every", o.keep_every, "Steps between checkpoints that stay, checkpoint-N.safetensors; 0: none")
      ->check(CLI::NonNegativeNumber);
  command.add_flag("--gradient-checkpointing", o.gradient_checkpointing,
                   "Keep less for the backward pass and compute it again: a fraction of the memory, a third more time");
  add_common_options(command, o, "Folder that prepare made", "[runs/afhq-DATE-TIME]");
  command.footer(
      "The courses: linear beta from 1e-4 to 0.02 in T = 1000 steps; channels 128, 256, 256, 256 with attention\n"
      "at the second level and 4 residual blocks a level: 58,753,283 parameters, with three classes 58,755,843, or\n"
      "58,755,331 with --class-embedding table.\n"
      "Norms have 32 groups, or as many as divide a smaller width. Images are not flipped and weights not\n"
      "averaged, as in the courses.\n"
      "bf16 is the default: faster, and half the memory; weights, statistics and sums stay fp32.\n"
      "Time to expect on two cores with AVX-512 bf16: about 9 s a step of 12 images (2.9 s were measured for 4), so\n"
      "10 days for the course's 100,000; samples take about 50 s each time. A narrow network for a small machine:\n"
      "--width 32 --num-res-blocks 2 --gradient-checkpointing.\n"
      "\n"
      "Writes config.json, metrics.json, log.jsonl, and at the start and every --log-interval steps loss.png,\n"
      "checkpoint.safetensors, four samples by DDIM in 50 steps, step=N-0.png to step=N-3.png, and those together\n"
      "as samples.png. Checkpoints that stay leave out the optimiser's moments: 235 MB each with the courses'\n"
      "network, so 23.5 GB for the 100 of 100,000 steps, and the last one, with which --resume goes on, 705 MB;\n"
      "--keep-every 0 keeps none. SIGINT, SIGTERM and SIGHUP end the run with a checkpoint.");
  return command;
}

CLI::App& add_sample(CLI::App& app, Options& o) {
  auto& command = *app.add_subcommand("sample", "Draws images from a checkpoint");
  command.add_option("--checkpoint", o.checkpoint, "checkpoint.safetensors of a run, or one that it kept")->required();
  command.add_option("--out", o.out, "Folder for 0.png, 1.png, ...")->required();
  add(command, "--count", o.sample_count, "Images")->check(CLI::PositiveNumber);
  add_sampler_options(command, o.sampler, "--steps");
  add(command, "--cfg-scale", o.guidance, "Guidance w of a network with classes: (1 + w) conditional - w null")
      ->check(CLI::NonNegativeNumber);
  add(command, "--label", o.label, "random, each (one after the other), or the number or name of a class");
  command.add_option("--batch", o.sample_batch, "Images at a time; changes none of them. Without it 8, on a GPU 32")
      ->check(CLI::PositiveNumber);
  add_device_option(command, o)->capture_default_str();
  command
      .add_option("--precision", o.sample_precision,
                  "Arithmetic of the network: fp32 or bf16; on a GPU also tf32, fp32 with rounded products; without it "
                  "that of the training")
      ->check(CLI::IsMember(Names{"fp32", "tf32", "bf16"}));
  add(command, "--seed", o.seed, "Seed of all random numbers");
  add_machine_options(command, o);
  command.footer(
      "Image i depends on the checkpoint, the settings and the seed, and by rounding on the device; on nothing\n"
      "else. A run that was stopped goes on when it is started again: images that are there stay, those of the\n"
      "batch in progress are lost. sampling.json says how those in the folder were made, and other settings are\n"
      "refused there.\n"
      "OUT-sheet.png beside the folder shows the first 64. A run with an average (--ema) samples from it. The\n"
      "courses draw 500 images by ddpm; Technion's with --cfg-scale 0 and 7.5.\n"
      "Time to expect of the courses' network on two cores with AVX-512 bf16: about 0.24 s for each step of each\n"
      "image, with guidance 0.48 s. 500 images by ddpm in 1,000 steps: about a day and a half, with guidance\n"
      "three; by ddim in 50 steps: 1 hour 40 minutes, with guidance twice that.");
  return command;
}

CLI::App& add_evaluate(CLI::App& app, Options& o) {
  auto& command = *app.add_subcommand("evaluate", "Prints FID and KID of samples");
  command.add_option("real", o.real, "Folder of photographs, such as eval/ of what prepare made")->required();
  command.add_option("generated", o.generated, "Folder of samples; its metrics.json gets the figures")->required();
  command.add_option("--features", o.features, "What the weights must be of: inception_v3 or mobilenet_v2")
      ->check(CLI::IsMember(Names{"inception_v3", "mobilenet_v2"}));
  command.add_option("--weights", o.weights, example::feature_network_help());
  add_device_option(command, o)->capture_default_str();
  add_machine_options(command, o);
  command.footer(
      "A figure means something only together with its feature network, which is printed and written with it.\n"
      "metrics.json keeps the figures of each network and each folder of photographs.\n"
      "The courses' marks (FID below 20, or 30) are by their Inception v3, trained on AFHQ, against AFHQ:\n"
      "convert its file by scripts/pth-to-safetensors afhq_inception_v3.ckpt FILE and give --weights FILE. They\n"
      "compare with JPEG files that their script saves again; eval/ holds PNG files, without that loss, so figures\n"
      "here are not exactly those that the marks are for.\n"
      "Time to expect on two cores with AVX-512: about 8 images a second by Inception v3, 12 by the courses', 55\n"
      "by MobileNetV2; so 500 samples against AFHQ's 1,500 images take about 3 minutes by the courses'.\n"
      "On a GPU products stay fp32, so the figures are those of the CPU but for rounding. docs/metrics.md tells\n"
      "the rest.");
  return command;
}

// What the preset and the calendar say of options that are not on the command line. Refuses those that are ignored.
void complete(const CLI::App& train, Options& o) {
  if (o.preset == "technion") {
    o.conditional = true;
    if (train.count("--batch") == 0) o.batch = 16;
    if (train.count("--log-interval") == 0) o.log_interval = 200;
  }
  if (!o.conditional)
    example::refuse_options(train, {"--p-uncond", "--cfg-scale", "--class-embedding"},
                            "without --use-cfg the network is told no classes");
  example::check_schedule_options(train, o.noise);
  if (train.count("--out") > 0) return;
  stipple::require(!o.resume, "--resume: wanted --out too, the folder of the run that goes on");
  std::time_t const now = std::time(nullptr);
  char name[64];
  std::strftime(name, sizeof name, "runs/afhq-%Y-%m-%d-%H%M%S", std::localtime(&now));
  o.out = name;
}

// The same for samples; what the network is told is in its checkpoint.
void complete_sample(const CLI::App& sample, Options& o) {
  example::check_sampler_options(sample, o.sampler);
  for (const char* const name : {"--label", "--cfg-scale"})
    if (sample.count(name) > 0) o.class_options.emplace_back(name);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.precision = "bf16";
  options.seed = 63;
  options.steps = 100'000;
  options.batch = 12;
  options.learning_rate = 2e-4;
  CLI::App app("Learns photographs of animals by denoising diffusion and samples new ones.", "afhq");
  app.require_subcommand(1);
  auto& prepare = add_prepare(app, options);
  auto& train = add_train(app, options);
  auto& sample = add_sample(app, options);
  add_evaluate(app, options);
  app.footer(
      "The courses are KAIST's CS479 (2023), assignment 3, and Technion's 00960236, assignment 4, task 2 of\n"
      "both: AFHQ (cat, dog, wild) at 64 x 64. In order:\n"
      "  afhq prepare AFHQ runs/afhq64\n"
      "  afhq train --data runs/afhq64 --out runs/afhq\n"
      "  afhq sample --checkpoint runs/afhq/checkpoint.safetensors --out runs/afhq/samples\n"
      "  afhq evaluate runs/afhq64/eval runs/afhq/samples\n"
      "Time to expect on two cores with AVX-512 bf16, with AFHQ and the courses' network: prepare less than a\n"
      "minute; training about 10 days; 500 samples a day and a half by ddpm, 1 hour 40 minutes by ddim;\n"
      "evaluation 3 minutes.\n"
      "`afhq COMMAND --help` tells the rest.");
  return example::run_program(app, options, argc, argv, [&] {
    if (prepare.parsed()) return afhq::prepare(options);
    if (sample.parsed()) {
      complete_sample(sample, options);
      return afhq::sample(options);
    }
    if (!train.parsed()) return afhq::evaluate(options);
    complete(train, options);
    return example::run_on_device(options, afhq::train_fp32, afhq::train_bf16, afhq::train_cuda);
  });
}
