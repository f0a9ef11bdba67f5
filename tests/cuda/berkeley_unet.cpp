// The U-Net of Berkeley's CS180 on the GPU: batch norm, pooling, and conditions in float.
#include <stipple/models/berkeley_unet.hpp>

#include "training.hpp"

using namespace stipple;

namespace {

template <class T>
auto make_net() {
  return []<class D>(D, Rng& rng) {
    return BerkeleyUnet<T, D>({.width = 4, .channels = 1, .time = true, .classes = 3}, rng);
  };
}

}  // namespace

TEMPLATE_TEST_CASE("The Berkeley U-Net on the GPU is that of the CPU", "[models]", float, bf16) {
  double const within = std::is_same_v<TestType, float> ? 1e-4 : 5e-2;
  auto const x = random_tensor<float>({2, 28, 28, 1}, 1);
  Tensor<std::int32_t> const labels({2}, {2, BerkeleyUnet<float>::no_class});
  require_same_prediction<TestType>(make_net<TestType>(), x, within, labels);
  int const steps = std::is_same_v<TestType, float> ? 10 : 2;
  require_same_training<TestType>(make_net<TestType>(), x, steps, within, labels);
}

TEST_CASE("Running statistics on the GPU are those of the CPU", "[models]") {
  auto const statistics = []<class D>(D device) {
    Rng rng(2);
    Model net{make_net<float>()(device, rng)};
    Training const training(rng);
    NoGrad const no_grad;
    Tensor<std::int32_t> const labels({2}, {0, 1});
    (void)net(Var<float, D>(to<D>(random_tensor<float>({2, 28, 28, 1}, 3))), Tensor<float, D>({2}, 0.5f),
              to<D>(labels));
    std::vector<Tensor<float>> values;
    for (auto const& buffer : net.buffers()) values.push_back(to<Cpu>(std::get<Tensor<float, D>>(buffer.value)));
    return values;
  };
  auto const gpu = statistics(Cuda{}), cpu = statistics(Cpu{});
  REQUIRE(cpu.size() > 4);
  for (std::size_t i = 0; i < cpu.size(); ++i) REQUIRE(relative_difference(gpu[i], cpu[i]) <= 1e-4);
}
