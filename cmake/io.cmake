# stipple::io: what the headers of io/, data/, metrics/ and train/ need besides a compiler. Without these packages the
# rest of the library is unimpaired, and the target does not exist.

set(stipple_io_packages
    "zlib (Debian: zlib1g-dev)" "libpng (Debian: libpng-dev)" "libjpeg (Debian: libjpeg-dev)"
    "giflib (Debian: libgif-dev)" "nlohmann-json (Debian: nlohmann-json3-dev)" "Eigen 3 (Debian: libeigen3-dev)"
    "OpenSSL (Debian: libssl-dev)" "stb (Debian: libstb-dev)")

find_package(ZLIB QUIET)
find_package(PNG QUIET)
find_package(JPEG QUIET)
find_package(GIF QUIET)
find_package(nlohmann_json QUIET)
find_package(Eigen3 QUIET NO_MODULE)
find_package(OpenSSL QUIET)
find_path(STIPPLE_STB_INCLUDE_DIR stb_image_write.h PATH_SUFFIXES stb DOC "Folder of stb_image_write.h")

set(stipple_io_missing)
foreach(found IN ITEMS ZLIB_FOUND PNG_FOUND JPEG_FOUND GIF_FOUND nlohmann_json_FOUND Eigen3_FOUND OPENSSL_FOUND
                       STIPPLE_STB_INCLUDE_DIR)
  list(POP_FRONT stipple_io_packages package)
  if(NOT ${found})
    list(APPEND stipple_io_missing "${package}")
  endif()
endforeach()

if(stipple_io_missing)
  list(JOIN stipple_io_missing ", " stipple_io_missing)
  message(STATUS "stipple::io is left out; missing: ${stipple_io_missing}")
  if(TARGET stipple_compiled)
    target_compile_definitions(stipple_compiled PUBLIC STIPPLE_COMPILED_WITHOUT_IO)
  endif()
  return()
endif()

add_library(stipple_io INTERFACE)
add_library(stipple::io ALIAS stipple_io)
set_target_properties(stipple_io PROPERTIES EXPORT_NAME io)
target_include_directories(stipple_io SYSTEM INTERFACE $<BUILD_INTERFACE:${STIPPLE_STB_INCLUDE_DIR}>)
target_link_libraries(stipple_io INTERFACE stipple ZLIB::ZLIB PNG::PNG JPEG::JPEG GIF::GIF
                                           nlohmann_json::nlohmann_json Eigen3::Eigen OpenSSL::Crypto)

# The library then holds the definitions of those headers too. Programs that include none of them link none of this.
if(TARGET stipple_compiled)
  file(GLOB stipple_io_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/io/*.cpp)
  target_sources(stipple_compiled PRIVATE ${stipple_io_sources})
  target_include_directories(stipple_compiled SYSTEM PRIVATE ${STIPPLE_STB_INCLUDE_DIR})
  target_link_libraries(stipple_compiled PRIVATE ZLIB::ZLIB PNG::PNG JPEG::JPEG GIF::GIF OpenSSL::Crypto
                                                 $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>
                                                 $<BUILD_INTERFACE:Eigen3::Eigen>)
  set(stipple_compiled_dependencies ZLIB PNG JPEG GIF OpenSSL)
endif()
