// cudnn-frontend, calling cuDNN and NVRTC as they are loaded: what its namespace holds hides what the headers declare.
// Its own way to load them (NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING) would load a second libcudart, of any version that
// is there, beside the one that is linked. A function that another version of it calls too is an undefined reference,
// to be added here.
#pragma once

#include <nvrtc.h>

#include "cudnn.hpp"

namespace cudnn_frontend {

using stipple::cuda::products::cudnnGetErrorString;
using stipple::cuda::products::cudnnGetVersion;
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnBackendCreateDescriptor)
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnBackendDestroyDescriptor)
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnBackendExecute)
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnBackendFinalize)
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnBackendGetAttribute)
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnBackendSetAttribute)
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnGetLastErrorString)
STIPPLE_LOADED(stipple::cuda::products::cudnn, cudnnGetStream)

// For the kernels that cudnn-frontend writes itself, of which our graphs have none.
STIPPLE_LOADED(stipple::cuda::products::nvrtc, nvrtcCompileProgram)
STIPPLE_LOADED(stipple::cuda::products::nvrtc, nvrtcCreateProgram)
STIPPLE_LOADED(stipple::cuda::products::nvrtc, nvrtcDestroyProgram)
STIPPLE_LOADED(stipple::cuda::products::nvrtc, nvrtcGetCUBIN)
STIPPLE_LOADED(stipple::cuda::products::nvrtc, nvrtcGetCUBINSize)
STIPPLE_LOADED(stipple::cuda::products::nvrtc, nvrtcGetProgramLog)
STIPPLE_LOADED(stipple::cuda::products::nvrtc, nvrtcGetProgramLogSize)

}  // namespace cudnn_frontend

#include <cudnn_frontend.h>
