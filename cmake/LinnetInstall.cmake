# cmake --install: headers, archive, program, a CMake package and a pkg-config file, all of which find their way from where
# they lie, so that the tree may be moved after it was installed.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/linnet")
set(generated "${PROJECT_BINARY_DIR}/package")

install(TARGETS linnet EXPORT linnetTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/linnet" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING
        PATTERN "*.h")
if(TARGET linnet-cli)
  install(TARGETS linnet-cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

install(EXPORT linnetTargets NAMESPACE linnet:: DESTINATION "${package_dir}")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/linnetConfig.cmake.in" "${generated}/linnetConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may break what the one before it promised.
write_basic_package_version_file("${generated}/linnetConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${generated}/linnetConfig.cmake" "${generated}/linnetConfigVersion.cmake" DESTINATION "${package_dir}")

# The prefix as seen from lib/pkgconfig. Who packages may give directories that lie elsewhere, as absolute paths.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" OUTPUT_VARIABLE
           pc_prefix)
set(pc_prefix "\${pcfiledir}/${pc_prefix}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
endif()
foreach(dir IN ITEMS libdir includedir)
  string(TOUPPER "CMAKE_INSTALL_${dir}" variable)
  cmake_path(APPEND pc_${dir} "\${prefix}" "${${variable}}")
endforeach()
configure_file("${CMAKE_CURRENT_LIST_DIR}/linnet.pc.in" "${generated}/linnet.pc" @ONLY)
install(FILES "${generated}/linnet.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
