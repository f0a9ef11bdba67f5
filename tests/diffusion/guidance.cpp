// Networks as denoisers, labels, and classifier-free guidance.
#include <stipple/diffusion/guidance.hpp>

#include <stipple/autograd/arithmetic.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

// x / 2 + t / 1000 as a network of T.
template <Real T, Device D = Cpu>
struct HalfNet {
  Var<T, D> operator()(const Var<T, D>& x, const Tensor<accumulate_t<T>, D>& t) const {
    return affine(x, 0.5, static_cast<double>(t.data()[0]) / 1000);
  }
};

// A wrapper that takes anything, and so cannot be asked what it may be called with.
template <class Net, class T>
struct Anything {
  using element = T;
  Net net;
  template <class... Args>
  auto operator()(Args&&... args) const {
    return net(std::forward<Args>(args)...);
  }
};

// Counts its calls; predicts label + x.
struct Labels {
  mutable std::vector<std::vector<std::int32_t>> calls{};

  Tensor<float> operator()(const Tensor<float>& x, const Tensor<float>& t, const Tensor<std::int32_t>& labels) const {
    REQUIRE(x.dim(0) == labels.dim(0));
    REQUIRE(t.dim(0) == labels.dim(0));
    calls.emplace_back(labels.span().begin(), labels.span().end());
    Tensor<float> y(x.shape());
    Index const row = x.size() / x.dim(0);
    for (Index i = 0; i < x.size(); ++i)
      y.data()[i] = static_cast<float>(labels.data()[i / row]) * (x.data()[i] + 0.25f) + x.data()[i];
    return y;
  }
};

}  // namespace

TEST_CASE("networks of every element type are denoisers, by name, by value and in any wrapper") {
  auto const x = random_tensor({3, 4}, 1);
  Tensor<float> const t({3}, 100.0f);
  auto const expected = ops::affine(x, 0.5, 0.1);
  HalfNet<float> const named;
  CHECK(max_abs_difference(denoiser(named)(x, t), expected) <= 1e-7);
  CHECK(max_abs_difference(denoiser(HalfNet<double>())(x, t), expected) <= 1e-6);
  CHECK(max_abs_difference(denoiser(HalfNet<bf16>())(x, t), expected) <= 0.02);
  CHECK(max_abs_difference(denoiser(HalfNet<bf16>())(x, t), expected) > 0);
  Anything<HalfNet<bf16>, bf16> const wrapped{};
  CHECK(same_bits(denoiser(wrapped)(x, t), denoiser(HalfNet<bf16>())(x, t)));
  auto const lambda = [](const Var<float>& at, const Tensor<float>&) { return affine(at, 0.5, 0.1); };
  CHECK(same_bits(denoiser(lambda)(x, t), ops::affine(x, 0.5, 0.1)));

  auto const schedule = linear_schedule({.num_train_timesteps = 10});
  auto const direct = sample_ddim(named, x, schedule);
  CHECK(same_bits(direct, sample_ddim(denoiser(named), x, schedule)));
  CHECK(same_bits(sample_ddim(wrapped, x, schedule), sample_ddim(denoiser(HalfNet<bf16>()), x, schedule)));
  CHECK(max_abs_difference(sample_ddim(HalfNet<double>(), ops::cast<double>(x), schedule), direct) <= 1e-5);
}

TEST_CASE("sampling records no tape") {
  auto const net = [](const Var<float>& x, const Tensor<float>&) {
    Var<float> const weight(Tensor<float>({1}, 2.0f), true);
    auto const y = x * weight;
    CHECK_FALSE(y.requires_grad());
    return y;
  };
  denoiser(net)(random_tensor({2, 2}), Tensor<float>({2}, 0.0f));
}

TEST_CASE("labels are bound to networks and to functions") {
  auto const x = random_tensor({2, 3});
  Tensor<float> const t({2}, 1.0f);
  Tensor<std::int32_t> const labels({2}, {3, 1});
  Labels const f;
  CHECK(same_bits(with_labels(f, labels)(x, t), f(x, t, labels)));
  auto const net = [](const Var<float>& at, const Tensor<float>&, const Tensor<std::int32_t>& y) {
    return affine(at, static_cast<double>(y.data()[0]));
  };
  CHECK(same_bits(with_labels(net, labels)(x, t), ops::affine(x, 3.0)));
  require_error([&] { with_labels(f, Tensor<std::int32_t>({3}, 0))(x, t); }, "given labels of shape (3) for 2 samples");
}

TEST_CASE("guidance makes one call with the samples without condition first") {
  auto const x = random_tensor({2, 3});
  Tensor<float> const t({2}, 10.0f);
  Tensor<std::int32_t> const labels({2}, {3, 1}), null({2}, 9);
  Labels const f;
  auto const c = f(x, t, labels), u = f(x, t, null);
  f.calls.clear();
  auto const paper = guided(f, labels, {.scale = 2, .null_label = 9})(x, t);
  REQUIRE(f.calls.size() == 1);
  CHECK(f.calls[0] == std::vector<std::int32_t>{9, 9, 3, 1});
  auto const between = guided(f, labels, {.scale = 3, .form = GuidanceForm::interpolate, .null_label = 9})(x, t);
  for (Index i = 0; i < x.size(); ++i) CHECK(paper.data()[i] == Approx(3 * c.data()[i] - 2 * u.data()[i]).margin(1e-5));
  CHECK(same_bits(paper, between));
}

