#include "relay/redaction/tokens.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "relay/base/text.hpp"

namespace relay::redaction {
namespace {

constexpr std::size_t kTag = 16;  // RFC 5297: the synthetic initialization vector
constexpr std::size_t kKey = 64;  // two of AES-256
constexpr std::size_t kMaxText = 1U << 16U;
constexpr std::string_view kPurpose = "smtp-relay log addresses";  // HKDF's info

using Key = std::array<unsigned char, kKey>;

struct Free {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  void operator()(EVP_KDF* function) const { EVP_KDF_free(function); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* octets(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

bool derive(std::string_view secret, Key& key) {
  const Owned<EVP_KDF> function(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const Owned<EVP_KDF_CTX> context(EVP_KDF_CTX_new(function.get()));
  if (!context) return false;
  std::string digest = "SHA256";
  std::string text(secret);
  std::string purpose(kPurpose);
  const std::array params{
    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, text.data(), text.size()),
    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, purpose.data(), purpose.size()),
    OSSL_PARAM_construct_end(),
  };
  const bool is_derived = EVP_KDF_derive(context.get(), key.data(), key.size(), params.data()) == 1;
  OPENSSL_cleanse(text.data(), text.size());
  return is_derived;
}

std::string to_base64url(std::string_view text) {
  auto coded = base64(text);
  while (coded.ends_with('=')) coded.pop_back();
  std::replace(coded.begin(), coded.end(), '+', '-');
  std::replace(coded.begin(), coded.end(), '/', '_');
  return coded;
}

std::optional<std::string> parse_base64url(std::string_view text) {
  std::string coded(text);
  std::replace(coded.begin(), coded.end(), '-', '+');
  std::replace(coded.begin(), coded.end(), '_', '/');
  coded.append((4 - coded.size() % 4) % 4, '=');
  return parse_base64(coded);
}

/// As it stands between the quotes of a JSON string.
std::string json_escaped(const std::string& text) {
  const auto quoted = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

struct Tokens::Cipher {
  Cipher() : siv(EVP_CIPHER_fetch(nullptr, "AES-256-SIV", nullptr)) {}
  ~Cipher() { OPENSSL_cleanse(key.data(), key.size()); }
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;

  Owned<EVP_CIPHER> siv;
  Key key{};
};

Tokens::Tokens(std::unique_ptr<Cipher> cipher) : cipher_(std::move(cipher)) {}
Tokens::~Tokens() = default;

Result<std::shared_ptr<const Tokens>> Tokens::make(std::string_view key) {
  while (key.ends_with('\n') || key.ends_with('\r')) key.remove_suffix(1);
  if (key.size() < kMinKey)
    return permanent(
      Errc::invalid_argument, "a redaction key has " + std::to_string(kMinKey) + " octets at least"
    );
  auto cipher = std::make_unique<Cipher>();
  if (!cipher->siv || !derive(key, cipher->key))
    return permanent(Errc::unavailable, "OpenSSL has no AES-256-SIV or no HKDF");
  return std::shared_ptr<const Tokens>(new Tokens(std::move(cipher)));
}

std::string Tokens::seal(std::string_view text) const {
  std::string sealed(1, kMark);
  // OpenSSL's SIV does not take an empty text.
  if (text.empty()) return sealed;
  text = text.substr(0, kMaxText);
  std::string out(kTag + text.size(), '\0');
  const Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool is_sealed =
    context &&
    EVP_EncryptInit_ex2(context.get(), cipher_->siv.get(), cipher_->key.data(), nullptr, nullptr) == 1 &&
    EVP_EncryptUpdate(
      context.get(), octets(out) + kTag, &length, octets(text), static_cast<int>(text.size())
    ) == 1 &&
    EVP_EncryptFinal_ex(context.get(), octets(out) + kTag + text.size(), &length) == 1 &&
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTag, octets(out)) == 1;
  // What cannot be sealed is cut out.
  return is_sealed ? sealed + to_base64url(out) : sealed;
}

std::optional<std::string> Tokens::open(std::string_view token) const {
  if (token.empty() || token.front() != kMark || token.size() > 2 * kMaxText) return std::nullopt;
  auto sealed = parse_base64url(token.substr(1));
  if (!sealed || sealed->size() <= kTag) return std::nullopt;
  std::string text(sealed->size() - kTag, '\0');
  const Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool is_opened =
    context &&
    EVP_DecryptInit_ex2(context.get(), cipher_->siv.get(), cipher_->key.data(), nullptr, nullptr) == 1 &&
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTag, octets(*sealed)) == 1 &&
    EVP_DecryptUpdate(
      context.get(), octets(text), &length, octets(*sealed) + kTag, static_cast<int>(text.size())
    ) == 1 &&
    EVP_DecryptFinal_ex(context.get(), octets(text) + text.size(), &length) == 1;
  if (!is_opened) return std::nullopt;
  return text;
}

bool is_token_octet(char c) { return is_alnum(c) || c == '-' || c == '_'; }

std::string reveal(std::string_view line, const Tokens& tokens) {
  const bool is_json = trimmed(line).starts_with('{');
  std::string text;
  while (!line.empty()) {
    const auto mark = std::min(line.find(kMark), line.size());
    text += line.substr(0, mark);
    line.remove_prefix(mark);
    if (line.empty()) break;
    const auto end = std::find_if_not(line.begin() + 1, line.end(), is_token_octet);
    const auto token = line.substr(0, static_cast<std::size_t>(end - line.begin()));
    const auto opened = tokens.open(token);
    if (!opened) text += token;
    else text += is_json ? json_escaped(*opened) : *opened;
    line.remove_prefix(token.size());
  }
  return text;
}

}  // namespace relay::redaction
