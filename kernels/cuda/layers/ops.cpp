// The definitions of the layer `ops` for the GPU.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_ops
#include <stipple/cuda.hpp>

#include "../../layers/ops.cpp"
