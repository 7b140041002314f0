# The floor that hack/bench/run measures beside the relay: only when asked for.
add_executable(bare_relay EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/main.cpp)
target_link_libraries(bare_relay PRIVATE relay_spool relay_net Boost::headers PkgConfig::JEMALLOC)
