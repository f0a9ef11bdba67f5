// Include this to have products of float done in float, not in TF32, so that they can be compared with the CPU's.
#pragma once

#include <stipple/backend/cuda/products.hpp>

inline bool const products_are_exact = (stipple::cuda::set_allow_tf32(false), true);
