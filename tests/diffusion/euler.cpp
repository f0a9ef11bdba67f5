// Euler's and Heun's methods over a schedule against their formulas on numbers, with y = x0 + sigma noise as the papers
// have it (Karras et al. 2022, algorithm 2), for every spacing, choice of noise levels and prediction.
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "check.hpp"

using namespace stipple;

namespace {

struct Levels {
  std::vector<double> t, sigma;  // sigma ends with that of the last step's end
};

double sigma_of(const Schedule& schedule, double t) {
  auto const at = [&](int i) { return std::sqrt(1 / schedule.alpha_bar(i) - 1); };
  int const below = static_cast<int>(t);
  return t == below ? at(below) : at(below) + (t - below) * (at(below + 1) - at(below));
}

double timestep_of(const Schedule& schedule, double sigma) {
  auto const log_at = [&](int i) { return std::log(sigma_of(schedule, i)); };
  for (int i = 0; i + 1 < schedule.num_train_timesteps(); ++i)
    if (std::log(sigma) <= log_at(i + 1))
      return std::max(0.0, i + (std::log(sigma) - log_at(i)) / (log_at(i + 1) - log_at(i)));
  return schedule.num_train_timesteps() - 1;
}

Levels levels_of(const Schedule& schedule, const EulerOptions& o) {
  Levels levels;
  int const n = o.steps, total = schedule.num_train_timesteps();
  for (int i = 0; i < n; ++i)
    levels.t.push_back(o.spacing == Spacing::linspace  ? (total - 1.0) * (n - 1 - i) / (n - 1)
                       : o.spacing == Spacing::leading ? (n - 1 - i) * (total / n) + o.steps_offset
                                                       : std::nearbyint(total - i * (1.0 * total / n)) - 1);
  for (double const t : levels.t) levels.sigma.push_back(sigma_of(schedule, t));
  double const high = levels.sigma.front(), low = levels.sigma.back();
  for (int i = 0; i < n && (o.karras || o.exponential); ++i) {
    double const u = 1.0 * i / (n - 1);
    auto const k = static_cast<std::size_t>(i);
    levels.sigma[k] = o.karras ? std::pow((1 - u) * std::pow(high, 1 / 7.0) + u * std::pow(low, 1 / 7.0), 7)
                               : std::exp((1 - u) * std::log(high) + u * std::log(low));
    levels.t[k] = timestep_of(schedule, levels.sigma[k]);
  }
  levels.sigma.push_back(o.end_at_smallest ? sigma_of(schedule, 0) : 0);
  return levels;
}

// A network with a curve in both arguments.
double network(double x, double t) { return 0.6 * std::sin(x) + 0.3 * std::cos(t / 150); }

// D(y; sigma): the x0 that the network implies.
double denoised(double y, double sigma, double t, const EulerOptions& o) {
  double const root = std::sqrt(1 + sigma * sigma), output = network(y / root, t);
  double x0 = output;
  if (o.prediction == Prediction::epsilon) x0 = y - sigma * output;
  if (o.prediction == Prediction::v) x0 = y / (root * root) - sigma / root * output;
  return o.clip_sample ? std::clamp(x0, -o.clip_range, o.clip_range) : x0;
}

// y at the end, from y at the first level; `noises` are those of the steps.
double formula(const Schedule& schedule, const EulerOptions& o, bool heun, double y,
               const std::vector<double>& noises) {
  auto const levels = levels_of(schedule, o);
  for (std::size_t i = 0; i < levels.t.size(); ++i) {
    double sigma = levels.sigma[i], t = levels.t[i];
    double const next = levels.sigma[i + 1];
    double const gamma = sigma >= o.s_tmin && sigma <= o.s_tmax ? std::min(o.s_churn / o.steps, std::sqrt(2.0) - 1) : 0;
    if (gamma > 0) {
      double const hat = sigma * (1 + gamma);
      y += std::sqrt(hat * hat - sigma * sigma) * o.s_noise * noises[i];
      sigma = hat;
      t = timestep_of(schedule, hat);
    }
    double const up = o.eta * std::sqrt(std::max(0.0, next * next * (sigma * sigma - next * next) / (sigma * sigma)));
    double const down = std::sqrt(next * next - up * up);
    double const d = (y - denoised(y, sigma, t, o)) / sigma, euler = y + (down - sigma) * d + up * noises[i];
    if (heun && next > 0) {
      double const after = i + 1 < levels.t.size() ? levels.t[i + 1] : 0;
      y += (next - sigma) / 2 * (d + (euler - denoised(euler, next, after, o)) / next);
    } else {
      y = euler;
    }
  }
  return y;
}

Tensor<double> network_tensor(const Tensor<double>& x, const Tensor<double>& t) {
  Tensor<double> y(x.shape());
  for (Index i = 0; i < x.size(); ++i) y.data()[i] = network(x.data()[i], t.data()[0]);
  return y;
}

// Both methods with these options from a few starts.
void check(const Schedule& schedule, EulerOptions o) {
  INFO("spacing " << static_cast<int>(o.spacing) << ", " << to_text(o.prediction) << (o.karras ? ", karras" : "")
                  << (o.exponential ? ", exponential" : "") << (o.end_at_smallest ? ", above the data" : "")
                  << ", churn " << o.s_churn << ", eta " << o.eta);
  std::vector<double> const noises{0.3, -1.2, 0.7, 1.9, -0.4, 0.2, -0.9};
  auto const noise = [&](int step, const Shape& shape) {
    return Tensor<double>(shape, noises[static_cast<std::size_t>(step)]);
  };
  auto const levels = levels_of(schedule, o);
  double const first = std::sqrt(1 + std::pow(levels.sigma.front(), 2));
  double const last = std::sqrt(1 + std::pow(levels.sigma.back(), 2));
  HeunOptions const h{.steps = o.steps,
                      .spacing = o.spacing,
                      .steps_offset = o.steps_offset,
                      .karras = o.karras,
                      .exponential = o.exponential,
                      .end_at_smallest = o.end_at_smallest,
                      .s_churn = o.s_churn,
                      .s_tmin = o.s_tmin,
                      .s_tmax = o.s_tmax,
                      .s_noise = o.s_noise,
                      .prediction = o.prediction,
                      .clip_sample = o.clip_sample,
                      .clip_range = o.clip_range};
  for (double const start : {-1.3, 0.2, 2.0}) {
    Tensor<double> const x({1, 1}, start);
    double const euler = formula(schedule, o, false, start * first, noises) / last;
    CHECK(sample_euler(network_tensor, x, schedule, noise, o).item() == Approx(euler).epsilon(1e-8).margin(1e-8));
    if (o.eta > 0) continue;
    double const heun = formula(schedule, o, true, start * first, noises) / last;
    CHECK(sample_heun(network_tensor, x, schedule, noise, h).item() == Approx(heun).epsilon(1e-8).margin(1e-8));
  }
}

}  // namespace

TEST_CASE("Euler and Heun follow their formulas") {
  for (auto const& schedule : {linear_schedule(), scaled_linear_schedule({.beta_start = 0.00085, .beta_end = 0.012})})
    for (auto const spacing : {Spacing::linspace, Spacing::leading, Spacing::trailing})
      for (auto const kind : {Prediction::epsilon, Prediction::x0, Prediction::v})
        for (int const spread : {0, 1, 2}) {
          EulerOptions o{.steps = 7, .spacing = spacing, .prediction = kind};
          o.steps_offset = spacing == Spacing::leading ? 1 : 0;
          o.karras = spread == 1;
          o.exponential = spread == 2;
          check(schedule, o);
          o.end_at_smallest = true;
          o.clip_sample = true;
          o.clip_range = 0.8;
          check(schedule, o);
          o.end_at_smallest = false;
          o.eta = 0.7;
          check(schedule, o);
          o.eta = 0;
          o.s_churn = 2;
          o.s_tmin = 0.1;
          o.s_tmax = 8;
          o.s_noise = 1.01;
          check(schedule, o);
        }
}
