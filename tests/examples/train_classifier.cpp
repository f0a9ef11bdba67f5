// train_classifier: on a few pictures it learns them, leaves what it should, goes on where it stopped, and says what is
// wrong.
#include <stipple/io/hash.hpp>
#include <stipple/io/read_png.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/models/image_classifier.hpp>

#include "media.hpp"
#include "program.hpp"

namespace {

std::filesystem::path write_data(const ScratchFolder& folder, const char* name = "mnist") {
  auto const data = folder / name;
  write_idx(data, "train", 20, 28);
  write_idx(data, "t10k", 20, 28);  // the same pictures
  return data;
}

// An epoch is three steps.
std::string train_classifier(const std::filesystem::path& data, const std::filesystem::path& out,
                             const std::string& options) {
  return program("train_classifier") + " --data " + quoted(data) + " --out " + quoted(out) + " --batch 8 --quiet " +
         options;
}

}  // namespace

TEST_CASE("train_classifier: learns a few pictures, and leaves weights that know them") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const text = require_success(train_classifier(data, out, "--epochs 30 --shift 0")).output;
  CHECK(text.find("Accuracy on the test images: 100.00 %") != std::string::npos);
  CHECK(metric(out, "steps") == 90);
  CHECK(metric(out, "parameters") == 139818);
  CHECK(metric(out, "test_accuracy") == 1);
  CHECK(metric(out, "seed") == 1);
  auto const metrics = stipple::read_json(out / "metrics.json");
  auto const array = [&](const char* name) { return stipple::get_array(metrics, name, "metrics.json"); };
  auto const accuracies = array("epoch_test_accuracies").get<std::vector<double>>();
  REQUIRE(accuracies.size() == 30);
  CHECK(accuracies.front() < 1);
  CHECK(accuracies.back() == 1);
  CHECK(array("epoch_losses").size() == 30);
  auto const confusion = array("confusion").get<std::vector<std::vector<int>>>();
  REQUIRE(confusion.size() == 10);
  for (std::size_t row = 0; row < 10; ++row)
    for (std::size_t column = 0; column < 10; ++column) CHECK(confusion[row][column] == (row == column ? 2 : 0));
  for (const char* const picture : {"loss.png", "accuracy.png", "confusion.png"})
    CHECK(stipple::read_png(out / picture).size() > 0);

  auto const weights = out / "classifier.safetensors";
  CHECK(stipple::get_string(metrics, "weights_sha256", "metrics.json") == stipple::sha256_of_file(weights));
  stipple::Rng rng(1);
  stipple::ImageClassifier<float> net({}, rng);
  stipple::load_weights(weights, net);
  stipple::Tensor<float> images({20, 28, 28, 1});
  for (int i = 0; i < 20; ++i)
    for (int j = 0; j < 28 * 28; ++j)
      images.data()[i * 28 * 28 + j] = static_cast<float>((i * 37 + j * 11) % 256) / 127.5f - 1;
  auto const classes = net.classify(images);
  for (int i = 0; i < 20; ++i) CHECK(classes.data()[i] == i % 10);
}

TEST_CASE("train_classifier: clothes, and what it prints after an epoch") {
  ScratchFolder const folder;
  auto const data = write_data(folder, "fashion-mnist"), out = folder / "run";
  auto const text = require_success("STIPPLE_DATA=" + quoted(folder.path()) + " " + program("train_classifier") +
                                    " --data-set fashion_mnist --epochs 1 --precision fp32 --out " + quoted(out))
                        .output;
  CHECK(text.find("20 images and 20 to test, 139818 parameters, 1 steps of 128 images, fp32") != std::string::npos);
  CHECK(text.find("epoch 1: mean loss ") != std::string::npos);
  auto const metrics = stipple::read_json(out / "metrics.json");
  CHECK(stipple::get_array(metrics, "classes", "metrics.json").at(9) == "boot");
  CHECK(stipple::get_string(metrics, "data_set", "metrics.json") == "fashion_mnist");
}

TEST_CASE("train_classifier: stopped by a signal and resumed, the bytes are the same") {
  ScratchFolder const folder;
  auto const data = write_data(folder), whole = folder / "whole", parts = folder / "parts";
  std::string const options = "--epochs 40";
  require_success(train_classifier(data, whole, options + " --threads 2"));
  require_interrupted(train_classifier(data, parts, options + " --threads 1 --checkpoint-every 2"), parts);
  CHECK_FALSE(std::filesystem::exists(parts / "metrics.json"));
  CHECK(stipple::read_png(parts / "loss.png").size() > 0);
  require_success(train_classifier(data, parts, options + " --threads 1 --resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  for (const char* const name : {"classifier.safetensors", "accuracy.png", "confusion.png"})
    CHECK(bytes_of(parts / name) == bytes_of(whole / name));
}

TEST_CASE("train_classifier: what cannot be done is said in a sentence") {
  ScratchFolder const folder;
  auto const data = write_data(folder), out = folder / "run";
  auto const help = require_success(program("train_classifier") + " --help").output;
  for (const char* const words : {"--data-set", "--shift", "--epochs", "--steps", "--max-minutes", "--batch",
                                  "--learning-rate", "--out", "--seed", "--threads", "--precision", "--resume",
                                  "--checkpoint-every", "--data", "--quiet", "--fid-classifier", "Time to expect"})
    CHECK(help.find(words) != std::string::npos);
  require_failure(train_classifier(data, out, "--data-set cifar"), 2, "--data-set");
  require_failure(train_classifier(data, out, "--shift 28"), 2, "--shift");
  require_failure(train_classifier(folder / "nowhere", out, ""), 1, "scripts/get-data mnist");
  require_failure(train_classifier(data, out, "--steps 1 --resume"), 1, "no checkpoint");
  require_success(train_classifier(data, out, "--steps 1"));
  require_failure(train_classifier(data, out, "--steps 2 --shift 1 --resume"), 1, "is of another run");
  std::filesystem::remove(data / "t10k-labels-idx1-ubyte");
  require_failure(train_classifier(data, out, "--steps 1"), 1, "t10k-labels-idx1-ubyte");
}
