#include "relay/sasl/scram_keys.hpp"

#include <algorithm>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdexcept>

#include "relay/base/text.hpp"

namespace relay::sasl {
namespace {

static_assert(std::tuple_size_v<Digest> == SHA256_DIGEST_LENGTH);

const unsigned char* octets_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void must(bool ok) {
  if (!ok) throw std::runtime_error("libcrypto: no SHA-256");
}

}  // namespace

std::string_view text_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest hmac(const Digest& key, std::string_view text) {
  Digest out{};
  unsigned size = 0;
  must(
    HMAC(
      EVP_sha256(), key.data(), static_cast<int>(key.size()), octets_of(text), text.size(), out.data(), &size
    ) != nullptr
  );
  return out;
}

Digest sha256(std::string_view text) {
  Digest out{};
  must(SHA256(octets_of(text), text.size(), out.data()) != nullptr);
  return out;
}

Digest salted(std::string_view password, std::string_view salt, std::uint64_t iterations) {
  Digest out{};
  must(
    PKCS5_PBKDF2_HMAC(
      password.data(), static_cast<int>(password.size()), octets_of(salt), static_cast<int>(salt.size()),
      static_cast<int>(iterations), EVP_sha256(), static_cast<int>(out.size()), out.data()
    ) == 1
  );
  return out;
}

Digest exclusive_or(Digest a, const Digest& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] ^= b[i];
  return a;
}

bool are_equal(const Digest& a, const Digest& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

std::optional<Digest> to_digest(std::string_view octets) {
  Digest digest{};
  if (octets.size() != digest.size()) return std::nullopt;
  std::copy(octets.begin(), octets.end(), digest.begin());
  return digest;
}

bool is_nonce(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_printable(c) && c != ' ' && c != ',';
  });
}

std::optional<std::string_view> take_attribute(std::string_view& rest, char name) {
  if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
  const auto end = std::min(rest.find(','), rest.size());
  const auto value = rest.substr(2, end - 2);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return value;
}

ScramKeys derive_keys(std::string_view password, std::string_view salt, std::uint64_t iterations) {
  const auto key = salted(password, salt, iterations);
  return {iterations, std::string(salt), sha256(text_of(hmac(key, "Client Key"))), hmac(key, "Server Key")};
}

bool is_password_of(const ScramKeys& keys, std::string_view password) {
  return are_equal(derive_keys(password, keys.salt, keys.iterations).stored_key, keys.stored_key);
}

std::string to_text(const ScramKeys& keys) {
  return "SCRAM-SHA-256$" + std::to_string(keys.iterations) + ":" + base64(keys.salt) + "$" +
         base64(text_of(keys.stored_key)) + ":" + base64(text_of(keys.server_key));
}

}  // namespace relay::sasl
