// What is called of cuBLASLt.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "shared_library.hpp"

namespace stipple::cuda::products {

// cuBLASLt and cuDNN load it by themselves.
inline constinit SharedLibrary nvrtc("libnvrtc", CUDART_VERSION / 1000, "NVRTC");

inline constinit SharedLibrary cublas_lt("libcublasLt", CUBLAS_VER_MAJOR, "cuBLAS", &nvrtc);
STIPPLE_LOADED(cublas_lt, cublasLtCreate)
STIPPLE_LOADED(cublas_lt, cublasLtGetStatusName)
STIPPLE_LOADED(cublas_lt, cublasLtGetStatusString)
STIPPLE_LOADED(cublas_lt, cublasLtMatmul)
STIPPLE_LOADED(cublas_lt, cublasLtMatmulAlgoGetHeuristic)
STIPPLE_LOADED(cublas_lt, cublasLtMatmulDescCreate)
STIPPLE_LOADED(cublas_lt, cublasLtMatmulDescDestroy)
STIPPLE_LOADED(cublas_lt, cublasLtMatmulDescSetAttribute)
STIPPLE_LOADED(cublas_lt, cublasLtMatmulPreferenceCreate)
STIPPLE_LOADED(cublas_lt, cublasLtMatmulPreferenceDestroy)
STIPPLE_LOADED(cublas_lt, cublasLtMatmulPreferenceSetAttribute)
STIPPLE_LOADED(cublas_lt, cublasLtMatrixLayoutCreate)
STIPPLE_LOADED(cublas_lt, cublasLtMatrixLayoutDestroy)
STIPPLE_LOADED(cublas_lt, cublasLtMatrixLayoutSetAttribute)

}  // namespace stipple::cuda::products
