# tests/unit mirrors the source: tests/unit/relay/smtp holds the tests of relay/smtp, one file for each of its files.

add_library(test_support INTERFACE)
target_link_libraries(test_support INTERFACE project_options GTest::gmock GTest::gtest_main)
# GoogleTest's macros hold an else and names of their own.
target_compile_options(test_support INTERFACE -Wno-dangling-else -Wno-shadow)
if(SANITIZE)
  # What is tested is optimised; the tests themselves only take twice the time to compile.
  target_compile_options(test_support INTERFACE -O0)
endif()

# unit_tests(relay/smtp [LABELS threaded]): one executable; DEPENDS names other modules that its tests use.
function(unit_tests directory)
  cmake_parse_arguments(arg "" "" "DEPENDS;LABELS" ${ARGN})
  string(REPLACE "/" "_" module ${directory})
  string(REPLACE "/" "_" dependencies "${arg_DEPENDS}")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${directory}/*.cpp)
  add_executable(unit_${module} ${sources})
  target_link_libraries(unit_${module} PRIVATE ${module} ${dependencies} test_support)
  add_test(NAME unit/${directory} COMMAND unit_${module} --gtest_brief=1)
  set_tests_properties(unit/${directory} PROPERTIES LABELS "unit;${arg_LABELS}" TIMEOUT 300
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(arg_LABELS STREQUAL "threaded")
    add_dependencies(threaded unit_${module})
  endif()
endfunction()

# What ThreadSanitizer has something to say about.
add_custom_target(threaded)

unit_tests(relay/base)
unit_tests(relay/mail)
unit_tests(relay/dkim)
unit_tests(relay/redaction)
unit_tests(relay/sasl)
unit_tests(relay/smtp)
unit_tests(relay/dsn)
unit_tests(relay/policy)
unit_tests(relay/milter)
unit_tests(relay/route)
unit_tests(relay/queue)
unit_tests(relay/config)
unit_tests(relay/sts)
unit_tests(relay/tlsrpt)
unit_tests(relay/metrics)
unit_tests(relay/spool LABELS threaded)
unit_tests(relay/net LABELS threaded)
unit_tests(relay/web LABELS threaded)
unit_tests(relay/oauth LABELS threaded)
unit_tests(relay/tlspolicy LABELS threaded)
unit_tests(relay/session LABELS threaded)
unit_tests(relay/delivery LABELS threaded)
unit_tests(relay/outbound LABELS threaded)
unit_tests(relay/engine LABELS threaded)
unit_tests(relay/http LABELS threaded)
unit_tests(relay/app LABELS threaded)
unit_tests(relay/ctl)

unit_tests(operator/api DEPENDS operator/kube)
unit_tests(operator/kube LABELS threaded)
unit_tests(operator/runtime LABELS threaded)
unit_tests(operator/resources DEPENDS operator/kube)
unit_tests(operator/relay LABELS threaded)

add_executable(transcripts tests/transcript/transcripts.cpp)
target_link_libraries(transcripts PRIVATE relay_session test_support)
add_test(NAME transcript COMMAND transcripts --gtest_brief=1)
add_dependencies(threaded transcripts)
set_tests_properties(transcript PROPERTIES LABELS "transcript;threaded" TIMEOUT 300 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})

if(SANITIZE STREQUAL "fuzzer")
  include(tests/fuzz/targets.cmake)
endif()
include(tests/micro/targets.cmake)

# The example of docs/operator-runtime.md; tests/system/operator runs it.
add_executable(greeter tests/system/operator/example/greeter.cpp)
target_link_libraries(greeter PRIVATE operator_runtime)
set_target_properties(greeter PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${EXECUTABLES_DIR})
