// The optimisers on the GPU against those of the CPU, arena by arena.
#include <limits>

#include <stipple/backend/cpu/optimizer.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

template <Device D>
struct Arenas {
  Tensor<double, D> scale;  // of the gradients
  Tensor<float, D> weights, gradients, first, second, third, average;
  Tensor<bf16, D> working;
};

Arenas<Cpu> random_arenas(Index n) {
  Arenas<Cpu> a{Tensor<double>({1}, 0.7),     random_tensor<float>({n}, 1), random_tensor<float>({n}, 2),
                random_tensor<float>({n}, 3), random_tensor<float>({n}, 4), random_tensor<float>({n}, 5),
                random_tensor<float>({n}, 6), Tensor<bf16>({n}, bf16(0))};
  for (auto* squares : {&a.second, &a.third})
    for (auto& value : squares->span()) value *= value;
  return a;
}

Arenas<Cuda> on_device(const Arenas<Cpu>& a) {
  return {to<Cuda>(a.scale),  to<Cuda>(a.weights), to<Cuda>(a.gradients), to<Cuda>(a.first),
          to<Cuda>(a.second), to<Cuda>(a.third),   to<Cuda>(a.average),   to<Cuda>(a.working)};
}

/// The pointers, with `moments` of the moments, and the average and the working copy if they are `kept`.
template <Device D>
OptimizerArrays<float, D> arrays_of(Arenas<D>& a, int moments, bool kept) {
  OptimizerArrays<float, D> arrays;
  arrays.weights = a.weights.data();
  arrays.gradients = std::as_const(a.gradients).data();
  if (kept) arrays.gradient_scale = std::as_const(a.scale).data();
  if (moments > 0) arrays.moments[0] = a.first.data();
  if (moments > 1) arrays.moments[1] = a.second.data();
  if (moments > 2) arrays.moments[2] = a.third.data();
  if (kept) {
    arrays.average = a.average.data();
    arrays.working = a.working.data();
  }
  return arrays;
}

/// The settings of an update where a kernel reads them.
class DeviceSettings {
 public:
  template <class Update>
  cuda::Pointer<const Update> operator()(const Update& update) {
    Memory<Cuda>::copy_from_host(room_.data().address(), &update, sizeof update);
    return cuda::Pointer<const Update>(reinterpret_cast<const Update*>(room_.data().address()));
  }

 private:
  Tensor<std::uint8_t, Cuda> room_{Shape{64}};
};

void require_close_arenas(const Arenas<Cuda>& given, const Arenas<Cpu>& wanted) {
  require_close(given.weights, wanted.weights);
  require_close(given.first, wanted.first);
  require_close(given.second, wanted.second);
  require_close(given.third, wanted.third);
  require_close(given.average, wanted.average);
  require_close(given.working, wanted.working);
}

}  // namespace

TEST_CASE("Adam on the GPU is that of the CPU", "[optimizer]") {
  AdamUpdate<float> const update{0.01f, 0.999f, 0.1f, 0.99f, 0.01f, 1.5f, 1e-8f, 2e-3f, 0.05f};
  for (Index n : {32, 4096, 3232}) {
    for (int moments : {2, 3}) {
      for (bool kept : {false, true}) {
        auto arenas = random_arenas(n);
        auto device = on_device(arenas);
        DeviceSettings settings;
        cpu::adam_update(&update, arrays_of(arenas, moments, kept), n);
        cuda::adam_update(settings(update), arrays_of(device, moments, kept), n);
        require_close_arenas(device, arenas);
      }
    }
  }
}

TEST_CASE("SGD on the GPU is that of the CPU", "[optimizer]") {
  for (bool nesterov : {false, true}) {
    for (int moments : {0, 1}) {
      SgdUpdate<float> const update{0.01f, moments > 0 ? 0.9f : 0.0f, 0.05f, nesterov, 0.05f};
      auto arenas = random_arenas(992);
      auto device = on_device(arenas);
      DeviceSettings settings;
      cpu::sgd_update(&update, arrays_of(arenas, moments, true), 992);
      cuda::sgd_update(settings(update), arrays_of(device, moments, true), 992);
      require_close_arenas(device, arenas);
    }
  }
}

TEST_CASE("A gradient that is not finite changes nothing on the GPU", "[optimizer]") {
  auto arenas = random_arenas(992);
  arenas.scale.fill(std::numeric_limits<double>::quiet_NaN());
  auto device = on_device(arenas);
  DeviceSettings settings;
  cuda::adam_update(settings(AdamUpdate<float>{.keep = 0.5f, .step_size = 1}), arrays_of(device, 3, true), 992);
  cuda::sgd_update(settings(SgdUpdate<float>{.momentum = 0.5f, .learning_rate = 1}), arrays_of(device, 1, true), 992);
  require_same(device.weights, arenas.weights);
  require_same(device.first, arenas.first);
  require_same(device.second, arenas.second);
  require_same(device.third, arenas.third);
  require_same(device.average, arenas.average);
  require_same(device.working, arenas.working);
}

TEST_CASE("Clipping on the GPU is that of the CPU", "[optimizer]") {
  for (Index n : {1, 33, 16384, 50001}) {
    auto x = random_tensor<float>({n}, 7);
    for (double const max_norm : {0.5, 2.0, 1e9}) {
      INFO(n << " elements, at most " << max_norm);
      Tensor<double> wanted({2});
      Tensor<double, Cuda> given({2});
      cpu::clip_norm(std::as_const(x).data(), n, max_norm, wanted.data());
      cuda::clip_norm(to<Cuda>(x).data(), n, max_norm, given.data());
      require_close(given, wanted, 1e-6);
      REQUIRE(wanted.span()[1] <= 1);
      REQUIRE((wanted.span()[1] == 1) == (wanted.span()[0] < max_norm));
      if (wanted.span()[1] == 1) REQUIRE(to<Cpu>(given).span()[1] == 1);
    }
    for (float const broken : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      x.span()[static_cast<std::size_t>(n) / 2] = broken;
      Tensor<double, Cuda> given({2});
      cuda::clip_norm(to<Cuda>(x).data(), n, 1, given.data());
      REQUIRE_FALSE(std::isfinite(to<Cpu>(given).span()[0]));
      REQUIRE(std::isnan(to<Cpu>(given).span()[1]));
    }
  }
}

TEST_CASE("The norm of a gradient on the GPU is that of the CPU", "[optimizer]") {
  for (Index n : {1, 33, 16384, 50001}) {
    auto x = random_tensor<float>({n}, 7);
    double const wanted = cpu::sum_of_squares(std::as_const(x).data(), n);
    REQUIRE(cuda::sum_of_squares(to<Cuda>(x).data(), n) == Approx(wanted).epsilon(1e-6));
    x.span()[static_cast<std::size_t>(n) / 2] = 1e30f;  // its square is no float
    REQUIRE(cuda::sum_of_squares(to<Cuda>(x).data(), n) == Approx(1e60));
    x.span()[0] = std::numeric_limits<float>::quiet_NaN();
    REQUIRE(std::isnan(cuda::sum_of_squares(to<Cuda>(x).data(), n)));
  }
  auto x = random_tensor<float>({1001}, 8);
  auto device = to<Cuda>(x);
  cuda::scale_in_place(device.data(), 0.3f, 1001);
  cpu::scale_in_place(x.data(), 0.3f, 1001);
  require_same(device, x);
}
