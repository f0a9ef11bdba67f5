#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/batch_norm.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

const std::vector<Shape> shapes{{5, 3}, {2, 5, 7, 6}, {4, 3, 3, 16}, {2, 40, 33, 8}, {12, 2100}, {40, 5, 5, 1}};

template <class T>
void compare_gradients(const ops::BatchNormGradients<T, Cuda>& given, const ops::BatchNormGradients<T, Cpu>& wanted,
                       Index count) {
  double const sum = std::sqrt(static_cast<double>(count));
  // The CPU rounds on its way: in bf16 that is a few thousandths of the largest value.
  require_close(given.x, wanted.x, std::is_same_v<T, float> ? 2e-5 : 4e-2);
  require_close(given.weight, wanted.weight, 1e-5 * sum);
  require_close(given.bias, wanted.bias, 1e-5 * sum);
}

template <class T>
void compare_batch_norm(const Shape& shape, Activation f) {
  INFO(to_text(shape) << " " << to_text(f));
  Index const channels = shape[-1], count = shape.size() / channels;
  auto const x = ops::affine(random_tensor<T>(shape, 1), 0.5, 2), dy = random_tensor<T>(shape, 2);
  auto const weight = random_tensor<float>({channels}, 3), bias = random_tensor<float>({channels}, 4);
  auto const x_device = to<Cuda>(x), dy_device = to<Cuda>(dy);
  auto const w = to<Cuda>(weight), b = to<Cuda>(bias);

  auto const trained = ops::batch_norm(x, weight, bias, 1e-5, f);
  auto const trained_device = ops::batch_norm(x_device, w, b, 1e-5, f);
  require_close(trained_device.y, trained.y, 8 * tolerance<T>);
  require_close(trained_device.mean, trained.mean, 1e-6);
  require_close(trained_device.variance, trained.variance, 1e-5);
  auto const own = BatchStatistics::batch;
  compare_gradients(
      ops::batch_norm_backward(dy_device, x_device, w, b, to<Cuda>(trained.mean), to<Cuda>(trained.rstd), own, f),
      ops::batch_norm_backward(dy, x, weight, bias, trained.mean, trained.rstd, own, f), count);

  auto const given = ops::batch_norm(x, weight, bias, trained.mean, trained.variance, 1e-5, f);
  auto const given_device =
      ops::batch_norm(displaced(x), w, b, to<Cuda>(trained.mean), to<Cuda>(trained.variance), 1e-5, f);
  require_close(given_device.y, given.y, 8 * tolerance<T>);
  require_close(given_device.rstd, given.rstd, 1e-5);
  auto const constant = BatchStatistics::given;
  compare_gradients(
      ops::batch_norm_backward(dy_device, x_device, w, b, to<Cuda>(given.mean), to<Cuda>(given.rstd), constant, f),
      ops::batch_norm_backward(dy, x, weight, bias, given.mean, given.rstd, constant, f), count);
  REQUIRE_FALSE(
      ops::batch_norm_backward(dy_device, x_device, {}, {}, to<Cuda>(given.mean), to<Cuda>(given.rstd), constant, f)
          .weight.defined());
}

}  // namespace

TEMPLATE_TEST_CASE("Batch norm on the GPU is that of the CPU", "[batch_norm]", float, bf16) {
  for (Shape const& shape : shapes)
    for (auto const f : {Activation::none, Activation::gelu}) compare_batch_norm<TestType>(shape, f);
}

TEMPLATE_TEST_CASE("Batch norm on the GPU takes every activation", "[batch_norm]", float, bf16) {
  for (std::size_t kind = 0; kind < activation_names.size(); ++kind)
    compare_batch_norm<TestType>({2, 3, 5, 12}, static_cast<Activation>(kind));
}

TEST_CASE("Updates of running statistics on the GPU are those of the CPU", "[batch_norm]") {
  auto mean = random_tensor<float>({300}, 5), variance = random_tensor<float>({300}, 6);
  auto const batch_mean = random_tensor<float>({300}, 7), batch_variance = random_tensor<float>({300}, 8);
  auto mean_device = to<Cuda>(mean), variance_device = to<Cuda>(variance);
  ops::update_running_statistics(mean_device, variance_device, to<Cuda>(batch_mean), to<Cuda>(batch_variance), 20, 0.1);
  ops::update_running_statistics(mean, variance, batch_mean, batch_variance, 20, 0.1);
  require_close(mean_device, mean);
  require_close(variance_device, variance);
}

TEST_CASE("Batch norm on the GPU has the same bits in every order", "[batch_norm]") {
  auto const x = to<Cuda>(random_tensor<float>({3, 40, 40, 12}, 9)),
             dy = to<Cuda>(random_tensor<float>({3, 40, 40, 12}, 10));
  Tensor<float, Cuda> const weight({12}, 1);
  auto const f = Activation::silu;
  auto const forward = ops::batch_norm(x, weight, {}, 1e-5, f);
  auto const y = to<Cpu>(forward.y);
  auto const dw = [&] {
    return ops::batch_norm_backward(dy, x, weight, {}, forward.mean, forward.rstd, BatchStatistics::given, f).weight;
  };
  auto const wanted = to<Cpu>(dw());
  for_each_order([&] {
    require_same(ops::batch_norm(x, weight, {}, 1e-5, f).y, y);
    require_same(dw(), wanted);
  });
}
