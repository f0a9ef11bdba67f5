// Where an example computes: --device, and --precision where it depends on that.
#pragma once

#include <type_traits>

#include <stipple/cuda.hpp>

#include "common/options.hpp"

namespace example {

/// Batches of the loader on the network's device.
template <st::Device D>
class Input {
 public:
  template <st::Element T>
  st::Tensor<T, D> operator()(const st::Tensor<T>& x) {
    if constexpr (std::same_as<D, st::Cpu>)
      return x;
    else
      return upload_(x);
  }

 private:
  struct Nothing {};
  std::conditional_t<std::same_as<D, st::Cpu>, Nothing, st::cuda::Upload> upload_;
};

/// Calls what was compiled for the device and the precision of the options.
template <class Options>
int run_on_device(const Options& options, int (*fp32)(const Options&), int (*bf16)(const Options&),
                  int (*on_gpu)(const Options&)) {
  if (options.device == "cuda") return on_gpu(options);
  st::require(options.precision != "tf32",
              "--precision tf32 is arithmetic of a GPU: given --device cpu, wanted fp32 "
              "or bf16, or --device cuda");
  return options.precision == "bf16" ? bf16(options) : fp32(options);
}

/// Calls run(T()) with the element type of a network on the GPU. Throws Error if there is no GPU or no backend for it.
template <class Run>
int run_on_gpu(const CommonOptions& options, const Run& run) {
#if defined(STIPPLE_EXAMPLES_CUDA)
  auto const missing = st::cuda::why_unavailable();
  if (!missing.empty()) st::fail("--device cuda: ", missing);
  st::cuda::set_allow_tf32(options.precision == "tf32");
  return options.precision == "bf16" ? run(st::bf16()) : run(float());
#else
  static_cast<void>(options), static_cast<void>(run);
  st::fail("--device cuda: this build has no CUDA backend; configure with -DSTIPPLE_CUDA=ON");
#endif
}

}  // namespace example
