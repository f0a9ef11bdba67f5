// Kernels in the two ways to link (core/compiled.hpp). They are explicitly instantiated at the end of their header,
// which programs that link stipple::compiled see as `extern template`.
#pragma once

#include <stipple/core/compiled.hpp>

#define STIPPLE_DEFINE_KERNELS STIPPLE_DEFINES(kernels)
#if defined(STIPPLE_COMPILED)
#define STIPPLE_INSTANTIATE_KERNELS 1
#else
#define STIPPLE_INSTANTIATE_KERNELS 0
#endif
#if STIPPLE_DEFINE_KERNELS
#define STIPPLE_EXTERN
#else
#define STIPPLE_EXTERN extern
#endif
