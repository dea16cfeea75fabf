# Configures a project that takes Linnet in with add_subdirectory. With -DFULL=ON also builds and runs it, which compiles the
# library a second time; without, only the consumer's own file is compiled.

cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

set(work "${WORK}")
if(FULL)
  string(APPEND work "-full")
endif()
foreach(found_before IN ITEMS ON OFF)
  file(REMOVE_RECURSE "${work}")
  step("configure the consumer, its own packages found before: ${found_before}" "${CMAKE_COMMAND}" -G "${GENERATOR}" -S
       "${CMAKE_CURRENT_LIST_DIR}/subdirectory" -B "${work}" "-DLINNET_SOURCE=${SOURCE}" "-DCMAKE_CXX_COMPILER=${CXX}"
       "-DFOUND_BEFORE=${found_before}")
endforeach()
if(FULL)
  step("build it" "${CMAKE_COMMAND}" --build "${work}" --target consumer)
  step("run it" "${work}/consumer" ${classify_ship})
  expect_ship("the consumer")
else()
  step("compile the consumer's own file" "${CMAKE_COMMAND}" --build "${work}" --target consumer_objects)
endif()
