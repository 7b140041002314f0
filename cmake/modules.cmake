# How a module is declared: a directory is a target is a namespace is a folder of tests, and its DEPENDS are the only
# modules whose headers it may include. hack/check-layers reads these declarations and fails on any other include.

add_library(project_options INTERFACE)
target_include_directories(project_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(project_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror
  # g++ 12 sees a mismatch inside Asio's awaitable frames, and at -O2 an overlap in std::string's operator+
  # (GCC bug 105651), where there is none.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete -Wno-restrict>
  # The same operator+ at -O3: it sees a copy of more octets than there are.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-stringop-overflow>
  # clang++ sees libstdc++ use what it deprecates.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
target_link_libraries(project_options INTERFACE Threads::Threads)
# Boost as it was before it had modules of its own, shared with cpprestsdk; Asio without its deprecated names.
target_compile_definitions(project_options INTERFACE BOOST_ASIO_NO_DEPRECATED _GLIBCXX_ASSERTIONS)

# Programs face the network: stack protector, checked libc calls, no lazy binding, no fixed addresses.
target_compile_options(project_options INTERFACE
  -fstack-protector-strong $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2> -fPIE)
target_link_options(project_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)

if(SANITIZE)
  # g++ 12 takes what the sanitizers insert into std::regex for reads of unset members.
  target_compile_options(project_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(SANITIZE STREQUAL "address")
  # vptr: cpprestsdk's own types have another identity inside its library than outside, and it says so of each.
  target_compile_options(project_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(project_options INTERFACE -fsanitize=address,undefined)
elseif(SANITIZE STREQUAL "fuzzer")
  # float-cast-overflow: numbers of JSON and CBOR may be of any size.
  target_compile_options(project_options INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize=vptr -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(project_options INTERFACE -fsanitize=address,undefined)
elseif(SANITIZE STREQUAL "thread")
  target_compile_options(project_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  # ThreadSanitizer does not understand fences; Asio's only order what its locks order already.
  target_compile_definitions(project_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  target_link_options(project_options INTERFACE -fsanitize=thread)
endif()

# module(relay/smtp PURE DEPENDS relay/mail relay/sasl LIBRARIES ... PRECOMPILE ...)
#
# PURE        no Asio, no files, no threads, no clock: checked by hack/check-layers
# LIBRARIES   what its headers or sources need besides the standard library
# PRECOMPILE  headers of libraries worth precompiling: the heavy ones that most of its sources include. None of
#             ours: ccache takes a header that differs in comments alone for the same, the compiler does not,
#             and reads it twice.
function(module directory)
  cmake_parse_arguments(arg "PURE" "" "DEPENDS;LIBRARIES;PRECOMPILE" ${ARGN})
  string(REPLACE "/" "_" target ${directory})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${directory}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(${target} STATIC ${sources})
  string(REPLACE "/" "_" dependencies "${arg_DEPENDS}")
  target_link_libraries(${target} PUBLIC project_options ${dependencies} ${arg_LIBRARIES})
  if(arg_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${arg_PRECOMPILE})
  endif()
endfunction()

# program(smtp-relay relay/app): the main.cpp of a module, as an executable.
function(program name directory)
  string(REPLACE "/" "_" target ${directory})
  add_executable(${name} ${CMAKE_SOURCE_DIR}/${directory}/main.cpp)
  target_link_libraries(${name} PRIVATE ${target})
  target_link_options(${name} PRIVATE -pie)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${EXECUTABLES_DIR})
endfunction()
