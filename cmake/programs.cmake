# What the library's own tests, examples and benchmarks have in common.

if(NOT TARGET stipple_io)
  message(FATAL_ERROR "Tests, examples and benchmarks need stipple::io; missing: ${stipple_io_missing}. "
                      "`scripts/install-dependencies build` installs what Debian and Ubuntu have.")
endif()

add_library(stipple_program INTERFACE)
target_link_libraries(stipple_program INTERFACE stipple_io)
if(TARGET stipple_compiled)
  target_link_libraries(stipple_program INTERFACE stipple_compiled)
endif()

add_library(stipple_warnings INTERFACE)
target_compile_options(stipple_warnings INTERFACE -Wall -Wextra -Wpedantic $<$<BOOL:${STIPPLE_WERROR}>:-Werror>)
if(TARGET stipple_compiled)
  target_link_libraries(stipple_compiled PRIVATE $<BUILD_INTERFACE:stipple_warnings>)
  target_link_libraries(stipple_cuda_layers PRIVATE stipple_warnings)
endif()

# stipple_add_program(<name> SOURCES <file>... [LIBRARIES <target>...]): one for the GPU names stipple_cuda too.
function(stipple_add_program name)
  cmake_parse_arguments(PARSE_ARGV 1 program "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${program_SOURCES})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE stipple_program stipple_warnings ${program_LIBRARIES})
endfunction()
