// Trains the image U-Net in float for some steps and writes what another implementation needs to repeat them: the
// weights before, and the batches, timesteps, noise, learning rates and losses. The counterpart of loss_curve.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include <stipple/data/image_folder.hpp>
#include <stipple/data/loader.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/io/safetensors.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/models/kaist_unet.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/schedule.hpp>

namespace st = stipple;

namespace {

/// (N, H, W, C) to (N, C, H, W).
st::Tensor<float> channels_first(const st::Tensor<float>& x) {
  st::Index const pixels = x.dim(1) * x.dim(2), channels = x.dim(3);
  st::Tensor<float> y({x.dim(0), channels, x.dim(1), x.dim(2)});
  for (st::Index i = 0; i < x.dim(0); ++i)
    for (st::Index p = 0; p < pixels; ++p)
      for (st::Index c = 0; c < channels; ++c)
        y.data()[(i * channels + c) * pixels + p] = x.data()[(i * pixels + p) * channels + c];
  return y;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app{"Trains the KAIST U-Net without dropout and writes weights, batches, noise and losses."};
  std::string data, out;
  int steps = 50, threads = st::num_threads();
  st::Index batch = 2, width = 128;
  app.add_option("--data", data, "Folder with a folder of images for each class")->required();
  app.add_option("--out", out, "Folder for initial.safetensors and trace.safetensors")->required();
  app.add_option("--steps", steps)->check(CLI::PositiveNumber);
  app.add_option("--batch", batch)->check(CLI::PositiveNumber);
  app.add_option("--width", width)->check(CLI::PositiveNumber);
  app.add_option("--threads", threads)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  st::set_num_threads(threads);
  std::filesystem::create_directories(out);

  constexpr double learning_rate = 2e-4;  // the course's, as its warm-up
  constexpr st::LinearWarmup warmup{.steps = 200, .first = 1};
  auto const images = st::data::image_folder(data);
  st::Rng rng(1);
  st::Model model{st::KaistUnet<float>({.width = width, .dropout = 0}, rng)};
  st::save_weights(out + "/initial.safetensors", model);
  st::Ddpm const ddpm(st::linear_schedule({.num_train_timesteps = 1000}));
  st::Loader loader(images.dataset, {.batch = batch, .seed = 1});
  st::SafetensorsWriter trace;
  st::Tensor<float> losses({steps}), rates({steps});
  for (int step = 0; step < steps; ++step) {
    auto const x0 = loader.next().images;
    auto const noised = ddpm.noised<float>(x0, rng);
    double const rate = learning_rate * warmup(step);
    st::Training const training(rng);
    auto const loss = ddpm.loss(model, noised);
    loss.backward();
    st::Adam{{.learning_rate = rate}}.step(model);
    losses.data()[step] = loss.value().item();
    rates.data()[step] = static_cast<float>(rate);
    auto const name = [&](const char* what) { return std::string(what) + "." + std::to_string(step); };
    trace.add(name("x_t"), channels_first(noised.x_t));
    trace.add(name("noise"), channels_first(noised.target));
    trace.add(name("t"), noised.t);
    std::printf("%d %.7f\n", step, static_cast<double>(losses.data()[step]));
    std::fflush(stdout);
  }
  trace.add("losses", losses);
  trace.add("learning_rates", rates);
  trace.write(out + "/trace.safetensors");
} catch (const st::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
