#include <cstring>

#include <stipple/backend/cpu/optimizer.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// The settings of an update where the device reads them.
template <class Update, Device D>
class Settings {
 public:
  explicit Settings(const Update& update) {
    Tensor<std::uint8_t> bytes({static_cast<Index>(sizeof update)});
    std::memcpy(bytes.data(), &update, sizeof update);
    room_ = to<D>(bytes);
  }
  typename D::template pointer<const Update> pointer() const {
    using Target = typename D::template pointer<const Update>;
    if constexpr (std::is_same_v<D, Cuda>)
      return Target(reinterpret_cast<const Update*>(room_.data().address()));
    else
      return reinterpret_cast<Target>(room_.data());
  }

 private:
  Tensor<std::uint8_t, D> room_;
};

/// With two moments, the moving average and the working copy: 38 bytes for each weight.
void adam(benchmark::State& state) {
  Index const n = state.range(0);
  auto weights = normal<float>({n}), first = normal<float>({n}, 2), average = normal<float>({n}, 3);
  auto second = constant<float>({n}, 1);
  auto const gradients = normal<float>({n}, 4);
  Tensor<bf16, Dev> working({n});
  OptimizerArrays<float, Dev> arrays;
  arrays.weights = weights.data(), arrays.gradients = gradients.data();
  arrays.moments[0] = first.data(), arrays.moments[1] = second.data();
  arrays.average = average.data(), arrays.working = working.data();
  Settings<AdamUpdate<float>, Dev> const settings({0, 1, 0.1f, 0.999f, 0.001f, 1, 1e-8f, 1e-4f, 0.001f});
  using cpu::adam_update;
  measure(state, [&] {
    adam_update<float>(settings.pointer(), arrays, n);
    return weights;
  });
  count_bytes(state, 38 * n);
}

/// With momentum: 20 bytes for each weight.
void sgd(benchmark::State& state) {
  Index const n = state.range(0);
  auto weights = normal<float>({n}), momentum = normal<float>({n}, 2);
  auto const gradients = normal<float>({n}, 3);
  OptimizerArrays<float, Dev> arrays;
  arrays.weights = weights.data(), arrays.gradients = gradients.data(), arrays.moments[0] = momentum.data();
  Settings<SgdUpdate<float>, Dev> const settings({0, 0.9f, 1e-4f, false, 0});
  using cpu::sgd_update;
  measure(state, [&] {
    sgd_update<float>(settings.pointer(), arrays, n);
    return weights;
  });
  count_bytes(state, 20 * n);
}

void clip_norm(benchmark::State& state) {
  Index const n = state.range(0);
  auto const gradients = normal<float>({n});
  Tensor<double, Dev> out({2});
  using cpu::clip_norm;
  measure(state, [&] {
    clip_norm(gradients.data(), n, 1.0, out.data());
    return out;
  });
  count_elements<float>(state, n);
}

/// Weights of a small network and of KAIST's, about.
void sizes(benchmark::internal::Benchmark* b) { b->ArgName("weights")->Arg(1 << 20)->Arg(1 << 25)->UseRealTime(); }

}  // namespace

BENCHMARK(adam)->Apply(sizes);
BENCHMARK(sgd)->Apply(sizes);
BENCHMARK(clip_norm)->Apply(sizes);
