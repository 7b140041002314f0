# fuzz_target(reply_parser DEPENDS relay/smtp): tests/fuzz/reply_parser.cpp as build/fuzz/fuzz_reply_parser.
#
# SOURCES    single files of modules that need more than the target does (RocksDB, Asio)
# LIBRARIES  what these need
function(fuzz_target name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  string(REPLACE "/" "_" dependencies "${arg_DEPENDS}")
  list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/)
  add_executable(fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/${name}.cpp ${arg_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE project_options ${dependencies} ${arg_LIBRARIES})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz fuzz_${name})
endfunction()

add_custom_target(fuzz)

fuzz_target(binary_mime DEPENDS relay/mail)
fuzz_target(chunk_decoder DEPENDS relay/smtp)
fuzz_target(client_session DEPENDS relay/smtp)
fuzz_target(command_line DEPENDS relay/smtp)
fuzz_target(data_decoder DEPENDS relay/smtp)
fuzz_target(dkim_headers DEPENDS relay/dkim)
fuzz_target(dns_answers DEPENDS relay/base SOURCES relay/net/dns_rdata.cpp relay/net/dns_answer.cpp)
fuzz_target(dsn_report DEPENDS relay/dsn)
fuzz_target(dsn_text DEPENDS relay/mail)
fuzz_target(header_edit DEPENDS relay/mail)
fuzz_target(import_lines DEPENDS relay/mail LIBRARIES nlohmann_json::nlohmann_json PkgConfig::XXHASH
  SOURCES relay/engine/transfer_lines.cpp relay/spool/cbor.cpp relay/spool/keys.cpp relay/spool/record.cpp)
fuzz_target(milter DEPENDS relay/milter)
fuzz_target(passwd_client DEPENDS relay/sasl SOURCES relay/route/passwd_client.cpp)
fuzz_target(pod_page DEPENDS relay/base LIBRARIES nlohmann_json::nlohmann_json
  SOURCES operator/kube/object.cpp operator/relay/spool_report.cpp operator/relay/wording.cpp
    operator/runtime/page_fetcher.cpp)
fuzz_target(policy_rules DEPENDS relay/policy)
fuzz_target(proxy_header DEPENDS relay/smtp)
fuzz_target(reply_parser DEPENDS relay/smtp)
fuzz_target(sasl_server DEPENDS relay/smtp)
fuzz_target(server_session DEPENDS relay/smtp)
fuzz_target(settings DEPENDS relay/smtp relay/policy LIBRARIES nlohmann_json::nlohmann_json
  SOURCES relay/config/load.cpp relay/config/milters.cpp relay/config/object_tables.cpp relay/config/objects.cpp
    relay/config/policy_rules.cpp relay/config/reference.cpp relay/config/sender_bindings.cpp relay/config/values.cpp)
fuzz_target(spool_record DEPENDS relay/mail LIBRARIES nlohmann_json::nlohmann_json PkgConfig::XXHASH
  SOURCES relay/spool/cbor.cpp relay/spool/keys.cpp relay/spool/record.cpp relay/spool/waiting_record.cpp)
fuzz_target(sts_policy DEPENDS relay/sts relay/mail SOURCES relay/tlsrpt/record.cpp)
fuzz_target(token_answer DEPENDS relay/base LIBRARIES nlohmann_json::nlohmann_json
  SOURCES relay/oauth/token_endpoint.cpp relay/web/message.cpp)
fuzz_target(users_file DEPENDS relay/sasl)
fuzz_target(watch_events DEPENDS relay/base LIBRARIES nlohmann_json::nlohmann_json
  SOURCES operator/kube/failure.cpp operator/kube/object.cpp operator/kube/watch_decoder.cpp)