TEST_CASE("scales that leave one prediction are that prediction, from one call of N") {
  auto const x = random_tensor({2, 3});
  Tensor<float> const t({2}, 10.0f);
  Tensor<std::int32_t> const labels({2}, {3, 1}), null({2}, 0);
  Labels const f;
  auto const c = f(x, t, labels), u = f(x, t, null);
  f.calls.clear();
  CHECK(same_bits(guided(f, labels, {.scale = 0})(x, t), c));
  CHECK(same_bits(guided(f, labels, {.scale = 1, .form = GuidanceForm::interpolate})(x, t), c));
  CHECK(same_bits(guided(f, labels, {.scale = 0, .form = GuidanceForm::interpolate})(x, t), u));
  CHECK(same_bits(guided(f, labels, {.scale = -1})(x, t), u));
  for (auto const& call : f.calls) CHECK(call.size() == 2);
  CHECK(f.calls.size() == 4);
}

TEST_CASE("guidance within an interval, and rescaled") {
  auto const x = random_tensor({3, 50});
  Tensor<std::int32_t> const labels({3}, {3, 1, 2});
  Labels const f;
  auto const c = f(x, Tensor<float>({3}, 0.0f), labels);
  GuidanceOptions options{.scale = 4, .first_timestep = 100, .last_timestep = 200};
  auto const at = [&](float t) { return guided(f, labels, options)(x, Tensor<float>({3}, t)); };
  CHECK(same_bits(at(99), c));
  CHECK(same_bits(at(201), c));
  CHECK(max_abs_difference(at(100), c) > 0.1);
  CHECK(same_bits(at(100), at(200)));

  auto const plain = at(150);
  options.rescale = 1;
  auto const rescaled = at(150);
  options.rescale = 0.5;
  auto const half = at(150);
  for (Index n = 0; n < 3; ++n) {
    auto const spread = [&](const Tensor<float>& y) { return detail::standard_deviation(y.data() + n * 50, 50); };
    CHECK(spread(rescaled) == Approx(spread(c)).epsilon(1e-5));
    CHECK(spread(half) == Approx((spread(c) + spread(plain)) / 2).epsilon(1e-5));
  }
}

TEST_CASE("a guided sample does not depend on its batch") {
  auto const schedule = linear_schedule({.num_train_timesteps = 20});
  auto const x = random_tensor({7, 5, 3, 1});
  Tensor<std::int32_t> const labels({7}, {1, 2, 3, 1, 2, 3, 1});
  Labels const f;
  GuidanceOptions const options{.scale = 1.5, .rescale = 0.7};
  auto const whole = sample_ddim(guided(f, labels, options), x, schedule);
  for (Index i = 0; i < 7; ++i)
    CHECK(same_bits(sample_ddim(guided(f, labels.slice(i, i + 1), options), x.slice(i, i + 1), schedule),
                    whole.slice(i, i + 1)));
}

TEST_CASE("labels are dropped with the given probability, keyed by the sample") {
  Tensor<std::int32_t> labels({20000}, 3);
  Rng rng(4);
  auto const dropped = drop_labels(labels, 0.1, 0, rng);
  Index count = 0;
  for (auto const label : dropped.span()) count += label == 0;
  CHECK(std::abs(static_cast<double>(count) - 2000) < 4 * std::sqrt(20000 * 0.09));
  Rng again(4);
  CHECK(same_bits(drop_labels(labels.slice(0, 50), 0.1, 0, again, 100), dropped.slice(100, 150)));
  CHECK(same_bits(drop_labels(labels, 0, 0, rng), labels));
  CHECK(same_bits(drop_labels(labels, 1, 7, rng), Tensor<std::int32_t>({20000}, 7)));
  require_error([&] { drop_labels(labels, 1.1, 0, rng); }, "probability 1.1");
  require_error([&] { drop_labels(Tensor<std::int32_t>(), 0.1, 0, rng); }, "drop_labels");
}

TEST_CASE("bad input to guidance is refused") {
  auto const x = random_tensor({2, 3});
  Tensor<float> const t({2}, 10.0f);
  Tensor<std::int32_t> const labels({2}, {3, 1});
  Labels const f;
  require_error([&] { guided(f, Tensor<std::int32_t>(), {}); }, "guided: given labels of shape ()");
  require_error([&] { guided(f, labels, {.scale = std::nan("")}); }, "given scale");
  require_error([&] { guided(f, labels, {.rescale = 2}); }, "rescale 2");
  require_error(
      [&] {
        guided(f, labels, {.scale = 2})(random_tensor({3, 3}), Tensor<float>({3}, 0.0f));
      },
      "given 2 labels for x of shape (3, 3)");
  auto const wrong = [](const Tensor<float>& at, const Tensor<float>&, const Tensor<std::int32_t>&) {
    return at.slice(0, 1);
  };
  require_error([&] { guided(wrong, labels, {.scale = 2})(x, t); }, "the denoiser returned shape (1, 3)");
}
