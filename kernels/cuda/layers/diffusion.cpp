// The definitions of the layer `diffusion` for the GPU.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_diffusion
#include <stipple/cuda.hpp>

#include "../../layers/diffusion.cpp"
