// One text, two ways to link. Header-only: kernels are defined where they are used. With STIPPLE_COMPILED (set by the
// target stipple::compiled) a program sees `extern template` declarations only, and the library, which sets
// STIPPLE_IMPLEMENTATION besides, holds the instantiations.
#pragma once

#if defined(STIPPLE_COMPILED) && !defined(STIPPLE_IMPLEMENTATION)
#define STIPPLE_DEFINE_KERNELS 0
#define STIPPLE_INSTANTIATE_KERNELS 1
#define STIPPLE_EXTERN extern
#elif defined(STIPPLE_IMPLEMENTATION)
#define STIPPLE_DEFINE_KERNELS 1
#define STIPPLE_INSTANTIATE_KERNELS 1
#define STIPPLE_EXTERN
#else
#define STIPPLE_DEFINE_KERNELS 1
#define STIPPLE_INSTANTIATE_KERNELS 0
#define STIPPLE_EXTERN
#endif
