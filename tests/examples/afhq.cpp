// afhq: on a few tiny pictures each command leaves what it should, goes on where it stopped, and says what is wrong.
#include <stipple/io/hash.hpp>
#include <stipple/io/read_png.hpp>
#include <stipple/io/safetensors.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/models/mobilenet_v2.hpp>

#include "afhq_commands.hpp"
#include "classifier_reference.hpp"

using namespace stipple;

TEST_CASE("afhq prepare: images of one size, classes by name, and a folder to evaluate with") {
  ScratchFolder const folder;
  auto const out = prepared(folder);
  SafetensorsFile const file(out / "train.safetensors");
  CHECK(file.read<std::uint8_t>("images").shape() == Shape{10, 8, 12, 3});
  auto const labels = file.read<std::int32_t>("labels");
  CHECK(std::vector<int>(labels.span().begin(), labels.span().end()) == std::vector<int>{1, 1, 1, 1, 1, 2, 2, 2, 2, 2});
  for (const char* const name : {"cat_00000", "cat_00001", "owl_00000", "owl_00001"})
    CHECK(read_png(out / "eval" / (std::string(name) + ".png")).shape() == Shape{8, 12, 3});
  CHECK(read_png(out / "train.png").dim(0) == 2 * (8 + 2) + 2);
  auto const again = "prepare " + quoted(folder / "images") + " " + quoted(out);
  auto const before = bytes_of(out / "eval/cat_00000.png");
  require_success(
      afhq(again + " --image-height 8 --image-width 12 --evaluation-filter lanczos --max-per-class 2 --quiet"));
  CHECK(SafetensorsFile(out / "train.safetensors").read<std::uint8_t>("images").dim(0) == 4);
  CHECK(bytes_of(out / "eval/cat_00000.png") != before);
}

TEST_CASE("afhq prepare: what is wrong with a folder of images is said") {
  ScratchFolder const folder;
  auto const images = folder / "images", out = folder / "out";
  auto const command = afhq("prepare " + quoted(images) + " " + quoted(out) + " --quiet ");
  require_failure(command, 1, "wanted a folder with train/CLASS/*.jpg or .png");
  std::filesystem::create_directories(images / "train");
  require_failure(command, 1, "wanted one for the images of each class");
  std::filesystem::create_directories(images / "train/cat");
  require_failure(command, 1, "cat' holds no .jpg, .jpeg or .png file");
  std::filesystem::remove_all(images / "train/cat");
  write_images(images / "afhq/train", 1);  // the archive's own folder, and no val/
  std::filesystem::remove_all(images / "train");
  auto const text = require_success(command).output;
  CHECK(text.find("2 images of 2 classes (cat, owl) at 64 x 64") != std::string::npos);
  CHECK(text.find("no images to evaluate with") != std::string::npos);
  put_bytes(images / "afhq/train/cat/broken.jpg", "\xff\xd8\xff");
  require_failure(command, 1, "no leave to skip it: read_jpeg: '");
  auto const skipped = require_success(command + "--damaged skip").output;
  CHECK(skipped.find("skipped: read_jpeg: '") != std::string::npos);
  write_images(images / "afhq/val", 1);
  std::filesystem::create_directories(out / "eval");
  put_bytes(out / "eval/other.png", "");
  require_failure(command + "--damaged skip", 1, "other.png' is not of this set");
}

TEST_CASE("afhq sample: an image does not depend on what is drawn with it, or before a break") {
  ScratchFolder const folder;
  auto const data = prepared(folder), run = folder / "run", out = folder / "samples", other = folder / "other";
  require_success(train(data, run, "--steps 4 --use-cfg --keep-every 4"));
  auto const checkpoint = run / "checkpoint.safetensors";
  auto const text = require_success(sample(checkpoint, out, "--count 7 --batch 3")).output;
  CHECK(text.find("7 images are in ") != std::string::npos);
  CHECK(read_png(out / "0.png").shape() == Shape{8, 12, 3});
  CHECK(read_png(folder / "samples-sheet.png").dim(1) == 7 * (12 + 2) + 2);
  CHECK_FALSE(std::filesystem::exists(out / "7.png"));
  // From the checkpoint without moments; in two runs, the second of which finds two images missing.
  std::filesystem::create_directories(other);
  require_success(sample(checkpoint, other, "--count 5 --batch 2 --threads 1"));
  std::filesystem::remove(other / "1.png");
  require_success(sample(checkpoint, other, "--count 7 --batch 64"));
  CHECK(all_images(other, 7) == all_images(out, 7));
  require_success(sample(run / "checkpoint-4.safetensors", folder / "kept", "--count 7"));
  CHECK(all_images(folder / "kept", 7) == all_images(out, 7));
  require_success(sample(checkpoint, folder / "seed", "--count 7 --seed 5"));
  CHECK(all_images(folder / "seed", 7) != all_images(out, 7));
}

