# Each public header opens with a usage example. Here the example is cut out of the comment and compiled, behind an include
# of that header alone, which so is shown to need no other before it. Nothing of it is run.
set(root "${PROJECT_SOURCE_DIR}/include")
set(script "${CMAKE_CURRENT_LIST_DIR}/extract_example.cmake")
set(context "${CMAKE_CURRENT_LIST_DIR}/example_context.h")
file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${root}" "${root}/linnet/*.h")
set(generated "")
foreach(header IN LISTS headers)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/header_examples/${header}.cpp")
  add_custom_command(
    OUTPUT "${source}"
    COMMAND "${CMAKE_COMMAND}" "-DROOT=${root}" "-DHEADER=${header}" "-DOUTPUT=${source}" -P "${script}"
    DEPENDS "${root}/${header}" "${script}"
    COMMENT "Cutting the example out of ${header}"
    VERBATIM)
  list(APPEND generated "${source}")
endforeach()

add_library(linnet_header_examples OBJECT ${generated})
set_target_properties(linnet_header_examples PROPERTIES CXX_EXTENSIONS OFF UNITY_BUILD OFF OBJECT_DEPENDS "${context}")
# Only what a consumer of linnet::linnet gets: the include folder and C++20. Unused variables are an example's nature.
target_compile_features(linnet_header_examples PRIVATE cxx_std_20)
target_include_directories(linnet_header_examples PRIVATE "${root}" "${PROJECT_SOURCE_DIR}/tests")
# That they compile is all that is asked.
target_compile_options(linnet_header_examples PRIVATE -O0)
if(LINNET_WARNINGS)
  target_compile_options(linnet_header_examples PRIVATE -Wall -Wextra -Wno-unused)
endif()
