#pragma once
/// TLS as a server: the certificate that clients see, and what they may use.

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "relay/net/tls.hpp"

namespace relay::net {

struct TlsServerSettings {
  std::string certificate_file;  ///< PEM, the certificate and its chain
  std::string key_file;          ///< PEM, its key, without a passphrase
  TlsVersion min_version = TlsVersion::tls1_2;
};

/// Immutable once made; shared by the connections of all shards, and may go before they do. No compression, no
/// renegotiation, no early data; asks for no certificate, and takes every server name. Clients resume sessions by
/// tickets alone, which any shard reads and nobody remembers.
class TlsServer {
 public:
  /// @param before  whose tickets this one takes too; may be null, is used during the call only
  ///
  /// Errors: not_found or invalid_argument (permanent), naming the file and what is wrong with it, never what it holds;
  /// also where certificate and key are no pair. Reads files: not on a shard.
  [[nodiscard]] static Result<std::shared_ptr<TlsServer>> make(
    const TlsServerSettings& settings, TlsServer* before = nullptr
  );
  [[nodiscard]] asio::ssl::context& context() { return context_; }

 private:
  TlsServer();
  void take_ticket_keys(TlsServer& before);
  asio::ssl::context context_;
};

}  // namespace relay::net
