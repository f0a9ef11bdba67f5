# install(): headers, the compiled library, the CMake package and stipple.pc.

include(CMakePackageConfigHelpers)

set(stipple_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/stipple)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS stipple EXPORT stippleTargets)
if(TARGET stipple_compiled)
  install(TARGETS stipple_compiled EXPORT stippleCompiledTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT stippleCompiledTargets NAMESPACE stipple:: DESTINATION ${stipple_package_dir})
endif()
install(EXPORT stippleTargets NAMESPACE stipple:: DESTINATION ${stipple_package_dir})
if(TARGET stipple_io)
  install(TARGETS stipple_io EXPORT stippleIoTargets)
  install(EXPORT stippleIoTargets NAMESPACE stipple:: DESTINATION ${stipple_package_dir})
endif()
if(TARGET stipple_cuda)
  install(TARGETS stipple_cuda EXPORT stippleCudaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT stippleCudaTargets NAMESPACE stipple:: DESTINATION ${stipple_package_dir})
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/stippleConfig.cmake.in ${PROJECT_BINARY_DIR}/stippleConfig.cmake
                              INSTALL_DESTINATION ${stipple_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/stippleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/stippleConfig.cmake ${PROJECT_BINARY_DIR}/stippleConfigVersion.cmake
        DESTINATION ${stipple_package_dir})

# The prefix is found from the file's own place, so that an installed tree can be moved.
file(RELATIVE_PATH stipple_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/stipple.pc.in ${PROJECT_BINARY_DIR}/stipple.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/stipple.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