TEST_CASE("afhq sample: a folder inside that of the run leaves the run's files as they are") {
  ScratchFolder const folder;
  auto const data = prepared(folder), run = folder / "run";
  require_success(train(data, run, "--steps 1"));
  auto const checkpoint = checkpoint_bytes(run), pictures = bytes_of(run / "samples.png"),
             log = bytes_of(run / "log.jsonl"), metrics = bytes_of(run / "metrics.json");
  require_success(sample(run / "checkpoint.safetensors", run / "samples", "--count 2"));
  CHECK(read_png(run / "samples-sheet.png").dim(1) == 2 * (12 + 2) + 2);
  CHECK(checkpoint_bytes(run) == checkpoint);
  CHECK(bytes_of(run / "samples.png") == pictures);
  CHECK(bytes_of(run / "log.jsonl") == log);
  CHECK(bytes_of(run / "metrics.json") == metrics);
}

TEST_CASE("afhq sample: stopped by a signal, it leaves whole images and goes on, and nobody shares its folder") {
  ScratchFolder const folder;
  auto const data = prepared(folder), run = folder / "run", out = folder / "samples", whole = folder / "whole";
  require_success(train(data, run, "--steps 1"));
  auto const command = sample(run / "checkpoint.safetensors", out, "--count 3000 --batch 1");
  auto const outcome =
      run_shell(command + " & pid=$!; while ! [ -e " + quoted(out / "2.png") +
                " ] && kill -0 $pid; do sleep 0.01; done; " + command + "; kill -TERM $pid; wait $pid");
  INFO(outcome.output);
  CHECK(outcome.code == 143);
  CHECK(outcome.output.find("another run is at work in '" + out.string() + "'") != std::string::npos);
  CHECK(outcome.output.find("the same command goes on") != std::string::npos);
  REQUIRE_FALSE(std::filesystem::exists(out / "2999.png"));
  require_success(sample(run / "checkpoint.safetensors", out, "--count 6"));
  require_success(sample(run / "checkpoint.safetensors", whole, "--count 6"));
  CHECK(all_images(out, 6) == all_images(whole, 6));
}

TEST_CASE("afhq sample: samplers, guidance and labels") {
  ScratchFolder const folder;
  auto const data = prepared(folder), run = folder / "run";
  require_success(train(data, run, "--steps 30 --learning-rate 0.01 --use-cfg"));
  auto const checkpoint = run / "checkpoint.safetensors";
  std::vector<std::string> kinds;
  auto const draw = [&](const std::string& options) {
    auto const out = folder / ("kind" + std::to_string(kinds.size()));
    require_success(sample(checkpoint, out, "--count 4 " + options));
    kinds.push_back(all_images(out, 4));
    return kinds.back();
  };
  auto const each = draw("--label each --sampler ddim --steps 5");
  CHECK(draw("--label each --sampler dpm_solver --steps 5") != each);
  CHECK(draw("--label each --sampler ddpm --steps 5") != each);
  CHECK(draw("--label each --sampler ddpm --steps 5 --variance large") != kinds[2]);
  CHECK(draw("--label each --sampler ddim --steps 5 --cfg-scale 0") != each);
  auto const cat = draw("--label cat --sampler ddim --steps 5");
  CHECK(draw("--label 1 --sampler ddim --steps 5") == cat);
  CHECK(draw("--label owl --sampler ddim --steps 5") != cat);
  // Of one after the other, the first and third are cats.
  auto const image = [&](int kind, int i) {
    return bytes_of(folder / ("kind" + std::to_string(kind)) / (std::to_string(i) + ".png"));
  };
  CHECK(image(0, 2) == image(5, 2));
  CHECK(image(0, 1) == image(7, 1));
  auto const euler = draw("--label each --sampler euler --steps 5");
  CHECK(euler != each);
  CHECK(draw("--label each --sampler heun --steps 5") != euler);
  CHECK(draw("--label each --sampler dpm_solver_sde --steps 5") != kinds[1]);
}

