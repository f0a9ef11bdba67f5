// The definitions of the layer `io` for the GPU: what reads and writes models.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_io
#include <stipple/cuda.hpp>
#include <stipple/io/checkpoint.hpp>
#include <stipple/io/weights.hpp>
