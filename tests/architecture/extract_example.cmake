# cmake -DROOT=<include folder> -DHEADER=linnet/x.h -DOUTPUT=<file.cpp> -P extract_example.cmake
# The example is the first run of lines that begin with "//" and at least three spaces.

cmake_minimum_required(VERSION 3.25)

file(READ "${ROOT}/${HEADER}" text)
if(NOT text MATCHES "^//[^\n]*\n(// ?[^ \n][^\n]*\n|//\n)*((//   [^\n]*\n|//\n)+)")
  message(FATAL_ERROR "${HEADER} does not open with a comment that holds a usage example")
endif()
string(REGEX REPLACE "(^|\n)//( )?( )?( )?" "\\1" example "${CMAKE_MATCH_2}")

# An #include line belongs outside the function that the rest of the example is put in.
set(includes "")
while(example MATCHES "(^|\n)(#include[^\n]*\n)")
  string(APPEND includes "${CMAKE_MATCH_2}")
  string(REPLACE "${CMAKE_MATCH_2}" "" example "${example}")
endwhile()

file(WRITE "${OUTPUT}" "#include \"${HEADER}\"
${includes}#include \"architecture/example_context.h\"
int example();
int example() {
${example}
return 0;
}
")
