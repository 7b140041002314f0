#pragma once
/// Keys for the tests, and a verifier that shares no code with the signer.

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <regex>
#include <string>
#include <vector>

#include "relay/base/text.hpp"
#include "relay/dkim/key.hpp"

namespace relay::dkim::test {

/// RFC 8463 appendix A.2.
inline constexpr std::string_view kRfc8463Ed25519 =
  "-----BEGIN PRIVATE KEY-----\n"
  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
  "-----END PRIVATE KEY-----\n";
/// RFC 8463 appendix A.2; PKCS#1, 1024 bits.
inline constexpr std::string_view kRfc8463Rsa =
  "-----BEGIN RSA PRIVATE KEY-----\n"
  "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
  "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
  "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
  "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
  "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
  "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
  "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
  "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
  "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
  "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
  "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
  "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
  "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
  "-----END RSA PRIVATE KEY-----\n";

inline std::shared_ptr<const Key> key(std::string_view pem) {
  auto parsed = Key::parse(pem);
  EXPECT_TRUE(parsed) << parsed.error().message();
  return parsed ? *parsed : nullptr;
}

inline std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
  }
  return out;
}

/// Whether `signature` is one of `text`, by the public key of a DNS record.
inline bool is_signature(const std::string& record, std::string_view text, const std::string& signature) {
  const auto der = parse_base64(record.substr(record.find("p=") + 2)).value();
  const auto* octets = reinterpret_cast<const unsigned char*>(der.data());
  const bool is_rsa = record.find("k=rsa") != std::string::npos;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
    is_rsa ? d2i_PUBKEY(nullptr, &octets, static_cast<long>(der.size()))
           : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets, der.size()),
    EVP_PKEY_free
  );
  std::string signed_octets(text);
  if (!is_rsa) {
    unsigned size = 0;
    signed_octets.resize(32);
    EVP_Digest(
      text.data(), text.size(), reinterpret_cast<unsigned char*>(signed_octets.data()), &size, EVP_sha256(),
      nullptr
    );
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key &&
         EVP_DigestVerifyInit(context.get(), nullptr, is_rsa ? EVP_sha256() : nullptr, nullptr, key.get()) ==
           1 &&
         EVP_DigestVerify(
           context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
           reinterpret_cast<const unsigned char*>(signed_octets.data()), signed_octets.size()
         ) == 1;
}

/// Whole header fields, each with its CRLF.
inline std::vector<std::string> fields_of(const std::string& message) {
  std::vector<std::string> fields;
  for (std::size_t at = 0; at < message.size() && message.compare(at, 2, "\r\n") != 0;) {
    auto end = message.find("\r\n", at) + 2;
    while (end < message.size() && (message[end] == ' ' || message[end] == '\t'))
      end = message.find("\r\n", end) + 2;
    fields.push_back(message.substr(at, end - at));
    at = end;
  }
  return fields;
}

inline std::map<std::string, std::string> tags_of(std::string_view field) {
  std::map<std::string, std::string> tags;
  const auto value = field.substr(field.find(':') + 1);
  for (const auto tag : split(value, ';')) {
    const auto equals = tag.find('=');
    tags[without_blanks(tag.substr(0, equals))] = without_blanks(tag.substr(equals + 1));
  }
  return tags;
}

inline std::string relaxed_field(const std::string& field) {
  const auto colon = field.find(':');
  auto value = std::regex_replace(field.substr(colon + 1), std::regex("\r\n"), "");
  value = std::regex_replace(value, std::regex("[ \t]+"), " ");
  value = std::regex_replace(value, std::regex("^ | $"), "");
  return lower(without_blanks(field.substr(0, colon))) + ":" + value + "\r\n";
}

inline std::string canonical_body(std::string body, bool is_relaxed) {
  if (is_relaxed) body = std::regex_replace(body, std::regex("[ \t]+"), " ");
  if (is_relaxed) body = std::regex_replace(body, std::regex(" \r\n"), "\r\n");
  if (!body.empty() && !body.ends_with("\r\n")) body += "\r\n";
  while (body.ends_with("\r\n\r\n")) body.resize(body.size() - 2);
  if (is_relaxed && body == "\r\n") return "";
  return body.empty() && !is_relaxed ? "\r\n" : body;
}

/// Checks one DKIM-Signature field of a message as a receiver does (RFC 6376 section 6.1). Empty when it
/// holds, else what does not.
inline std::string verify(
  const std::string& signature, const std::string& message, const std::string& record
) {
  const auto tags = tags_of(signature);
  auto fields = fields_of(message);
  const auto header_size = [&] {
    std::size_t size = 0;
    for (const auto& field : fields) size += field.size();
    return size;
  }();
  const auto body = message.size() > header_size ? message.substr(header_size + 2) : std::string();
  const auto form = tags.at("c");
  const auto canonical = canonical_body(body, form.ends_with("/relaxed"));
  std::string digest(32, '\0');
  unsigned size = 0;
  EVP_Digest(
    canonical.data(), canonical.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
    nullptr
  );
  if (base64(digest) != tags.at("bh")) return "body hash";

  const bool is_relaxed = form.starts_with("relaxed/");
  std::string text;
  for (const auto listed : split(tags.at("h"), ':')) {
    const auto found = std::find_if(fields.rbegin(), fields.rend(), [&](const auto& field) {
      return lower(without_blanks(field.substr(0, field.find(':')))) == lower(listed);
    });
    if (found == fields.rend()) continue;
    text += is_relaxed ? relaxed_field(*found) : *found;
    fields.erase(std::next(found).base());
  }
  const auto own = std::regex_replace(signature, std::regex("([\t ;]b=)[^;]*$"), "$1");
  auto last = is_relaxed ? relaxed_field(own) : own;
  if (last.ends_with("\r\n")) last.resize(last.size() - 2);
  const auto octets = parse_base64(tags.at("b"));
  if (!octets) return "b= is no base64";
  return is_signature(record, text + last, *octets) ? "" : "signature";
}

}  // namespace relay::dkim::test
