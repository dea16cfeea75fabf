# What every target of Linnet is compiled with, and the function that makes one layer of the library.

# Reaches our own sources only: linnet::linnet never links it, so nothing of it leaks to a consumer.
add_library(linnet_internal INTERFACE)
target_compile_features(linnet_internal INTERFACE cxx_std_20)
target_include_directories(linnet_internal INTERFACE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src"
                                                     "${PROJECT_SOURCE_DIR}")
# The same bits on every instruction set: a multiply and an add are fused where the source says fma, and nowhere else.
target_compile_options(linnet_internal INTERFACE -ffp-contract=off)

set(LINNET_WARNING_FLAGS "")
set(LINNET_STRICT_FLAGS "")
if(LINNET_WARNINGS)
  # A designated initializer that leaves a member to its default, {.node = name}, is a style of this house, not a slip.
  set(LINNET_WARNING_FLAGS -Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers)
  # For the library, which does arithmetic on numbers out of a file: no silent narrowing.
  set(LINNET_STRICT_FLAGS -Wconversion -Wsign-conversion)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_FLAGS MATCHES "-fsanitize=[^ ]*undefined")
  # Not implicit-integer-sign-change: libstdc++ 12's <string_view> and <charconv> do that on purpose.
  list(APPEND LINNET_STRICT_FLAGS -fsanitize=implicit-integer-truncation -fno-sanitize-recover=implicit-integer-truncation)
endif()

# linnet_glob(<variable> <pattern>...): sources, found again at each build, so that adding a file needs no edit here.
function(linnet_glob variable)
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  file(GLOB files CONFIGURE_DEPENDS ${ARGN})
  set(${variable} ${files} PARENT_SCOPE)
endfunction()

# linnet_objects(<target> [STRICT] SOURCES <file>...): an object library with our flags.
function(linnet_objects target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "STRICT" "" "SOURCES")
  add_library(${target} OBJECT ${arg_SOURCES})
  # The archive may end in a consumer's shared library. Never in batches (CMAKE_UNITY_BUILD, which the presets use for tests):
  # there a call can silently find a function of another file.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF UNITY_BUILD OFF)
  target_link_libraries(${target} PRIVATE linnet_internal)
  target_compile_options(${target} PRIVATE ${LINNET_WARNING_FLAGS})
  if(arg_STRICT)
    target_compile_options(${target} PRIVATE ${LINNET_STRICT_FLAGS})
  endif()
endfunction()
