// Marks functions that kernels of a GPU call too.
#pragma once

#if defined(__CUDACC__)
#define STIPPLE_HOST_DEVICE __host__ __device__
#else
#define STIPPLE_HOST_DEVICE
#endif
