// What is called of cuDNN, but for what cudnn-frontend calls (frontend.hpp).
#pragma once

#include <cudnn.h>

#include "cublas_lt.hpp"

namespace stipple::cuda::products {

inline constinit SharedLibrary cudnn("libcudnn", CUDNN_MAJOR, "cuDNN", &cublas_lt);
STIPPLE_LOADED(cudnn, cudnnCreate)
STIPPLE_LOADED(cudnn, cudnnGetErrorString)
STIPPLE_LOADED(cudnn, cudnnGetVersion)
STIPPLE_LOADED(cudnn, cudnnSetStream)

}  // namespace stipple::cuda::products
