# stipple::cuda, the kernels and the runtime of the CUDA backend, built by nvcc. It loads cuBLASLt, cuDNN and NVRTC when a
# GPU first needs them, and links none of them. No GPU is needed to build it.

set(STIPPLE_CUDA AUTO CACHE STRING "Build stipple::cuda: ON, OFF, or AUTO, which builds it where it can be")
set_property(CACHE STIPPLE_CUDA PROPERTY STRINGS AUTO ON OFF)
set(STIPPLE_CUDA_DIR ${PROJECT_SOURCE_DIR}/build/cuda CACHE PATH
    "Folder with include/ and lib/ of what CUDA needs beside the system's; what scripts/get-cuda fills")

file(GLOB stipple_cuda_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu)
file(GLOB stipple_cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cpp)
file(GLOB stipple_cuda_libraries CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/libraries/*.cpp)
list(FILTER stipple_cuda_libraries EXCLUDE REGEX "/(convolution_graph|shared_library)\\.cpp$")

# What stipple::cuda and its programs are compiled against: one text in one way, or what is static would be there twice.
# Where there is stipple::compiled, the layers are compiled for Cuda too. They need neither nvcc nor a CUDA header.
if(TARGET stipple_compiled)
  set(stipple_linked stipple_compiled)
  file(GLOB stipple_cuda_layers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/layers/*.cpp)
  add_library(stipple_cuda_layers OBJECT EXCLUDE_FROM_ALL ${stipple_cuda_layers})
  set_target_properties(stipple_cuda_layers PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(stipple_cuda_layers PRIVATE stipple_compiled)
  if(TARGET stipple_io)
    file(GLOB stipple_cuda_io CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/io/*.cpp)
    target_sources(stipple_cuda_layers PRIVATE ${stipple_cuda_io})
    target_link_libraries(stipple_cuda_layers PRIVATE stipple_io)
  endif()
  set(stipple_cuda_layers $<TARGET_OBJECTS:stipple_cuda_layers>)
else()
  set(stipple_linked stipple)
  set(stipple_cuda_layers)
endif()

if(NOT STIPPLE_CUDA)
  return()
endif()

# Ends the file that calls it: with a message under AUTO, with an error under ON.
macro(stipple_leave_cuda_out reason)
  if(STIPPLE_CUDA STREQUAL "AUTO")
    message(STATUS "stipple::cuda is left out; ${reason}")
    return()
  endif()
  message(FATAL_ERROR "STIPPLE_CUDA is ON, but ${reason}.")
endmacro()

if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX} AND EXISTS ${STIPPLE_CUDA_DIR}/bin/nvcc)
  set(CMAKE_CUDA_COMPILER ${STIPPLE_CUDA_DIR}/bin/nvcc)
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  stipple_leave_cuda_out("nvcc was not found: set CUDACXX to it, add its folder to PATH, or run scripts/get-cuda")
endif()
# Asked before the language is enabled, which fails where an architecture is unknown.
execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE stipple_nvcc ERROR_QUIET)
string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" stipple_nvcc "${stipple_nvcc}")
if(NOT CMAKE_MATCH_1 VERSION_GREATER_EQUAL 12.8)
  stipple_leave_cuda_out("${CMAKE_CUDA_COMPILER} is of CUDA '${CMAKE_MATCH_1}', wanted 12.8 or newer")
endif()

# A100, H100 and H200; B200 and, through the intermediate code, what comes after it.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100 CACHE STRING "GPU architectures that are compiled for")
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/cudnn.cmake)
if(stipple_no_cudnn)
  stipple_leave_cuda_out("${stipple_no_cudnn}")
endif()
if(NOT TARGET CUDA::cublasLt OR NOT CUDA_nvrtc_LIBRARY)
  stipple_leave_cuda_out("the toolkit in ${CUDAToolkit_LIBRARY_DIR} has no cuBLAS or no NVRTC")
endif()

# Alone, for the test that plans without a GPU. It is the one text that includes cudnn-frontend.
add_library(stipple_convolution_graph OBJECT ${stipple_exclude}
            ${PROJECT_SOURCE_DIR}/kernels/cuda/libraries/convolution_graph.cpp
            ${PROJECT_SOURCE_DIR}/kernels/cuda/libraries/shared_library.cpp)
set_target_properties(stipple_convolution_graph PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
target_link_libraries(stipple_convolution_graph PRIVATE ${stipple_linked} CUDA::cudart_static stipple_cudnn
                                                        stipple_cudnn_frontend)

add_library(stipple_cuda STATIC ${stipple_exclude} ${stipple_cuda_kernels} ${stipple_cuda_sources}
                                ${stipple_cuda_libraries} ${stipple_cuda_layers}
                                $<TARGET_OBJECTS:stipple_convolution_graph>)
add_library(stipple::cuda ALIAS stipple_cuda)
list(JOIN CMAKE_CUDA_ARCHITECTURES "," stipple_architectures)
set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/cuda/runtime.cpp PROPERTIES
                            COMPILE_DEFINITIONS STIPPLE_CUDA_ARCHITECTURES="${stipple_architectures}")
set_target_properties(stipple_cuda PROPERTIES EXPORT_NAME cuda OUTPUT_NAME stipple_cuda CXX_EXTENSIONS OFF
                                              POSITION_INDEPENDENT_CODE ON)
# The standard is an option of nvcc's own, because early CMake does not know that CUDA has this one. std::array and
# std::bit_cast are constexpr and used in kernels; fat binaries are compressed; ptxas names kernels that spill registers.
set(stipple_nvcc_options -std=c++20 --expt-relaxed-constexpr -Xfatbin=-compress-all -Xcompiler=-Wall,-Wextra
                         -Xptxas=--warn-on-spills)
target_compile_options(stipple_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${stipple_nvcc_options}>")
target_link_libraries(stipple_cuda PUBLIC ${stipple_linked} PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS}
                                                          $<BUILD_INTERFACE:stipple_cudnn>)

# Programs of the build tree find the libraries where they were found here. What is installed, and what is built elsewhere,
# finds them in LD_LIBRARY_PATH, its own run path and the folders of the system.
foreach(library IN ITEMS ${CUDA_cublasLt_LIBRARY} ${CUDA_nvrtc_LIBRARY} ${STIPPLE_CUDNN_LIBRARY})
  cmake_path(GET library PARENT_PATH folder)
  list(APPEND stipple_cuda_folders ${folder})
endforeach()
list(REMOVE_DUPLICATES stipple_cuda_folders)
list(REMOVE_ITEM stipple_cuda_folders ${CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES})
list(APPEND CMAKE_BUILD_RPATH ${stipple_cuda_folders})
