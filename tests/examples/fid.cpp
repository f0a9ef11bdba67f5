// Figures of samples: the programs measure what they are asked for, once, and say what is wrong.
#include <stipple/io/read_png.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/models/image_classifier.hpp>

#include "media.hpp"
#include "program.hpp"

namespace {

using stipple::Json;

/// Data sets with the same pictures to train and to test, and a classifier that was never trained.
struct Place {
  ScratchFolder folder;
  std::filesystem::path classifier = folder / "classifier.safetensors";

  explicit Place(std::uint64_t seed = 1) {
    for (const char* const name : {"mnist", "fashion-mnist"})
      for (const char* const split : {"train", "t10k"}) write_idx(folder / name, split, 12, 28);
    stipple::Rng rng(seed);
    stipple::save_weights(classifier, stipple::ImageClassifier<float>({}, rng));
  }
  std::filesystem::path operator/(const char* name) const { return folder / name; }
  std::string command(const std::string& name, const std::filesystem::path& out, const std::string& options,
                      int steps = 1) const {
    return "STIPPLE_DATA=" + quoted(folder.path()) + " " + program(name) + " --out " + quoted(out) +
           " --batch 8 --quiet --steps " + std::to_string(steps) + " " + options;
  }
  std::string guided(const std::filesystem::path& out, const std::string& options, int steps = 1) const {
    return command("mnist_guided", out, "--width 2 --timesteps 6 --sample-count 10 " + options, steps);
  }
  std::string by_classifier() const { return " --fid-classifier " + quoted(classifier) + " "; }
};

Json fid_of(const std::filesystem::path& out) {
  return stipple::get_field(stipple::read_json(out / "metrics.json"), "fid", "metrics.json");
}
Json figures_of(const std::filesystem::path& out) { return stipple::get_array(fid_of(out), "figures", "fid"); }

double number(const Json& figure, const char* name) { return stipple::get_number(figure, name, "figure"); }

Json without_seconds(Json figures) {
  for (auto& figure : figures) figure.erase("seconds");
  return figures;
}

}  // namespace

TEST_CASE("figures of samples: every sampler with every number of steps and every guidance, and training images") {
  Place const place;
  auto const out = place / "run";
  std::string const options =
      "--fid-count 60 --fid-samplers ddpm ddim dpm_solver --fid-steps 3 6 --fid-guidance 0 5" + place.by_classifier();
  auto const text = require_success(place.guided(out, options + "--threads 2")).output;
  for (const char* const words : {"against 12 test images", "training images", "dpm_solver"})
    CHECK(text.find(words) != std::string::npos);
  auto const figures = figures_of(out);
  REQUIRE(figures.size() == 13);
  CHECK(figures[0].at("sampler") == "training images");
  CHECK(std::abs(number(figures[0], "fid")) < 1e-6);  // they are the test images
  CHECK(number(figures[0], "generated_images") == 12);
  for (std::size_t i = 1; i < 13; ++i) {
    auto const& figure = figures[i];
    INFO(figure);
    CHECK(figure.at("sampler") == (i < 5 ? "ddpm" : i < 9 ? "ddim" : "dpm_solver"));
    CHECK(number(figure, "steps") == ((i - 1) % 4 < 2 ? 3 : 6));
    CHECK(number(figure, "guidance") == (i % 2 == 1 ? 0 : 5));
    CHECK(number(figure, "generated_images") == 60);
    CHECK(number(figure, "real_images") == 12);
    CHECK(number(figure, "fid") > 0);
    CHECK(number(figure, "accuracy") >= 0);
    CHECK(number(figure, "accuracy") <= 1);
    for (std::size_t j = 1; j < i; ++j) CHECK(number(figure, "fid") != number(figures[j], "fid"));
  }
  for (const char* const picture : {"fid_steps.png", "fid_guidance.png"})
    CHECK(stipple::read_png(out / picture).size() > 0);

  // all of them again on one thread, but those that are asked for in another order
  auto const other = place / "other";
  require_success(place.guided(
      other, "--threads 1 --fid-count 60 --fid-samplers ddim --fid-steps 6 --fid-guidance 5" + place.by_classifier()));
  CHECK(without_seconds(figures_of(other))[1] == without_seconds(figures)[8]);
  CHECK_FALSE(std::filesystem::exists(other / "fid_steps.png"));
}

TEST_CASE("figures of samples: a repeated run measures nothing twice, and other weights anew") {
  Place const place;
  auto const out = place / "run";
  std::string const few = "--fid-count 6" + place.by_classifier();
  require_success(place.guided(out, few));
  auto const first = figures_of(out);
  REQUIRE(first.size() == 2);
  CHECK(first[1].at("sampler") == "ddpm");
  CHECK(number(first[1], "steps") == 6);
  CHECK(number(first[1], "guidance") == 5);
  require_success(place.guided(out, few + "--resume --fid-samplers ddpm ddim"));
  auto const second = figures_of(out);
  REQUIRE(second.size() == 3);
  CHECK(second[0] == first[0]);
  CHECK(second[1] == first[1]);  // with its seconds
  require_success(place.guided(out, "--resume"));
  CHECK(figures_of(out) == second);
  CHECK(number(fid_of(out), "seed") == 1);
  auto older = stipple::read_json(out / "metrics.json");
  older["fid"]["seed"] = "1";
  stipple::write_json(out / "metrics.json", older);
  require_success(place.guided(out, "--resume"));
  CHECK(figures_of(out) == second);
  require_success(place.guided(out, "--resume --fid-count 7" + place.by_classifier()));
  CHECK(figures_of(out).size() == 5);
  CHECK(figures_of(out)[2] == second[2]);
  auto const weights = fid_of(out).at("sampled_from");
  require_success(place.guided(out, few + "--resume", 2));
  CHECK(fid_of(out).at("sampled_from") != weights);
  CHECK(figures_of(out).size() == 2);
  CHECK(number(figures_of(out)[1], "fid") != number(first[1], "fid"));
  require_success(place.guided(out, "--resume", 3));
  CHECK_FALSE(stipple::read_json(out / "metrics.json").contains("fid"));
}

