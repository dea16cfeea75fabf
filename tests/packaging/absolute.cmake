# Configures with install directories outside of the prefix, as distributions that keep headers apart do, and reads linnet.pc.

cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

file(REMOVE_RECURSE "${WORK}")
set(options "-DCMAKE_CXX_COMPILER=${CXX}" -DCMAKE_INSTALL_PREFIX=/opt/one)
foreach(part IN ITEMS CLI TESTS BENCHMARKS EXAMPLES)
  list(APPEND options -DLINNET_BUILD_${part}=OFF)
endforeach()

# expect_line(<file> <line>): that the file has the line.
function(expect_line file line)
  file(STRINGS "${file}" lines)
  if(NOT line IN_LIST lines)
    message(FATAL_ERROR "expected '${line}' in ${file}, found: ${lines}")
  endif()
endfunction()

step("configure for headers elsewhere" "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${WORK}/headers" ${options}
     -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_INCLUDEDIR=/opt/two/include)
expect_line("${WORK}/headers/package/linnet.pc" "prefix=\${pcfiledir}/../..")
expect_line("${WORK}/headers/package/linnet.pc" "libdir=\${prefix}/lib")
expect_line("${WORK}/headers/package/linnet.pc" "includedir=/opt/two/include")

step("configure for a library elsewhere" "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${WORK}/library"
     ${options} -DCMAKE_INSTALL_LIBDIR=/opt/two/lib)
expect_line("${WORK}/library/package/linnet.pc" "prefix=/opt/one")
expect_line("${WORK}/library/package/linnet.pc" "libdir=/opt/two/lib")
expect_line("${WORK}/library/package/linnet.pc" "includedir=\${prefix}/include")
