// The program of consumers that include all of the library: exit status 0 if training lowers a loss and, with
// stipple::io, the trainer and a picture leave their files in the current folder.
#include <stipple/stipple.hpp>

#include <cstdio>
#include <filesystem>

#if defined(EXPECT_STIPPLE_COMPILED) && !defined(STIPPLE_COMPILED)
#error "stipple::compiled must tell its users that the instantiations exist"
#endif

namespace st = stipple;

int main() try {
  st::Rng rng(1);
  st::Model net{st::TimeLinearNet<float>({2, 32, 2}, rng)};
  st::Ddpm const ddpm{st::linear_schedule({.num_train_timesteps = 100})};
  auto const points = st::data::points(st::data::PointSet::moon, 256, rng);

#if defined(EXPECT_STIPPLE_IO)
  st::Trainer trainer{net, st::Adam{{.learning_rate = 1e-2}}, {.batch = 64, .out = "run", .quiet = true}};
  auto const result = trainer.fit(st::PointDataset{points}, 10, [&](const auto& batch, st::Rng& noise) {
    return ddpm.loss(net, batch.points, noise);
  });
  bool right = result.step == 40 && result.epoch_losses.back() < result.epoch_losses.front();
  st::write_grid("run/grid.png", st::Tensor<float>({4, 8, 8, 1}, 0.5f));
  for (const char* const file : {"run/log.jsonl", "run/checkpoint.safetensors", "run/grid.png"})
    right = right && std::filesystem::file_size(file) > 0;
#else
  double first = 0, last = 0;
  for (int i = 0; i < 40; ++i) {
    st::Rng same_noise(7);
    auto const loss = ddpm.loss(net, points, same_noise);
    loss.backward();
    st::Adam{{.learning_rate = 1e-2}}.step(net);
    last = loss.item();
    if (i == 0) first = last;
  }
  bool const right = last < first;
#endif
  if (!right) std::fputs("training did not do what it should\n", stderr);
  return right ? 0 : 1;
} catch (const st::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
