// --device of the programs, with the GPUs that there are; on the executor, two.
#include "common/gpu.hpp"

#include "check.hpp"

using example::gpu_number;
using example::select_gpu;

TEST_CASE("A GPU is named by its number", "[device]") {
  CHECK_FALSE(gpu_number("cpu").has_value());
  CHECK(gpu_number("cuda") == 0);
  CHECK(gpu_number("cuda:0") == 0);
  CHECK(gpu_number("cuda:12") == 12);
  for (const char* const name :
       {"", "gpu", "cuda:", "cuda:x", "cuda:1 ", "cuda:+1", "cuda:-1", "cuda:4294967296", "cuda1"})
    require_error([&] { (void)gpu_number(name); },
                  "--device: given '" + std::string(name) + "', wanted cpu, cuda, or cuda:N");
}

TEST_CASE("The GPU that is named is the one that computes", "[device]") {
  int const before = stipple::cuda::selected_device(), count = stipple::cuda::device_count();
  for (int number = count - 1; number >= 0; --number) {
    select_gpu(number);
    CHECK(stipple::cuda::selected_device() == number);
  }
  auto const last = std::to_string(count - 1);
  require_error([&] { select_gpu(count); },
                "--device cuda:" + std::to_string(count) + ": this machine has " + std::to_string(count) +
                    (count == 1 ? " GPU, wanted cuda:0" : " GPUs, wanted cuda:0 to cuda:" + last));
  CHECK(stipple::cuda::selected_device() == 0);
  stipple::cuda::select_device(before);
}
