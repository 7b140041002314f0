#include "relay/net/tls.hpp"

namespace relay::net {

TlsClient::TlsClient() : context_(asio::ssl::context::tls_client) {
  SSL_CTX_set_min_proto_version(context_.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context_.native_handle(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}

Result<std::shared_ptr<TlsClient>> TlsClient::make(const std::string& ca_file) {
  std::shared_ptr<TlsClient> client(new TlsClient);
  error_code ec;
  if (ca_file.empty()) client->context_.set_default_verify_paths(ec);
  else client->context_.load_verify_file(ca_file, ec);
  if (ec)
    return permanent(
      Errc::invalid_argument, "certificate authorities from '" + ca_file + "': " + ec.message()
    );
  return client;
}

std::shared_ptr<TlsClient> TlsClient::make_without_authorities() {
  return std::shared_ptr<TlsClient>(new TlsClient);
}

}  // namespace relay::net
