// Kernels whose threads share memory or exchange numbers, each in sizes so small that all of them run under the
// sanitizers: the same bits whatever the order of blocks and threads, and nothing that was not written. What the bits
// should be is tested operation by operation.
#include "compare.hpp"
#include "launch.cuh"
#include "transpose.cuh"

using namespace stipple;

namespace {

using Floats = Tensor<float, Cuda>;

template <class T>
Tensor<T, Cuda> device_tensor(const Shape& shape, std::uint64_t seed) {
  return to<Cuda>(random_tensor<T>(shape, seed));
}

/// Requires that f gives the same finite numbers however often it is called.
template <class F>
void require_one_result(const F& f) {
  auto const wanted = to<Cpu>(f());
  for (auto const value : wanted.span()) REQUIRE(std::isfinite(static_cast<double>(value)));
  for_each_order([&] { require_same(f(), wanted); });
}

}  // namespace

TEMPLATE_TEST_CASE("Shared memory: linear attention", "[shared_memory]", float, bf16) {
  for (LinearAttentionShape const& s : {LinearAttentionShape{1, 1, 5, 8}, LinearAttentionShape{1, 1, 5, 40}}) {
    Index const channels = s.heads * s.dim;
    auto const qkv = device_tensor<TestType>({s.samples, s.positions, 3 * channels}, 1);
    auto const dy = device_tensor<TestType>({s.samples, s.positions, channels}, 2);
    Tensor<TestType, Cuda> y(dy.shape()), dqkv(qkv.shape());
    Floats context({s.samples, s.heads, s.dim, s.dim}), statistics({s.samples, s.heads, 2, s.dim});
    require_one_result([&] {
      cuda::linear_attention<TestType>(qkv.data(), y.data(), context.data(), statistics.data(), s);
      return y;
    });
    require_one_result([&] {
      cuda::linear_attention_backward<TestType>(dy.data(), qkv.data(), std::as_const(context).data(),
                                                std::as_const(statistics).data(), dqkv.data(), s);
      return dqkv;
    });
  }
}

TEMPLATE_TEST_CASE("Shared memory: weights of depthwise convolutions", "[shared_memory]", float, bf16) {
  // By rows of taps, and by taps.
  for (ConvDims const& d :
       {ConvDims{2, 9, 7, 8, 3, 3, 8, 9, 7, 1, 1, 1, 8}, ConvDims{1, 5, 6, 3, 2, 2, 3, 4, 5, 1, 0, 1, 3}}) {
    auto const x = device_tensor<TestType>({d.n, d.h, d.w, d.c}, 3);
    auto const dy = device_tensor<TestType>({d.n, d.oh, d.ow, d.o}, 4);
    Floats dw({d.kh, d.kw, 1, d.c});
    require_one_result([&] {
      cuda::depthwise_conv2d_backward_weight<TestType>(x.data(), dy.data(), dw.data(), d);
      return dw;
    });
  }
}

TEMPLATE_TEST_CASE("Shared memory: sums, maxima and losses", "[shared_memory]", float, bf16) {
  auto const x = device_tensor<TestType>({2100}, 5), y = device_tensor<TestType>({2100}, 6);
  for (Broadcast const& s : {Broadcast{1, 2100, 1}, Broadcast{3, 70, 10}, Broadcast{3, 700, 1}}) {
    Floats sums({s.outer, s.inner});
    require_one_result([&] {
      cuda::sum_broadcast<TestType, float>(x.data(), y.data(), sums.data(), s);
      return sums;
    });
  }
  Floats loss({1});
  require_one_result([&] {
    cuda::loss_sum<TestType, TestType>(LossKind::huber, 0.5f, x.data(), y.data(), 1, loss.data(), 2100);
    return loss;
  });
  require_one_result([&] { return Floats({1}, static_cast<float>(cuda::max_all<TestType>(x.data(), 2100))); });
  Floats losses({10}), normalisers({10});
  Tensor<std::int32_t, Cuda> const labels({10}, 3);
  require_one_result([&] {
    cuda::cross_entropy<TestType>(x.data(), labels.data(), 0.1f, losses.data(), normalisers.data(), 10, 210);
    return losses;
  });
}

TEST_CASE("Shared memory: norms of gradients", "[shared_memory]") {
  auto const x = device_tensor<float>({17000}, 7);  // two pieces
  Tensor<double, Cuda> clip({2});
  require_one_result([&] {
    cuda::clip_norm(x.data(), 17000, 2, clip.data());
    return clip;
  });
  require_one_result([&] { return Tensor<double, Cuda>({1}, cuda::sum_of_squares(x.data(), 17000)); });
}

TEMPLATE_TEST_CASE("Shared memory: dropout and transposition", "[shared_memory]", float, bf16) {
  auto const x = device_tensor<TestType>({2, 300}, 8);
  Tensor<TestType, Cuda> y(x.shape()), turned({300, 2});
  require_one_result([&] {
    cuda::dropout<TestType>(x.data(), y.data(), 2, 300, {DrawKey(1, Purpose::dropout, 0), 1000, 1.5f});
    return y;
  });
  require_one_result([&] {
    cuda::launch("transpose", cuda::transpose_kernel<TestType, TestType>, {dim3(10), dim3(cuda::transpose_tile, 8)},
                 x.data().address(), turned.data().address(), 2, 300, 1);
    return turned;
  });
  REQUIRE(to<Cpu>(turned).data()[2 * 17 + 1] == to<Cpu>(x).data()[300 + 17]);
}
