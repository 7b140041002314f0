#pragma once
/// TLS as a client: which authorities count, and what a handshake must prove.

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "relay/net/asio.hpp"

namespace relay::net {

/// What a finished handshake says, for logs.
struct TlsInfo {
  std::string version;  ///< TLSv1.3
  std::string cipher;
  bool is_verified = false;
};

/// Immutable once made; shared by the connections of all shards. TLS 1.2 and newer, no compression.
class TlsClient {
 public:
  /// @param ca_file  PEM file of trusted authorities; empty for the system's
  /// Errors: not_found or invalid_argument (permanent) when the file cannot be read or holds no certificate.
  /// Reads files: not on a shard.
  [[nodiscard]] static Result<std::shared_ptr<TlsClient>> make(const std::string& ca_file);
  /// Trusts nobody: every verification fails.
  [[nodiscard]] static std::shared_ptr<TlsClient> make_without_authorities();
  [[nodiscard]] asio::ssl::context& context() { return context_; }

 private:
  TlsClient();
  asio::ssl::context context_;
};

}  // namespace relay::net
