// What a program is told on a machine whose GPU cannot be used.
#include <stipple/cuda.hpp>
#include <stipple/tensor/tensor.hpp>

#include "check.hpp"

using namespace stipple;

TEST_CASE("Without a GPU a sentence says what is missing", "[unavailable]") {
  std::string const missing = cuda::why_unavailable();
  if (missing.empty()) {
    REQUIRE(cuda::device_count() >= 1);
    return;
  }
  REQUIRE(missing.starts_with("cuda: "));
  REQUIRE(cuda::device_count() == 0);
  require_error([] { Tensor<float, Cuda>({1}); }, missing);
  require_error([] { (void)to<Cuda>(Tensor<float>({1}, 0)); }, missing);
  require_error([] { cuda::select_device(0); }, missing);
  require_error([] { (void)cuda::describe_device(0); }, missing);
  require_error([] { cuda::Stream const stream; }, missing);
  require_error([] { cuda::synchronize(); }, missing);
}
