#include <stipple/diffusion/process.hpp>

#include "formulas.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

Tensor<std::int32_t> steps_of(const std::string& key, int first) {
  auto t = formulas::input<std::int32_t>(key);
  for (auto& value : t.span()) value -= first;
  return t;
}

template <class S>
void check_forward() {
  auto const x0 = formulas::input<S>("forward.x0"), noise = formulas::input<S>("forward.noise");
  auto const check = [&](const std::string& name, const Schedule& schedule, int first = 0) {
    std::string const key = "forward." + name;
    formulas::check(key + ".xt", q_sample<S>(schedule, x0, steps_of(key + ".t", first), noise));
  };
  check("kaist.linear", linear_schedule());
  check("kaist.quad", quadratic_schedule());
  for (std::string const name : {"linear", "cosine", "quadratic", "sigmoid"})
    check("ai504." + name, schedule_by_name(name, 200));
  check("berkeley", linear_schedule({.num_train_timesteps = 300}), 1);
  check("radboud", linear_schedule());
}

}  // namespace

TEST_CASE("q_sample agrees with every course") {
  check_forward<float>();
  check_forward<double>();
}

TEST_CASE("five single steps of the forward chain") {
  auto x = formulas::input<double>("forward.x0");
  auto const noise = formulas::input<double>("chain.noise");
  auto const schedule = linear_schedule();
  Tensor<double> chain(noise.shape());
  for (Index i = 0; i < 5; ++i) {
    Schedule const one({schedule.betas[static_cast<std::size_t>(i)]});
    auto const z = noise.slice(i, i + 1).reshape(x.shape());
    x = q_sample<double>(one, x, Tensor<std::int32_t>({x.dim(0)}, 0), z);
    chain.slice(i, i + 1).copy_from(x.reshape(chain.slice(i, i + 1).shape()));
  }
  formulas::check("chain.x", chain);
}

TEST_CASE("add_noise and get_velocity agree with diffusers") {
  struct Case {
    const char* name;
    Schedule schedule;
  };
  // The products of float32 tables: a few units in the last place of values up to about 4.
  double const tolerance = formulas::float_tolerance("forward.kaist.linear.xt");
  for (auto const& c :
       {Case{"ddpm_default", linear_schedule()}, Case{"ddim_eta", cosine_schedule({.min_beta = 0, .max_beta = 0.999})},
        Case{"ddpm_zero_snr_threshold",
             rescale_zero_terminal_snr(scaled_linear_schedule({.beta_start = 0.00085, .beta_end = 0.012}))}}) {
    INFO(c.name);
    SafetensorsFile const file(STIPPLE_TEST_REFERENCE_DIR "/schedulers/" + std::string(c.name) + ".safetensors");
    auto const x0 = file.read<float>("fwd.x0"), eps = file.read<float>("fwd.eps");
    auto const t = file.read<std::int32_t>("fwd.timesteps");
    CHECK(max_abs_difference(q_sample(c.schedule, x0, t, eps), file.read<float>("fwd.noisy")) <= tolerance);
    CHECK(max_abs_difference(velocity(c.schedule, x0, t, eps), file.read<float>("fwd.velocity")) <= tolerance);
  }
}

TEST_CASE("every prediction leads back to data and noise") {
  auto const schedule = cosine_schedule({.num_train_timesteps = 100});
  auto const x0 = random_tensor<double>({5, 3, 2, 1}, 1), noise = random_tensor<double>({5, 3, 2, 1}, 2);
  Tensor<std::int32_t> const t({5}, {0, 20, 50, 80, 98});
  auto const x_t = q_sample<double>(schedule, x0, t, noise);
  for (auto const kind : {Prediction::epsilon, Prediction::x0, Prediction::v, Prediction::flow}) {
    INFO(to_text(kind));
    auto const target = prediction_target(schedule, kind, x0, t, noise);
    // At t = 98, 1 / sqrt(abar) is about 60.
    CHECK(max_abs_difference(predicted_x0(schedule, kind, x_t, t, target), x0) <= 1e-12);
    CHECK(max_abs_difference(predicted_epsilon(schedule, kind, x_t, t, target), noise) <= 1e-12);
  }
}

TEST_CASE("q_sample depends on neither threads, batch nor instruction set") {
  auto const schedule = linear_schedule();
  for (Shape const& shape : {Shape{7, 2}, Shape{3, 5, 7, 3}, Shape{64, 28, 28, 1}, Shape{1, 1, 1, 1}, Shape{5}}) {
    INFO(to_text(shape));
    auto const x0 = random_tensor(shape, 1), noise = random_tensor(shape, 2);
    Rng rng(3);
    auto const t = rng.integers({shape[0]}, 0, 1000);
    auto const whole = q_sample(schedule, x0, t, noise);
    check_threads([&] { return q_sample(schedule, x0, t, noise); });
    for (Index const cut : {Index{1}, shape[0] / 2}) {
      auto const part = q_sample(schedule, x0.slice(0, cut), t.slice(0, cut), noise.slice(0, cut));
      CHECK(same_bits(part, whole.slice(0, cut)));
    }
    for_each_isa([&](Isa) {
      // One rounding more or less of terms up to about 5.
      CHECK(max_abs_difference(q_sample(schedule, x0, t, noise), whole) <= 1e-6);
      auto const narrow = q_sample<bf16>(schedule, x0, t, noise);
      CHECK(same_bits(narrow, ops::cast<bf16>(q_sample(schedule, x0, t, noise))));
    });
  }
}

TEST_CASE("bad input to the forward process is refused") {
  auto const schedule = linear_schedule();
  auto const x = random_tensor({2, 3});
  Tensor<std::int32_t> const t({2}, {0, 999});
  require_error([&] { q_sample(schedule, x, t, random_tensor({2, 4})); }, "given shapes (2, 3) and (2, 4)");
  require_error([&] { q_sample(schedule, x, Tensor<std::int32_t>({3}, 0), x); }, "given timesteps of shape (3)");
  require_error([&] { q_sample(schedule, x, Tensor<std::int32_t>({2}, {0, 1000}), x); }, "given timestep 1000");
  require_error([&] { q_sample(schedule, x, Tensor<std::int32_t>({2}, {-1, 0}), x); }, "given timestep -1");
  require_error([&] { q_sample(schedule, Tensor<float>(), t, Tensor<float>()); }, "q_sample");
  auto const zero = rescale_zero_terminal_snr(schedule);
  require_error([&] { predicted_x0(zero, Prediction::epsilon, x, t, x); }, "nothing of the data is left");
}
