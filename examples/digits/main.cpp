// The program of the README: a U-Net for handwritten digits, trained and sampled.
#include <stipple/stipple.hpp>

namespace st = stipple;

template <st::Real T, st::Device D>
struct Unet {  // (N, H, W, 1), t (N) -> (N, H, W, 1)
  st::TimeEmbedding<T, D> time;
  st::Conv2d<T, D> stem, down, up;
  st::ResBlock<T, D> a, b, middle, c;
  st::Attention<T, D> attention;
  st::NormConv<T, D> head;

  Unet(st::Index w, st::Rng& rng)
      : time(w, 4 * w, rng),
        stem(1, w, {}, rng),
        down(w, 2 * w, {.stride = 2}, rng),
        up(2 * w, w, {}, rng),
        a(w, w, 4 * w, rng),
        b(2 * w, 2 * w, 4 * w, rng),
        middle(2 * w, 2 * w, 4 * w, rng),
        c(2 * w, w, 4 * w, rng),
        attention(2 * w, {.heads = 4}, rng),
        head(w, 1, rng) {}

  auto operator()(const st::Var<T, D>& x, const st::Tensor<float, D>& t) const {
    auto const e = time(t);
    auto const h = a(stem(x), e);
    auto const m = middle(attention(b(down(h), e)), e);
    return head(c(concat(h, up(upsample(m, 2))), e));
  }
  static void each(auto& self, auto&& f) {
    f("time", self.time), f("stem", self.stem), f("a", self.a), f("down", self.down), f("b", self.b);
    f("attention", self.attention), f("middle", self.middle), f("up", self.up), f("c", self.c), f("head", self.head);
  }
};

int main() try {
  st::Rng rng{42};
  auto const digits = st::data::idx("mnist");  // images, labels
  st::Model net{Unet<st::bf16, st::Cpu>(32, rng)};
  st::Ddpm const ddpm{st::linear_schedule({.num_train_timesteps = 1000})};
  st::Trainer trainer{net, st::Adam{{.learning_rate = 1e-3}}, {.batch = 128, .ema = 0.995, .out = "runs/digits"}};
  trainer.fit(digits, 1, [&](auto const& batch, st::Rng& noise) { return ddpm.loss(net, batch.images, noise); });
  auto const x = st::sample_ddim(net.ema(), rng.normal({64, 28, 28, 1}), ddpm.schedule, {.steps = 50});
  st::write_grid("runs/digits/samples.png", x);
} catch (const st::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
