#include "relay/net/tls.hpp"

#include <algorithm>
#include <array>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "relay/net/tls_files.hpp"

namespace relay::net {
namespace {

struct ResultType {
  TlsFailure failure;
  std::string_view text;
};
constexpr std::array kResultTypes{
  ResultType{TlsFailure::starttls_not_supported, "starttls-not-supported"},
  ResultType{TlsFailure::certificate_host_mismatch, "certificate-host-mismatch"},
  ResultType{TlsFailure::certificate_expired, "certificate-expired"},
  ResultType{TlsFailure::certificate_not_trusted, "certificate-not-trusted"},
  ResultType{TlsFailure::validation_failure, "validation-failure"},
  ResultType{TlsFailure::tlsa_invalid, "tlsa-invalid"},
  ResultType{TlsFailure::dnssec_invalid, "dnssec-invalid"},
  ResultType{TlsFailure::dane_required, "dane-required"},
  ResultType{TlsFailure::sts_policy_fetch_error, "sts-policy-fetch-error"},
  ResultType{TlsFailure::sts_policy_invalid, "sts-policy-invalid"},
  ResultType{TlsFailure::sts_webpki_invalid, "sts-webpki-invalid"},
};

constexpr std::uint8_t kDaneTa = 2;
constexpr std::uint8_t kDaneEe = 3;
constexpr std::uint8_t kCertificate = 0;
constexpr std::uint8_t kPublicKey = 1;
constexpr std::uint8_t kWhole = 0;
constexpr std::uint8_t kSha256 = 1;
constexpr std::uint8_t kSha512 = 2;

/// Whether the data is the DER of what the selector says, to its last octet.
bool parses(const TlsaRecord& record) {
  const auto* at = reinterpret_cast<const unsigned char*>(record.data.data());
  const auto* end = at + record.data.size();
  const auto size = static_cast<long>(record.data.size());
  bool is_parsed = false;
  if (record.selector == kCertificate) {
    auto* certificate = d2i_X509(nullptr, &at, size);
    is_parsed = certificate != nullptr;
    X509_free(certificate);
  } else {
    auto* key = d2i_PUBKEY(nullptr, &at, size);
    is_parsed = key != nullptr;
    EVP_PKEY_free(key);
  }
  ERR_clear_error();
  return is_parsed && at == end;
}

}  // namespace

std::string_view to_result_type(TlsFailure failure) {
  const auto found = std::find_if(kResultTypes.begin(), kResultTypes.end(), [&](const auto& type) {
    return type.failure == failure;
  });
  return found->text;
}

std::string_view name(VerifiedBy how) {
  switch (how) {
    case VerifiedBy::none: return "none";
    case VerifiedBy::certificate: return "certificate";
    case VerifiedBy::dane_ta: return "dane-ta";
    case VerifiedBy::dane_ee: return "dane-ee";
  }
  return "none";
}

bool is_usable(const TlsaRecord& record) {
  if (record.usage != kDaneTa && record.usage != kDaneEe) return false;
  if (record.selector != kCertificate && record.selector != kPublicKey) return false;
  switch (record.matching) {
    case kWhole: return parses(record);
    case kSha256: return record.data.size() == 32;
    case kSha512: return record.data.size() == 64;
    default: return false;
  }
}

std::size_t count_usable(std::span<const TlsaRecord> records) {
  return static_cast<std::size_t>(std::count_if(records.begin(), records.end(), is_usable));
}

TlsClient::TlsClient() : context_(asio::ssl::context::tls_client) {
  auto* context = context_.native_handle();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_dane_enable(context);  // fails for want of memory alone; a handshake that needs it then fails too
}

Result<std::shared_ptr<TlsClient>> TlsClient::make(const TlsClientSettings& settings) {
  std::shared_ptr<TlsClient> client(new TlsClient);
  if (auto loaded = client->load_authorities(settings.ca_file); !loaded)
    return tl::unexpected(std::move(loaded.error()));
  if (auto loaded = client->load_certificate(settings.certificate_file, settings.key_file); !loaded)
    return tl::unexpected(std::move(loaded.error()));
  if (settings.min_version == TlsVersion::tls1_3)
    SSL_CTX_set_min_proto_version(client->context_.native_handle(), TLS1_3_VERSION);
  return client;
}

std::shared_ptr<TlsClient> TlsClient::make_without_authorities() {
  return std::shared_ptr<TlsClient>(new TlsClient);
}

Result<void> TlsClient::load_authorities(const std::string& file) {
  auto* context = context_.native_handle();
  ERR_clear_error();
  const bool is_loaded = file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                      : SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) == 1;
  if (!is_loaded) return tl::unexpected(file_error("certificate authorities", file));
  return {};
}

Result<void> TlsClient::load_certificate(const std::string& certificate_file, const std::string& key_file) {
  if (certificate_file.empty() && key_file.empty()) return {};
  if (certificate_file.empty() || key_file.empty())
    return permanent(Errc::invalid_argument, "a client certificate needs both, a certificate and a key");
  return net::load_certificate(context_.native_handle(), "client certificate", certificate_file, key_file);
}

}  // namespace relay::net
