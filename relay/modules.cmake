# The relay's modules, in the order of their arrows: each may use only what stands above it and is named here.

module(relay/base PURE LIBRARIES spdlog::spdlog nlohmann_json::nlohmann_json)
module(relay/mail PURE DEPENDS relay/base)
module(relay/dkim PURE DEPENDS relay/mail LIBRARIES OpenSSL::Crypto)
module(relay/redaction PURE DEPENDS relay/base LIBRARIES OpenSSL::Crypto)
module(relay/sasl PURE DEPENDS relay/base LIBRARIES OpenSSL::Crypto)
module(relay/smtp PURE DEPENDS relay/mail relay/sasl)
module(relay/dsn PURE DEPENDS relay/smtp)
module(relay/policy PURE DEPENDS relay/mail)
module(relay/route PURE DEPENDS relay/smtp)
module(relay/queue PURE DEPENDS relay/route)
module(relay/config PURE DEPENDS relay/smtp relay/policy relay/queue LIBRARIES nlohmann_json::nlohmann_json)
module(relay/sts PURE DEPENDS relay/base)
module(relay/tlsrpt PURE DEPENDS relay/mail LIBRARIES nlohmann_json::nlohmann_json ZLIB::ZLIB)
module(relay/metrics PURE DEPENDS relay/base LIBRARIES prometheus-cpp::core)
module(relay/spool DEPENDS relay/mail relay/queue relay/metrics LIBRARIES RocksDB::rocksdb-shared PkgConfig::XXHASH)
module(relay/net DEPENDS relay/base LIBRARIES OpenSSL::SSL ${UNBOUND_LIBRARY} Boost::headers
  PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/web DEPENDS relay/net PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/oauth DEPENDS relay/web LIBRARIES nlohmann_json::nlohmann_json
  PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/tlspolicy DEPENDS relay/sts relay/web LIBRARIES nlohmann_json::nlohmann_json
  PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/session DEPENDS relay/smtp relay/policy relay/net relay/metrics
  PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/delivery DEPENDS relay/smtp relay/route relay/net relay/metrics
  PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/outbound DEPENDS relay/delivery relay/queue relay/tlspolicy relay/tlsrpt relay/oauth
  LIBRARIES nlohmann_json::nlohmann_json PkgConfig::IDN2 PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/engine DEPENDS relay/session relay/delivery relay/queue relay/spool relay/dsn relay/dkim
  PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/http DEPENDS relay/net PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
module(relay/app DEPENDS relay/engine relay/outbound relay/session relay/http relay/config relay/redaction
  PRECOMPILE ${CMAKE_SOURCE_DIR}/relay/net/stream.hpp)
target_compile_definitions(relay_app PUBLIC SMTP_RELAY_VERSION="${PROJECT_VERSION}")
program(smtp-relay relay/app)
module(relay/ctl DEPENDS relay/redaction LIBRARIES Boost::headers)
target_compile_definitions(relay_ctl PUBLIC SMTP_RELAY_VERSION="${PROJECT_VERSION}")
program(relayctl relay/ctl)
