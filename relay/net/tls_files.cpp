#include "relay/net/tls_files.hpp"

#include <cstring>
#include <openssl/err.h>

namespace relay::net {
namespace {

/// OpenSSL would ask for it at the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

/// The later errors only say who called whom.
Error file_error(const std::string& what, const std::string& file) {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const bool is_system = ERR_SYSTEM_ERROR(code);
  const auto* words = is_system ? std::strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
  const auto errc = is_system && ERR_GET_REASON(code) == ENOENT ? Errc::not_found : Errc::invalid_argument;
  auto context = what + (file.empty() ? "" : " from '" + file + "'") + ": ";
  return {errc, Fate::permanent, context + (words == nullptr ? "cannot be used" : words)};
}

Result<void> load_certificate(
  SSL_CTX* context, const std::string& what, const std::string& certificate_file, const std::string& key_file
) {
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    return tl::unexpected(file_error(what, certificate_file));
  // A key of another pair is refused here as well.
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return tl::unexpected(file_error("key of the " + what, key_file));
  return {};
}

}  // namespace relay::net
