// The definitions of the layer `nn` for the GPU.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_nn
#include <stipple/cuda.hpp>

#include "../../layers/nn.cpp"
