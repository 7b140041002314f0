# The relay's modules, in the order of their arrows: each may use only what stands above it and is named here.

# What relay/net/stream.hpp costs to read, libraries' part.
set(ASIO
  <utility> <functional> <map> <memory> <optional> <string> <vector>
  <boost/asio/awaitable.hpp> <boost/asio/buffer.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp>
  <boost/asio/ip/tcp.hpp> <boost/asio/post.hpp> <boost/asio/redirect_error.hpp> <boost/asio/ssl/context.hpp>
  <boost/asio/steady_timer.hpp> <boost/asio/use_awaitable.hpp>)

module(relay/base PURE LIBRARIES spdlog::spdlog nlohmann_json::nlohmann_json)
module(relay/mail PURE DEPENDS relay/base)
module(relay/dkim PURE DEPENDS relay/mail LIBRARIES OpenSSL::Crypto)
module(relay/redaction PURE DEPENDS relay/base LIBRARIES OpenSSL::Crypto)
module(relay/sasl PURE DEPENDS relay/base LIBRARIES OpenSSL::Crypto)
module(relay/smtp PURE DEPENDS relay/mail relay/sasl)
module(relay/dsn PURE DEPENDS relay/smtp)
module(relay/policy PURE DEPENDS relay/mail)
module(relay/milter PURE DEPENDS relay/mail)
module(relay/route PURE DEPENDS relay/smtp)
module(relay/queue PURE DEPENDS relay/route)
module(relay/config PURE DEPENDS relay/smtp relay/policy relay/queue LIBRARIES nlohmann_json::nlohmann_json)
module(relay/sts PURE DEPENDS relay/base)
module(relay/tlsrpt PURE DEPENDS relay/mail LIBRARIES nlohmann_json::nlohmann_json ZLIB::ZLIB)
module(relay/metrics PURE DEPENDS relay/base LIBRARIES prometheus-cpp::core)
module(relay/spool DEPENDS relay/mail relay/queue relay/metrics LIBRARIES RocksDB::rocksdb-shared PkgConfig::XXHASH
  PkgConfig::ISAL)
module(relay/net DEPENDS relay/base LIBRARIES OpenSSL::SSL ${UNBOUND_LIBRARY} Boost::headers
  PRECOMPILE ${ASIO})
module(relay/web DEPENDS relay/net PRECOMPILE ${ASIO})
module(relay/oauth DEPENDS relay/web LIBRARIES nlohmann_json::nlohmann_json
  PRECOMPILE ${ASIO})
module(relay/tlspolicy DEPENDS relay/sts relay/web LIBRARIES nlohmann_json::nlohmann_json
  PRECOMPILE ${ASIO})
module(relay/session DEPENDS relay/smtp relay/sasl relay/policy relay/milter relay/net relay/metrics
  PRECOMPILE ${ASIO})
module(relay/delivery DEPENDS relay/smtp relay/route relay/net relay/metrics
  PRECOMPILE ${ASIO})
module(relay/outbound DEPENDS relay/delivery relay/queue relay/tlspolicy relay/tlsrpt relay/oauth
  LIBRARIES nlohmann_json::nlohmann_json PkgConfig::IDN2 PRECOMPILE ${ASIO})
module(relay/engine DEPENDS relay/session relay/delivery relay/queue relay/spool relay/dsn relay/dkim
  PRECOMPILE ${ASIO})
module(relay/http DEPENDS relay/net PRECOMPILE ${ASIO})
module(relay/app DEPENDS relay/engine relay/outbound relay/session relay/sasl relay/http relay/config relay/redaction
  PRECOMPILE ${ASIO})
target_compile_definitions(relay_app PUBLIC SMTP_RELAY_VERSION="${PROJECT_VERSION}")
program(smtp-relay relay/app)
# Most of what a shard allocates another thread frees (decision 0071). Sanitizers bring an allocator of their own.
if(NOT SANITIZE)
  target_link_libraries(smtp-relay PRIVATE PkgConfig::JEMALLOC)
endif()
module(relay/ctl DEPENDS relay/redaction relay/config relay/sasl LIBRARIES Boost::headers OpenSSL::Crypto)
target_compile_definitions(relay_ctl PUBLIC SMTP_RELAY_VERSION="${PROJECT_VERSION}")
program(relayctl relay/ctl)
