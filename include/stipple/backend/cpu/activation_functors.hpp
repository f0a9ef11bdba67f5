// The activations as functors of vectors, for every kernel that applies one.
#pragma once

#include <stipple/backend/cpu/simd.hpp>
#include <stipple/core/activation.hpp>

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/activation_functors.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
