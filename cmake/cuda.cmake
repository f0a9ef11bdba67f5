# stipple::cuda, the kernels and the runtime of the CUDA backend, built by nvcc. No GPU is needed to build it.

set(STIPPLE_CUDA AUTO CACHE STRING "Build stipple::cuda: ON, OFF, or AUTO, which builds it where nvcc is found")
set_property(CACHE STIPPLE_CUDA PROPERTY STRINGS AUTO ON OFF)

file(GLOB stipple_cuda_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu)
file(GLOB stipple_cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cpp)

if(NOT STIPPLE_CUDA)
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  # Asked before the language is enabled, which fails where an architecture is unknown.
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE stipple_nvcc ERROR_QUIET)
  string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" stipple_nvcc "${stipple_nvcc}")
  if(NOT CMAKE_MATCH_1 VERSION_GREATER_EQUAL 12.8)
    set(stipple_no_nvcc "${CMAKE_CUDA_COMPILER} is of CUDA '${CMAKE_MATCH_1}', wanted 12.8 or newer")
  endif()
else()
  set(stipple_no_nvcc "nvcc was not found: set CUDACXX to it, or add its folder to PATH")
endif()
if(stipple_no_nvcc)
  if(STIPPLE_CUDA STREQUAL "AUTO")
    message(STATUS "stipple::cuda is left out; ${stipple_no_nvcc}")
    return()
  endif()
  message(FATAL_ERROR "STIPPLE_CUDA is ON, but ${stipple_no_nvcc}.")
endif()

# A100, H100 and H200; B200 and, through the intermediate code, what comes after it.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100 CACHE STRING "GPU architectures that are compiled for")
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

add_library(stipple_cuda STATIC ${stipple_exclude} ${stipple_cuda_kernels} ${stipple_cuda_sources})
add_library(stipple::cuda ALIAS stipple_cuda)
set_target_properties(stipple_cuda PROPERTIES EXPORT_NAME cuda OUTPUT_NAME stipple_cuda CXX_EXTENSIONS OFF
                                              POSITION_INDEPENDENT_CODE ON)
# The standard is an option of nvcc's own, because early CMake does not know that CUDA has this one. std::array and
# std::bit_cast are constexpr and used in kernels; fat binaries are compressed; ptxas names kernels that spill registers.
set(stipple_nvcc_options -std=c++20 --expt-relaxed-constexpr -Xfatbin=-compress-all -Xcompiler=-Wall,-Wextra
                         -Xptxas=--warn-on-spills)
target_compile_options(stipple_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${stipple_nvcc_options}>")
target_link_libraries(stipple_cuda PUBLIC stipple PRIVATE CUDA::cudart_static)