TEST_CASE("afhq sample: in another precision than the training's") {
  ScratchFolder const folder;
  auto const data = prepared(folder), run = folder / "run", out = folder / "samples", wide = folder / "wide";
  require_success(train(data, run, "--steps 30 --learning-rate 0.01"));  // in bf16
  auto const checkpoint = run / "checkpoint.safetensors";
  require_success(sample(checkpoint, out, "--count 3"));
  CHECK(get_string(read_json(out / "sampling.json"), "precision", "sampling.json") == "bf16");
  require_success(sample(checkpoint, out, "--count 4 --precision bf16"));
  require_success(sample(checkpoint, wide, "--count 4 --precision fp32"));
  CHECK(all_images(wide, 4) != all_images(out, 4));
  double most = 0;
  for (int i = 0; i < 4; ++i) {
    auto const name = std::to_string(i) + ".png";
    most = std::max(most, max_abs_difference<std::uint8_t>(read_png(wide / name), read_png(out / name)));
  }
  CHECK(most <= 24);  // of 255: rounding, not another image
  require_failure(sample(checkpoint, out, "--precision fp32"), 1, "precision was \"bf16\", now \"fp32\"");
  require_failure(sample(checkpoint, folder / "tf32", "--precision tf32"), 1,
                  "--precision tf32 is arithmetic of a GPU");
  CHECK_FALSE(std::filesystem::exists(folder / "tf32"));
  require_failure(sample(checkpoint, out, "--precision fp16"), 2, "--precision");
}

TEST_CASE("afhq evaluate: figures of two folders, with the name and hash of their network") {
  ScratchFolder const folder;
  auto const real = folder / "real", fake = folder / "fake";
  auto weights = folder / "mobilenet_v2.safetensors";
  Rng rng(1);
  MobilenetV2<float> net({}, rng);
  classifier::fill(net);
  save_weights(weights, net);
  write_images(real, 3);
  write_images(fake, 3);
  auto const command = [&](const Path& a, const Path& b) {
    return afhq("evaluate " + quoted(a) + " " + quoted(b) + " --quiet --weights " + quoted(weights));
  };
  auto const same = require_success(command(real, fake)).output;
  CHECK(same.find("FID: ") != std::string::npos);
  auto const figures = [&] { return get_array(read_json(fake / "metrics.json"), "figures", "metrics"); };
  auto const hash = get_string(figures()[0], "weights_sha256", "metrics");
  CHECK(hash == sha256_of_file(weights));
  CHECK(same.find("by mobilenet_v2 (SHA-256 of its weights " + hash + ") of 6 images against 6") != std::string::npos);
  CHECK(same.find("over 100 subsets of 3 images") != std::string::npos);
  CHECK(get_number(figures()[0], "fid", "metrics") == Approx(0).margin(1e-3));
  CHECK(get_number(figures()[0], "kid_standard_deviation", "metrics") > 0);
  write_png(fake / "cat/0.png", Tensor<std::uint8_t>({30, 30, 1}, std::uint8_t{9}));  // gray, and of another size
  require_success(command(real / "", fake));  // the same folder: in place of the first figures
  REQUIRE(figures().size() == 1);
  CHECK(get_number(figures()[0], "fid", "metrics") > 1e-3);
  // Another folder, and other weights, add to them.
  require_success(command(real / "owl", fake));
  auto bytes = bytes_of(weights);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  weights = folder / "other.safetensors";
  put_bytes(weights, bytes);
  require_success(command(real, fake));
  REQUIRE(figures().size() == 3);
  CHECK(get_string(figures()[0], "real_folder", "metrics") == "../real");
  CHECK(get_string(figures()[1], "real_folder", "metrics") == "../real/owl");
  CHECK(get_integer(figures()[1], "real_images", "metrics") == 3);
  CHECK(get_string(figures()[2], "real_folder", "metrics") == "../real");
  CHECK(get_string(figures()[1], "weights_sha256", "metrics") == hash);
  CHECK(get_string(figures()[2], "weights_sha256", "metrics") == sha256_of_file(weights));
  put_bytes(real / "metrics.json", "{\"loss\": 1}");  // as a run of training leaves it
  require_failure(command(fake, real), 1, "metrics.json': given an object without 'figures'");
  CHECK(bytes_of(real / "metrics.json") == "{\"loss\": 1}");
  put_bytes(fake / "cat/1.png", "");
  require_failure(command(real, fake), 1, "cat/1.png': given 0 bytes");
  std::filesystem::remove_all(fake / "cat");
  require_failure(command(real, folder / "none"), 1, "cannot read the folder");
  require_failure(command(real, fake / "owl") + " --features inception_v3", 1, "the weights of mobilenet_v2");
  std::filesystem::create_directories(folder / "empty");
  require_failure(command(real, fake / "owl") + " --device cuda:1000", 1, "afhq: --device cuda");
  require_failure(command(real, fake / "owl") + " --device gpu", 2, "wanted cpu, cuda, or cuda:N");
  require_failure(command(folder / "empty", fake), 1, "empty' holds 0 .jpg, .jpeg or .png files");
}

