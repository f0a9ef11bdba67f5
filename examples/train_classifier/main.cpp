// train_classifier: a classifier of MNIST or Fashion-MNIST, whose features measure generated digits and clothes.
#include "common/device.hpp"
#include "common/idx_data.hpp"
#include "train_classifier/options.hpp"

namespace {

using Names = std::vector<std::string>;

void add_options(CLI::App& app, train_classifier::Options& o) {
  app.add_option("--data-set", o.data_set, "What to learn: mnist or fashion_mnist")
      ->check(CLI::IsMember(Names{"mnist", "fashion_mnist"}))
      ->capture_default_str();
  add_training_options(app, o, "60,000 images");
  app.add_option("--shift", o.shift, "Pixels by which training images are moved at random, at most")
      ->check(CLI::Range(0, 27))
      ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  train_classifier::Options options;
  options.precision = "bf16";
  options.epochs = 6;
  options.learning_rate = 3e-3;
  CLI::App app("Learns to tell handwritten digits, or clothes, apart; the features of the network serve as an FID's.",
               "train_classifier");
  add_options(app, options);
  Names const variants{"--data-set"};
  add_common_options(app, options, example::idx_help("mnist") + ", or the same of fashion-mnist",
                     example::folder_help(app, variants));
  app.footer(
      "A small network of convolutions and batch norms is trained by AdamW on the 60,000 training images, moved at\n"
      "random and, of clothes, mirrored, and tested on the 10,000 test images after each epoch. The last weights are\n"
      "kept, whatever the tests say. classifier.safetensors is what --fid-classifier of the programs that generate\n"
      "such images takes: a Frechet distance of its 64 features, which needs no network from elsewhere.\n"
      "Time to expect: 2 minutes for the 6 epochs on two cores with AVX-512 bf16.\n\n"
      "Writes metrics.json (with the confusion matrix, a row for each true class), log.jsonl, checkpoint.safetensors,\n"
      "classifier.safetensors, loss.png, accuracy.png and confusion.png. SIGINT, SIGTERM and SIGHUP end the run with\n"
      "a checkpoint and loss.png.");
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, variants);
    return example::run_on_device(options, train_classifier::run_fp32, train_classifier::run_bf16,
                                  train_classifier::run_cuda);
  });
}
