#include "operator/relay/digest.hpp"

#include <memory>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "operator/resources/names.hpp"
#include "relay/base/text.hpp"

namespace op::smtp_relay {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

/// OpenSSL would ask for the password of encrypted PEM at the terminal, and wait.
int no_password(char*, int, int, void*) { return -1; }

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size()))
    ++found;
  return found;
}

Json section(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

}  // namespace

bool holds_certificates(const std::string& pem) {
  const auto announced = count(pem, kBegin);
  const std::unique_ptr<BIO, Free> source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::size_t read = 0;
  while (std::unique_ptr<X509, Free>(PEM_read_bio_X509(source.get(), nullptr, no_password, nullptr))) ++read;
  ERR_clear_error();  // the end of the text is reported as an error
  return read > 0 && read == announced;
}

Referenced digest(api::KeyReference::Kind kind, const Json& object) {
  const bool is_secret = kind == api::KeyReference::Kind::secret;
  Referenced known;
  known.exists = true;
  known.resource_version = kube::resource_version_of(object);
  const auto data = section(object, "data");
  for (const auto& [key, value] : data.items()) {
    known.keys.insert(key);
    if (!value.is_string()) continue;
    const auto text = is_secret ? relay::parse_base64(value.get<std::string>()) : value.get<std::string>();
    if (text && holds_certificates(*text)) known.certificates.insert(key);
    if (!is_secret && key.starts_with("SMTP_RELAY_")) known.environment[key] = *text;
  }
  if (!is_secret)
    known.content_hash = resources::short_hash(data.dump(-1, ' ', false, Json::error_handler_t::replace));
  return known;
}

}  // namespace op::smtp_relay