TEST_CASE("figures of samples: a signal ends them between two steps, and a resume measures those that are missing") {
  Place const place;
  auto const whole = place / "whole", parts = place / "parts";
  auto const run = [&](const std::filesystem::path& out) {
    return place.command("mnist_guided", out,
                         "--width 2 --timesteps 40 --sample-count 10 --fid-count 60 --fid-samplers ddim "
                         "--fid-steps 2 40 --threads 1" +
                             place.by_classifier());
  };
  require_success(run(whole));
  require_interrupted(run(parts), parts, "metrics.json");
  auto const before = figures_of(parts);
  CHECK(before.size() < 3);
  CHECK_FALSE(std::filesystem::exists(parts / "fid_steps.png"));
  require_success(run(parts) + "--resume");
  CHECK(without_seconds(figures_of(parts)) == without_seconds(figures_of(whole)));
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(figures_of(parts)[i] == before[i]);  // with its seconds
  CHECK(stipple::read_png(parts / "fid_steps.png").size() > 0);
}

TEST_CASE("figures of samples: padded digits with and without labels, and clothes") {
  Place const place;
  auto const labelled = place / "labelled", plain = place / "plain", clothes = place / "clothes";
  std::string const attention = "--width 8 --timesteps 3 --validation-count 2 --validation-draws 1 --sample-count 1 ";
  std::string const few = "--fid-count 6" + place.by_classifier();
  require_success(place.command("mnist_attention", labelled, attention + "--conditional --recipe best " + few));
  require_success(
      place.command("mnist_attention", plain, attention + "--fid-samplers dpm_solver_sde --fid-steps 2 " + few));
  require_success(place.command("fashion_mnist", clothes,
                                "--recipe best --timesteps 3 --sample-count 1 --fid-samplers heun " + few));
  for (auto const& out : {labelled, plain, clothes}) {
    auto const figures = figures_of(out);
    REQUIRE(figures.size() == 2);
    CHECK(number(figures[1], "fid") > 0);
    CHECK_FALSE(figures[1].contains("guidance"));
    CHECK(figures[1].contains("accuracy") == (out == labelled));
  }
  CHECK(number(figures_of(plain)[1], "steps") == 2);
  CHECK(number(figures_of(clothes)[0], "fid") > 1e-6);  // mirrored at random, and six of the twelve
}

TEST_CASE("figures of samples: what cannot be done is said before training") {
  Place const place;
  auto const out = place / "run";
  auto const help = require_success(program("mnist_guided") + " --help").output;
  for (const char* const words : {"--fid-classifier", "--fid-count", "--fid-samplers", "--fid-steps", "--fid-guidance"})
    CHECK(help.find(words) != std::string::npos);
  auto const given = place.by_classifier();
  require_failure(place.guided(out, "--fid-count 5"), 2, "--fid-classifier");
  require_failure(place.guided(out, given + "--fid-count 1"), 2, "--fid-count");
  require_failure(place.guided(out, given + "--fid-samplers plms"), 2, "--fid-samplers");
  require_failure(place.guided(out, given + "--fid-steps 0"), 2, "--fid-steps");
  require_failure(place.guided(out, given + "--fid-steps 3 7"), 1, "--fid-steps: given 7, wanted at most the 6");
  require_failure(place.guided(out, given + "--fid-guidance 1 --network time"), 1, "--fid-guidance");
  require_failure(place.guided(out, "--fid-classifier " + quoted(place / "missing")), 1, "missing");
  stipple::Rng rng(1);
  stipple::save_weights(place / "other.safetensors", stipple::Linear<float>(2, 3, rng));
  require_failure(place.guided(out, "--fid-classifier " + quoted(place / "other.safetensors")), 1,
                  "is not of this network");
  require_failure(place.command("fashion_mnist", out, "--fid-guidance 1"), 2, "--fid-guidance");
  auto const clothes = require_success(program("fashion_mnist") + " --help").output;
  for (const char* const words : {"every guidance", "fid_guidance.png", "Labels are spread"})
    CHECK(clothes.find(words) == std::string::npos);
  auto const test_images = place / "mnist" / "t10k-images-idx3-ubyte";
  write_idx(place / "mnist", "t10k", 12, 30);
  require_failure(place.guided(out, given), 1, "given images of 30 x 30 pixels");
  std::filesystem::remove(test_images);
  require_failure(place.guided(out, given), 1, "t10k-images-idx3-ubyte");
  CHECK_FALSE(std::filesystem::exists(out / "log.jsonl"));
  put_bytes(place / "metrics.json", "no JSON");
  require_failure(place.guided(place.folder.path(), ""), 1, "metrics.json");
}
