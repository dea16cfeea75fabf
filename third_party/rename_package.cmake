# cmake -DINPUT=onnx.proto -DOUTPUT=linnet_onnx.proto -P rename_package.cmake
# The same messages under the package linnet_onnx, for the lite runtime.
file(READ "${INPUT}" text)
string(REGEX REPLACE "\noption[ \t]+optimize_for[^\n]*" "" text "${text}")
string(REGEX REPLACE "\npackage[ \t]+[a-zA-Z0-9_.]+[ \t]*;" "\npackage linnet_onnx;\noption optimize_for = LITE_RUNTIME;"
       text "${text}")
if(NOT text MATCHES "\npackage linnet_onnx;")
  message(FATAL_ERROR "${INPUT} has no package line: is it ONNX's onnx.proto?")
endif()
file(WRITE "${OUTPUT}" "${text}")
