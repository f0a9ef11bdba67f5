// The definitions of `core` and `tensor`.
#define STIPPLE_UNIT STIPPLE_UNIT_core
#include <stipple/core/allocator.hpp>
#include <stipple/core/context.hpp>
#include <stipple/core/isa.hpp>
#include <stipple/core/shape.hpp>
#include <stipple/core/thread_pool.hpp>
#include <stipple/tensor/rng.hpp>
#include <stipple/tensor/tensor.hpp>
