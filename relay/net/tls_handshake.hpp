#pragma once
/// A TlsDemand in OpenSSL's terms, and OpenSSL's verdict in ours. For net::Stream.

#include <boost/asio/ssl/verify_context.hpp>
#include <openssl/ssl.h>
#include <optional>

#include "relay/net/tls.hpp"

namespace relay::net {

/// One handshake: put on an SSL object before it, asked about it afterwards. Must outlive the SSL object's
/// handshake. Thread: its stream's.
class TlsHandshake {
 public:
  explicit TlsHandshake(TlsDemand demand);

  /// Sets SNI, names and TLSA records, and whether verification counts. Errors, all tls_failed: a demand that
  /// nothing could prove (no name, no usable record) fails here, since OpenSSL would take it for none.
  [[nodiscard]] Result<void> prepare(SSL* ssl);
  /// OpenSSL's verify callback: keeps what it says of a certificate that fails, and changes no verdict.
  [[nodiscard]] bool verified(bool is_good, X509_STORE_CTX* context);

  /// Behind a handshake that went well.
  [[nodiscard]] TlsInfo info(SSL* ssl) const;
  /// Behind one that did not: `words` are used unless a certificate was at fault.
  [[nodiscard]] Error failed(const std::string& words);
  /// Set by all that returned an error, and by what was not proven where that was tested only.
  [[nodiscard]] const std::optional<TlsFault>& fault() const { return fault_; }

 private:
  [[nodiscard]] Result<void> set_names(SSL* ssl);
  [[nodiscard]] Result<void> set_records(SSL* ssl);
  [[nodiscard]] Error fail(TlsFailure kind, std::string reason);
  [[nodiscard]] Error error() const;

  TlsDemand demand_;
  std::optional<TlsFault> fault_;
};

}  // namespace relay::net
