// Copies to the device beside its work.
#include <stipple/backend/cuda/upload.hpp>
#include <stipple/ops/arithmetic.hpp>

#include "compare.hpp"

using namespace stipple;

TEST_CASE("Upload: tensors arrive before the work that uses them, whatever the host does next", "[upload]") {
  for_each_order([] {
    cuda::Upload upload;
    std::vector<Tensor<float, Cuda>> sums;
    Tensor<float> batch({3, 5});
    for (int step = 0; step < 6; ++step) {
      batch.fill(static_cast<float>(step));
      auto const images = upload(batch);
      auto const labels = upload(Tensor<std::int32_t>({3}, step));
      batch.fill(-1);  // the loader's next batch
      sums.push_back(ops::affine(images, 2, 1));
      if (step == 3) require_same(labels, Tensor<std::int32_t>({3}, 3));
    }
    for (int step = 0; step < 6; ++step)
      require_same(sums[static_cast<std::size_t>(step)], Tensor<float>({3, 5}, static_cast<float>(2 * step + 1)));
  });
}

TEST_CASE("Upload: sizes may change, and nothing is something", "[upload]") {
  cuda::Upload upload;
  for (Index const n : {1, 1000, 7, 5000}) {
    auto const x = random_tensor<bf16>({n}, 1);
    require_same(upload(x), x);
  }
  REQUIRE_FALSE(upload(Tensor<float>()).defined());
  REQUIRE(upload(Tensor<float>({0, 3})).shape() == Shape{0, 3});
  auto other = std::move(upload);
  require_same(other(Tensor<double>({2}, 1.5)), Tensor<double>({2}, 1.5));
}

TEST_CASE("Upload: it runs beside the current stream", "[upload]") {
  cuda::Stream computing;
  cuda::CurrentStream const current(computing);
  cuda::Upload upload;
  auto const x = upload(Tensor<float>({4}, 3));
  auto const y = ops::affine(x, 2);
  computing.synchronize();
  require_same(y, Tensor<float>({4}, 6));
}
