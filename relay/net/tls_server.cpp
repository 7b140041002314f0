#include "relay/net/tls_server.hpp"

#include <openssl/err.h>
#include <vector>

#include "relay/net/tls_files.hpp"

namespace relay::net {
namespace {

/// OpenSSL resumes only sessions that were begun under the same one.
constexpr std::string_view kSessionContext = "smtp-relay";
/// P-384 for clients that have no other.
constexpr auto kGroups = "X25519:P-256:P-384";
/// Of TLS 1.3. A handshake hashes some two hundred blocks with its suite's hash, and CPUs have instructions for SHA-256 alone:
/// the first costs less CPU time a connection than OpenSSL's own first (docs/benchmarks).
constexpr auto kCipherSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

}  // namespace

TlsServer::TlsServer() : context_(asio::ssl::context::tls_server) {
  auto* context = context_.native_handle();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(
    context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE
  );
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // a connection that is idle holds none
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(
    context, reinterpret_cast<const unsigned char*>(kSessionContext.data()), kSessionContext.size()
  );
  SSL_CTX_set1_groups_list(context, kGroups);
  SSL_CTX_set_ciphersuites(context, kCipherSuites);
}

Result<std::shared_ptr<TlsServer>> TlsServer::make(const TlsServerSettings& settings, TlsServer* before) {
  std::shared_ptr<TlsServer> server(new TlsServer);
  auto* context = server->context_.native_handle();
  if (auto loaded = load_certificate(context, "certificate", settings.certificate_file, settings.key_file);
      !loaded)
    return tl::unexpected(std::move(loaded.error()));
  if (settings.min_version == TlsVersion::tls1_3) SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  if (before != nullptr) server->take_ticket_keys(*before);
  return server;
}

void TlsServer::take_ticket_keys(TlsServer& before) {
  const auto size = SSL_CTX_get_tlsext_ticket_keys(context_.native_handle(), nullptr, 0);
  std::vector<unsigned char> keys(static_cast<std::size_t>(size));
  if (SSL_CTX_get_tlsext_ticket_keys(before.context_.native_handle(), keys.data(), size) == 1)
    SSL_CTX_set_tlsext_ticket_keys(context_.native_handle(), keys.data(), size);
  OPENSSL_cleanse(keys.data(), keys.size());
}

}  // namespace relay::net
