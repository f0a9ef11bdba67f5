// How matrix products and convolutions are done on a GPU.
#pragma once

namespace stipple::cuda {

/// With TF32 the operands of products of float are rounded to 10 bits behind the point, for many times the speed; sums
/// remain float. Without, products are those of float. On at first, unless the environment sets STIPPLE_CUDA_TF32 to 0.
/// Products of bf16 are not concerned.
void set_allow_tf32(bool on);
bool allow_tf32();

/// With autotuning the first product or convolution of a shape tries what the libraries propose for it and keeps the
/// fastest; without, it takes their first proposal. What is fastest may differ from run to run, and with it the last
/// bits of results. Off at first, unless the environment sets STIPPLE_CUDA_AUTOTUNE to 1.
void set_autotune(bool on);
bool autotune();

}  // namespace stipple::cuda
