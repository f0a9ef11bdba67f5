// The definitions of the measures that need stipple::io for the GPU: feature networks.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_evaluate
#include <stipple/cuda.hpp>
#include <stipple/metrics/pretrained_features.hpp>
