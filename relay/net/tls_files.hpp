#pragma once
/// PEM files on their way into OpenSSL. For TlsClient and TlsServer.

#include <openssl/ssl.h>
#include <string>

#include "relay/base/result.hpp"

namespace relay::net {

/// What OpenSSL complained of first, as not_found or invalid_argument (permanent); takes it off OpenSSL's list.
/// @param what  `certificate authorities`
/// @param file  may be empty: none is named
[[nodiscard]] Error file_error(const std::string& what, const std::string& file);

/// A certificate with its chain, and its key. A key that needs a passphrase, or belongs to another certificate, is
/// refused. Errors as file_error(). Blocks for the disk.
[[nodiscard]] Result<void> load_certificate(
  SSL_CTX* context, const std::string& what, const std::string& certificate_file, const std::string& key_file
);

}  // namespace relay::net
