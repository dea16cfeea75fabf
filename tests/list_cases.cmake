# cmake -DEXECUTABLE=<test> -DEMULATOR=<command or empty> -DPREFIX=<folder> -DOUTPUT=<file> -P list_cases.cmake
# Writes one add_test() a Catch2 test case. Catch2's own module does the same, but puts no label on tagged cases.

cmake_minimum_required(VERSION 3.25)

# list_cases(<variable> <specification>): the names, one a list entry.
function(list_cases variable specification)
  execute_process(
    COMMAND ${EMULATOR} "${EXECUTABLE}" --list-test-names-only "${specification}"
    OUTPUT_VARIABLE text
    ERROR_VARIABLE errors
    RESULT_VARIABLE result)
  # Catch2 2.x returns the number of cases.
  if(NOT result MATCHES "^[0-9]+$" OR errors)
    message(FATAL_ERROR "${EXECUTABLE} cannot list its tests: ${result}\n${errors}")
  endif()
  string(REPLACE ";" "\;" text "${text}")
  string(REGEX REPLACE "\n$" "" text "${text}")
  string(REPLACE "\n" ";" text "${text}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

list_cases(all "*")
list_cases(nightly "[nightly]")
set(script "")
foreach(name IN LISTS all)
  # Catch2 reads a name as a pattern: these characters need a backslash.
  string(REGEX REPLACE "([][\\,*~])" "\\\\\\1" pattern "${name}")
  set(test "[=[${PREFIX}: ${name}]=]")
  string(APPEND script "add_test(${test} ")
  foreach(word IN LISTS EMULATOR EXECUTABLE)
    string(APPEND script "[=[${word}]=] ")
  endforeach()
  string(APPEND script "[=[${pattern}]=])\n")
  if(name IN_LIST nightly)
    string(APPEND script "set_tests_properties(${test} PROPERTIES LABELS nightly)\n")
  endif()
endforeach()
file(WRITE "${OUTPUT}" "${script}")
