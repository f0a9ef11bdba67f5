// What the libraries answer, as an Error.
#pragma once

#include <cuda_runtime_api.h>

#include <stipple/core/error.hpp>

#include "cublas_lt.hpp"

namespace stipple::cuda::products {

inline void check(cudaError_t status, const char* operation, const char* action) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // so that errors which do not break the context are reported once
  fail(operation, ": ", action, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

inline void check(cublasStatus_t status, const char* operation, const char* action) {
  if (status != CUBLAS_STATUS_SUCCESS)
    fail(operation, ": cuBLASLt: ", action, ": ", cublasLtGetStatusString(status), " (", cublasLtGetStatusName(status),
         ")");
}

}  // namespace stipple::cuda::products
