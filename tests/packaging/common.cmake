# step(<what> <command>...): runs it; on failure says what was attempted and shows the output. Sets `output`.
function(step what)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE text ERROR_VARIABLE text RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${text}")
  endif()
  message(STATUS "${what}: ok")
  set(output "${text}" PARENT_SCOPE)
endfunction()

# The bundled ship is class 8 of CIFAR-10.
set(classify_ship "${SOURCE}/examples/cifar10-resnet20/model/model.onnx"
                  "${SOURCE}/examples/cifar10-resnet20/sample_data/ship.jpg" cifar10)
function(expect_ship what)
  if(NOT output MATCHES "^class 8: 0[.][5-9]")
    message(FATAL_ERROR "${what}: expected class 8 first, found:\n${output}")
  endif()
endfunction()
