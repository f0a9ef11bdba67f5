#include <stipple/ops/loss.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

const std::vector<ops::LossSpec> losses{{ops::LossKind::mse, 0},
                                        {ops::LossKind::l1, 0},
                                        {ops::LossKind::huber, 0.7},
                                        {ops::LossKind::smooth_l1, 0.5},
                                        {ops::LossKind::smooth_l1, 0.0}};

template <class T, class U, class O>
void compare_losses() {
  for (auto spec : losses) {
    for (Index n : {1, 7, 1000, 40001}) {
      auto const x = random_tensor<T>({n}, 1);
      auto const y = random_tensor<U>({n}, 2);
      auto const x_device = to<Cuda>(x);
      auto const y_device = to<Cuda>(y);
      for (Reduction const reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
        spec.reduction = reduction;
        auto const value = ops::loss("loss", x, y, spec);
        require_close(ops::loss("loss", x_device, y_device, spec), value, 1e-5);
        auto const dy = random_tensor<float>(value.shape(), 3);
        require_close(ops::loss_backward<O>("loss", to<Cuda>(dy), x_device, y_device, spec, -1),
                      ops::loss_backward<O>("loss", dy, x, y, spec, -1));
      }
      spec.reduction = Reduction::sum;
      require_close(ops::loss("loss", displaced(x), displaced(y), spec), ops::loss("loss", x, y, spec), 1e-5);
    }
  }
}

}  // namespace

TEST_CASE("Losses on the GPU are those of the CPU", "[loss]") {
  SECTION("float") { compare_losses<float, float, float>(); }
  SECTION("bf16") { compare_losses<bf16, bf16, bf16>(); }
  SECTION("bf16 and float") { compare_losses<bf16, float, bf16>(); }
  SECTION("bf16 and float, gradient of the target") { compare_losses<bf16, float, float>(); }
}

TEMPLATE_TEST_CASE("Cross entropy on the GPU is that of the CPU", "[loss]", float, bf16) {
  for (Shape const shape : {Shape{1, 1}, Shape{5, 10}, Shape{9, 33}, Shape{3, 1000}}) {
    auto const logits = random_tensor<TestType>(shape, 4);
    Tensor<std::int32_t> labels({shape[0]});
    for (Index i = 0; i < shape[0]; ++i) labels.data()[i] = static_cast<std::int32_t>(i * 7 % shape[1]);
    for (double const smoothing : {0.0, 0.1}) {
      for (Reduction const reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
        CrossEntropySpec const spec{smoothing, reduction};
        auto const wanted = ops::cross_entropy(logits, labels, spec);
        auto const given = ops::cross_entropy(to<Cuda>(logits), to<Cuda>(labels), spec);
        require_close(given.loss, wanted.loss, 1e-5);
        require_close(given.normalisers, wanted.normalisers, 1e-6);
        auto const dy = random_tensor<float>(wanted.loss.shape(), 5);
        require_close(
            ops::cross_entropy_backward(to<Cuda>(dy), to<Cuda>(logits), to<Cuda>(labels), given.normalisers, spec),
            ops::cross_entropy_backward(dy, logits, labels, wanted.normalisers, spec));
      }
    }
  }
}

TEST_CASE("Cross entropy on the GPU: a label that is no class makes NaN", "[loss]") {
  auto const logits = to<Cuda>(random_tensor<float>({3, 4}, 6));
  Tensor<std::int32_t, Cuda> const labels({3}, {1, 4, -1});
  auto const given = ops::cross_entropy(logits, labels, {0, Reduction::none});
  auto const loss = to<Cpu>(given.loss);
  REQUIRE(std::isfinite(loss.span()[0]));
  REQUIRE(std::isnan(loss.span()[1]));
  REQUIRE(std::isnan(loss.span()[2]));
  auto const dx = to<Cpu>(ops::cross_entropy_backward(Tensor<float, Cuda>({3}, 1), logits, labels, given.normalisers,
                                                      {0, Reduction::none}));
  REQUIRE(std::isfinite(dx.span()[0]));
  REQUIRE(std::isnan(dx.span()[4]));
}