TEST_CASE("afhq: what cannot be done is said in a sentence") {
  ScratchFolder const folder;
  auto const data = prepared(folder), run = folder / "run", out = folder / "samples";
  require_failure(program("afhq"), 2, "subcommand");
  require_failure(afhq("train --data " + quoted(data) + " --width 4"), 1,
                  "given 4 levels for images of 8 x 12, wanted sides that are multiples of 8");
  require_failure(train(folder / "nowhere", run, ""), 1, "afhq prepare IMAGES");
  require_failure(afhq("train --width 4 --multipliers 1 --batch 11 --data " + quoted(data) + " --out " + quoted(run)),
                  1, "wanted at least one batch of 11");
  require_failure(train(data, run, "--steps 1 --resume"), 1, "no checkpoint");
  require_failure(afhq("train"), 1, "--data: wanted the folder");
  require_failure(afhq("train --resume"), 1, "--resume: wanted --out too");
  require_failure(train(data, run, "--steps 1 --cfg-scale 2"), 1, "--cfg-scale: without --use-cfg");
  require_failure(train(data, run, "--steps 1 --p-uncond 0.2"), 1, "--p-uncond: without --use-cfg");
  require_failure(train(data, run, "--steps 1 --class-embedding table"), 1, "--class-embedding: without --use-cfg");
  require_failure(train(data, run, "--steps 1 --schedule cosine --beta-start 0.1"), 1, "--beta-start: the cosine");
  require_success(train(data, run, "--steps 1"));
  require_failure(train(data, run, "--steps 2 --resume --use-cfg"), 1, "is not of this network");
  require_failure(train(data, run, "--steps 2 --resume --flip"), 1, "is of another run");
  auto const checkpoint = run / "checkpoint.safetensors";
  require_failure(sample(folder / "none", out, ""), 1, "none': No such file");
  require_failure(sample(data / "train.safetensors", out, ""), 1, "is not a checkpoint");
  require_failure(sample(checkpoint, out, "--steps 11"), 1, "given 11 steps, wanted 1 to 10");
  require_failure(sample(checkpoint, out, "--label cat"), 1, "--label: the network of '" + checkpoint.string());
  require_failure(sample(checkpoint, out, "--cfg-scale 3"), 1, "is told no classes");
  require_failure(sample(checkpoint, out, "--sampler ddim --variance large"), 1, "--variance: is of ddpm");
  require_failure(sample(checkpoint, out, "--sampler heun --eta 1"), 1, "--eta: is of ddim");
  require_success(sample(checkpoint, out, "--count 1"));
  require_failure(sample(checkpoint, out, "--steps 9"), 1, "sampler_steps was 10, now 9");
  std::filesystem::remove(out / "sampling.json");
  require_failure(sample(checkpoint, out, ""), 1, "holds images, but no sampling.json");
  auto bytes = bytes_of(checkpoint);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  put_bytes(folder / "damaged.safetensors", bytes);
  require_failure(sample(folder / "damaged.safetensors", folder / "b", ""), 1, "is damaged");
  require_success(train(data, folder / "classes", "--steps 1 --use-cfg"));
  require_failure(sample(folder / "classes/checkpoint.safetensors", folder / "c", "--label dog"), 1,
                  "wanted random, each, a number from 1 to 2, cat, owl");
  // A full disk: what is there stays, and the same command goes on.
  auto const full = folder / "full";
  require_failure("ulimit -f 0; trap '' XFSZ; " + sample(checkpoint, full, "--count 3"), 1, "cannot write");
  require_success(sample(checkpoint, full, "--count 3"));
  require_success(sample(checkpoint, folder / "free", "--count 3"));
  CHECK(all_images(full, 3) == all_images(folder / "free", 3));
}
