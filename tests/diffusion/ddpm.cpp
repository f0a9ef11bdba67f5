// The training objective.
#include <stipple/diffusion/ddpm.hpp>

#include <stipple/autograd/arithmetic.hpp>

#include "formulas.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

// weight x + t / 1000, with one weight.
template <Real T, Device D = Cpu>
struct Weighted {
  Var<T, D> weight{Tensor<T, D>({1}, T(0.5f)), true};

  Var<T, D> operator()(const Var<T, D>& x, const Tensor<accumulate_t<T>, D>& t) const {
    return x * weight + Var<accumulate_t<T>, D>(ops::affine(t, 1e-3).reshape({t.dim(0), 1, 1, 1}));
  }
};

template <class T>
double tolerance() {
  return std::is_same_v<T, double> ? 1e-12 : std::is_same_v<T, float> ? 1e-6 : 0.02;
}

// The loss of Weighted and its derivative, from the batch element by element.
template <class T>
void check_loss(Prediction prediction, Loss kind) {
  Ddpm const ddpm(linear_schedule(), {.prediction = prediction, .loss = kind});
  auto const x0 = random_tensor({8, 3, 2, 1});
  Rng rng(3), same(3);
  Weighted<T> const net;
  auto const loss = ddpm.loss(net, x0, rng);
  loss.backward();
  auto const batch = ddpm.noised<T>(x0, same);
  CHECK(rng.draws() == same.draws());
  double value = 0, slope = 0;
  for (Index i = 0; i < x0.size(); ++i) {
    double const x = static_cast<double>(batch.x_t.data()[i]);
    double const t = static_cast<double>(batch.t.data()[i / 6]);
    double const d = 0.5 * x + t / 1000 - static_cast<double>(batch.target.data()[i]);
    bool const near = std::abs(d) < 1;
    double const sign = d < 0 ? -1 : 1;
    value += kind == Loss::l2 ? d * d : kind == Loss::l1 ? std::abs(d) : near ? d * d / 2 : std::abs(d) - 0.5;
    slope += x * (kind == Loss::l2 ? 2 * d : kind == Loss::l1 ? sign : near ? d : sign);
  }
  INFO(to_text(prediction) << ", loss " << static_cast<int>(kind) << ", " << dtype_name<T>());
  CHECK(static_cast<double>(loss.item()) == Approx(value / 48).epsilon(tolerance<T>()));
  CHECK(static_cast<double>(net.weight.grad().item()) ==
        Approx(slope / 48).epsilon(tolerance<T>()).margin(tolerance<T>()));
}

}  // namespace

TEST_CASE("the three losses agree with the courses' values") {
  auto const prediction = formulas::truth("loss.pred"), target = formulas::truth("loss.target");
  for (auto const& [name, kind] : {std::pair{std::string("l1"), Loss::l1}, std::pair{std::string("l2"), Loss::l2},
                                   std::pair{std::string("huber"), Loss::huber}}) {
    CHECK(loss_by_name(name) == kind);
    auto const exact = prediction_loss(kind, Var<double>(prediction), target).value();
    formulas::check("loss." + name, exact.reshape({1}));
    auto const single =
        prediction_loss(kind, Var<float>(ops::cast<float>(prediction)), ops::cast<float>(target)).value();
    // The prediction is not exact in float: one rounding of it besides.
    CHECK(std::abs(static_cast<double>(single.item()) - exact.item()) <=
          formulas::float_tolerance("loss." + name) + 1e-6);
  }
  require_error([] { loss_by_name("l3"); }, "given 'l3'");
}

TEST_CASE("loss and gradient for every prediction, loss and element type") {
  for (auto const prediction : {Prediction::epsilon, Prediction::x0, Prediction::v})
    for (auto const kind : {Loss::l2, Loss::l1, Loss::huber}) {
      check_loss<float>(prediction, kind);
      check_loss<double>(prediction, kind);
      check_loss<bf16>(prediction, kind);
    }
}

TEST_CASE("timesteps are uniform and noise is normal") {
  Ddpm const ddpm(linear_schedule({.num_train_timesteps = 10}));
  Rng rng(1);
  auto const batch = ddpm.noised<float>(Tensor<float>({50000, 2}, 0.0f), rng);
  std::vector<int> counts(10);
  for (float const t : batch.t.span()) ++counts.at(static_cast<std::size_t>(t));
  for (int const count : counts) CHECK(std::abs(count - 5000) < 5 * std::sqrt(5000 * 0.9));
  double sum = 0, squares = 0;
  for (float const value : batch.target.span()) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  CHECK(std::abs(sum / 1e5) < 5 / std::sqrt(1e5));
  CHECK(squares / 1e5 == Approx(1).margin(5 * std::sqrt(2 / 1e5)));
}

TEST_CASE("a noised sample does not depend on its batch, and every draw differs") {
  Ddpm const ddpm(cosine_schedule({.num_train_timesteps = 100}), {.prediction = Prediction::v});
  auto const x0 = random_tensor({64, 5, 3, 1});
  Rng rng(1);
  auto const whole = ddpm.noised<bf16>(x0, rng);
  auto const next = ddpm.noised<bf16>(x0, rng);
  CHECK_FALSE(same_bits(whole.x_t, next.x_t));
  CHECK_FALSE(same_bits(whole.t, next.t));
  for (Index const first : {0, 7, 63}) {
    Rng again(1);
    Index const last = std::min<Index>(64, first + 7);
    auto const part = ddpm.noised<bf16>(x0.slice(first, last), again, static_cast<std::uint64_t>(first));
    CHECK(same_bits(part.x_t, whole.x_t.slice(first, last)));
    CHECK(same_bits(part.t, whole.t.slice(first, last)));
    CHECK(same_bits(part.target, whole.target.slice(first, last)));
  }
  check_threads([&] {
    Rng again(1);
    return ddpm.noised<bf16>(x0, again).x_t;
  });
}

TEST_CASE("conditions reach the network") {
  Ddpm const ddpm(linear_schedule());
  Tensor<std::int32_t> const labels({2}, {4, 9});
  Rng rng(1);
  bool called = false;
  auto const net = [&](const Var<float>& x, const Tensor<float>& t, const Tensor<std::int32_t>& given) {
    CHECK(t.size() == 2);
    CHECK(same_bits(given, labels));
    called = true;
    return x;
  };
  ddpm.loss(net, Tensor<float>({2, 3}, 0.0f), rng, labels);
  CHECK(called);
}

TEST_CASE("bad input to the objective is refused") {
  Ddpm const ddpm(linear_schedule());
  Rng rng(1);
  auto const wrong = [](const Var<float>& x, const Tensor<float>&) {
    return Var<float>(x.value().reshape({x.value().size()}));
  };
  require_error(
      [&] {
        ddpm.loss(wrong, Tensor<float>({2, 3}, 0.0f), rng);
      },
      "the network returned shape (6) for (2, 3)");
  require_error([&] { ddpm.loss(wrong, Tensor<float>(), rng); }, "Ddpm: given data of shape ()");
  require_error([&] { ddpm.loss(wrong, Tensor<float>({0, 3}), rng); }, "Ddpm: given data of shape (0, 3)");
}
