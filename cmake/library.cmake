# stipple::stipple, the headers, and stipple::compiled, the same text instantiated once in a static library.

find_package(Threads REQUIRED)

add_library(stipple INTERFACE)
add_library(stipple::stipple ALIAS stipple)
target_compile_features(stipple INTERFACE cxx_std_20)
target_include_directories(stipple INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(stipple INTERFACE Threads::Threads)

# Users of the library see STIPPLE_COMPILED, which leaves declarations of what the library holds. Each of its sources
# names the unit that it defines (core/compiled.hpp): the layers in their text, the kernels here.
if(STIPPLE_BUILD_COMPILED)
  file(GLOB stipple_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cpu/*.cpp)
  file(GLOB stipple_layers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/layers/*.cpp)
  set_source_files_properties(${stipple_kernels} PROPERTIES COMPILE_DEFINITIONS STIPPLE_UNIT=STIPPLE_UNIT_kernels)
  add_library(stipple_compiled STATIC ${stipple_exclude} ${stipple_kernels} ${stipple_layers})
  add_library(stipple::compiled ALIAS stipple_compiled)
  set_target_properties(stipple_compiled PROPERTIES EXPORT_NAME compiled OUTPUT_NAME stipple
                                                    CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_definitions(stipple_compiled PUBLIC STIPPLE_COMPILED)
  target_link_libraries(stipple_compiled PUBLIC stipple)
endif()
