# The headers of cuDNN 9 and of cudnn-frontend, for stipple::cuda: the targets stipple_cudnn and stipple_cudnn_frontend, or
# what is missing in stipple_no_cudnn. They are looked for in STIPPLE_CUDA_DIR, beside the toolkit and in the system.
# Programs load the library; STIPPLE_CUDNN_LIBRARY says where those of the build tree find it.

find_path(STIPPLE_CUDNN_INCLUDE_DIR cudnn_version.h HINTS ${STIPPLE_CUDA_DIR} ${CUDAToolkit_INCLUDE_DIRS}
          PATH_SUFFIXES include DOC "Folder of cudnn.h")
find_library(STIPPLE_CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${STIPPLE_CUDA_DIR} ${CUDAToolkit_LIBRARY_DIR}
             PATH_SUFFIXES lib lib64 DOC "cuDNN's library")
find_path(STIPPLE_CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h HINTS ${STIPPLE_CUDA_DIR} ${CUDAToolkit_INCLUDE_DIRS}
          PATH_SUFFIXES include DOC "Folder of cudnn_frontend.h")

set(stipple_cudnn_version)
if(STIPPLE_CUDNN_INCLUDE_DIR)
  file(STRINGS ${STIPPLE_CUDNN_INCLUDE_DIR}/cudnn_version.h stipple_lines REGEX "#define CUDNN_(MAJOR|MINOR) ")
  string(REGEX REPLACE "[^0-9;]" "" stipple_lines "${stipple_lines}")
  list(JOIN stipple_lines "." stipple_cudnn_version)
endif()

set(stipple_no_cudnn)
if(NOT STIPPLE_CUDNN_INCLUDE_DIR OR NOT STIPPLE_CUDNN_LIBRARY)
  set(stipple_no_cudnn "cuDNN was not found: `scripts/get-cuda cudnn` fetches it, STIPPLE_CUDA_DIR says where it is")
elseif(NOT stipple_cudnn_version MATCHES "^9\\." OR stipple_cudnn_version VERSION_LESS 9.8)
  set(stipple_no_cudnn "${STIPPLE_CUDNN_INCLUDE_DIR} has cuDNN '${stipple_cudnn_version}', wanted 9.8 or a later 9")
elseif(NOT STIPPLE_CUDNN_FRONTEND_INCLUDE_DIR)
  string(CONCAT stipple_no_cudnn "cudnn_frontend.h was not found: `scripts/get-cuda frontend` fetches it, "
                                 "STIPPLE_CUDA_DIR says where it is")
else()
  add_library(stipple_cudnn INTERFACE IMPORTED)
  set_target_properties(stipple_cudnn PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${STIPPLE_CUDNN_INCLUDE_DIR})
  add_library(stipple_cudnn_frontend INTERFACE IMPORTED)
  set_target_properties(stipple_cudnn_frontend PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES ${STIPPLE_CUDNN_FRONTEND_INCLUDE_DIR}
    INTERFACE_COMPILE_DEFINITIONS CUDNN_FRONTEND_SKIP_JSON_LIB)
endif()
