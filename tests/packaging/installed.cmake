# Installs to one prefix, moves it, and builds the examples against where it now lies.

cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
set(prefix "${WORK}/moved")
step("cmake --install" "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/installed")
file(RENAME "${WORK}/installed" "${prefix}")

# Nothing that describes the package may remember where it came from.
file(GLOB_RECURSE descriptions "${prefix}/*.cmake" "${prefix}/*.pc")
list(LENGTH descriptions count)
if(count LESS 5)
  message(FATAL_ERROR "expected a CMake package and a pkg-config file, found only: ${descriptions}")
endif()
foreach(file IN LISTS descriptions)
  file(READ "${file}" text)
  foreach(path IN ITEMS "${SOURCE}" "${BUILD}" "${WORK}")
    string(FIND "${text}" "${path}" position)
    if(NOT position EQUAL -1)
      message(FATAL_ERROR "${file} names ${path}: it would not work elsewhere")
    endif()
  endforeach()
endforeach()

step("the installed program" "${prefix}/bin/linnet" cpu)

foreach(example IN ITEMS minimal classify)
  step("configure examples/${example} with find_package" "${CMAKE_COMMAND}" -G "${GENERATOR}" -S
       "${SOURCE}/examples/${example}" -B "${WORK}/${example}" "-DCMAKE_PREFIX_PATH=${prefix}"
       "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}")
  step("build examples/${example}" "${CMAKE_COMMAND}" --build "${WORK}/${example}")
endforeach()
step("run examples/minimal" "${WORK}/minimal/minimal" ${classify_ship})
expect_ship("examples/minimal")

if(NOT PKG_CONFIG)
  message(STATUS "pkg-config is not installed: linnet.pc is not tried")
  return()
endif()
file(GLOB_RECURSE pc "${prefix}/*/linnet.pc")
cmake_path(GET pc PARENT_PATH pc_dir)
set(ENV{PKG_CONFIG_PATH} "${pc_dir}")
step("pkg-config" "${PKG_CONFIG}" --cflags --libs linnet)
separate_arguments(flags UNIX_COMMAND "${output}")
step("build examples/minimal with pkg-config" "${CXX}" -std=c++20 "${SOURCE}/examples/minimal/main.cpp" -o
     "${WORK}/minimal-pc" ${flags})
step("run it" "${WORK}/minimal-pc" ${classify_ship})
expect_ship("examples/minimal by pkg-config")
# Exceptions are the interface; run-time type information is not, and a consumer may optimize at link time.
step("build it without RTTI and with link-time optimization" "${CXX}" -std=c++20 -O2 -fno-rtti -flto
     "${SOURCE}/examples/minimal/main.cpp" -o "${WORK}/minimal-lto" ${flags})
step("run it" "${WORK}/minimal-lto" ${classify_ship})
expect_ship("examples/minimal without RTTI and with link-time optimization")
