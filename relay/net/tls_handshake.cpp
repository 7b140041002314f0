#include "relay/net/tls_handshake.hpp"

#include <algorithm>
#include <array>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "relay/base/text.hpp"

namespace relay::net {
namespace {

constexpr std::size_t kMaxName = 120;
constexpr std::uint8_t kDaneEe = 3;

struct Verdict {
  int code;
  TlsFailure kind;
};
/// All others are certificate-not-trusted.
constexpr std::array kVerdicts{
  Verdict{X509_V_ERR_HOSTNAME_MISMATCH, TlsFailure::certificate_host_mismatch},
  Verdict{X509_V_ERR_IP_ADDRESS_MISMATCH, TlsFailure::certificate_host_mismatch},
  Verdict{X509_V_ERR_CERT_HAS_EXPIRED, TlsFailure::certificate_expired},
  Verdict{X509_V_ERR_DANE_NO_MATCH, TlsFailure::tlsa_invalid},
  Verdict{X509_V_ERR_OUT_OF_MEM, TlsFailure::validation_failure},
};

TlsFailure kind_of(int code) {
  const auto found = std::find_if(kVerdicts.begin(), kVerdicts.end(), [&](const auto& verdict) {
    return verdict.code == code;
  });
  return found == kVerdicts.end() ? TlsFailure::certificate_not_trusted : found->kind;
}

std::string to_text(const X509_NAME* name) {
  auto* memory = BIO_new(BIO_s_mem());
  if (memory == nullptr) return {};
  X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253);
  char* octets = nullptr;
  const auto size = BIO_get_mem_data(memory, &octets);
  auto text = printable({octets, static_cast<std::size_t>(std::max(size, 0L))}, kMaxName);
  BIO_free(memory);
  return text;
}

void drop_trailing_dot(std::string& name) {
  if (name.ends_with('.')) name.pop_back();
}

/// OpenSSL takes an empty name for "any", one with a leading dot for a whole domain, and cuts at a NUL.
bool is_reference(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('\0') == std::string::npos;
}

bool is_address(const std::string& name) { return IpAddress::parse(name).has_value(); }

bool add_names(X509_VERIFY_PARAM* parameters, const std::vector<std::string>& names) {
  X509_VERIFY_PARAM_set1_host(parameters, nullptr, 0);
  const bool has_hosts = !std::all_of(names.begin(), names.end(), is_address);
  if (!has_hosts) return X509_VERIFY_PARAM_set1_ip_asc(parameters, names.front().c_str()) == 1;
  return std::all_of(names.begin(), names.end(), [&](const auto& name) {
    return is_address(name) || X509_VERIFY_PARAM_add1_host(parameters, name.data(), name.size()) == 1;
  });
}

}  // namespace

TlsHandshake::TlsHandshake(TlsDemand demand) : demand_(std::move(demand)) {
  drop_trailing_dot(demand_.server_name);
  if (demand_.names.empty() && !demand_.server_name.empty()) demand_.names.push_back(demand_.server_name);
  for (auto& name : demand_.names) drop_trailing_dot(name);
}

Result<void> TlsHandshake::prepare(SSL* ssl) {
  const auto& host = demand_.server_name;
  const bool names_a_host = !host.empty() && !is_address(host);
  if (names_a_host && (!is_reference(host) || SSL_set_tlsext_host_name(ssl, host.c_str()) != 1))
    return tl::unexpected(fail(TlsFailure::validation_failure, "no host has this name"));
  // The verify callback is set by the stream.
  const bool counts = demand_.verify != Verify::none && !demand_.is_tested;
  SSL_set_verify(ssl, counts ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (demand_.verify == Verify::none) return {};
  if (demand_.verify == Verify::dane) {
    if (auto set = set_records(ssl); !set) return set;
  }
  return set_names(ssl);
}

Result<void> TlsHandshake::set_names(SSL* ssl) {
  const auto& names = demand_.names;
  auto* parameters = SSL_get0_param(ssl);
  // A wildcard stands for one whole label (RFC 7672 section 3.2.3, RFC 8461 section 4.1).
  unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  if (demand_.ignores_common_name) flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
  X509_VERIFY_PARAM_set_hostflags(parameters, flags);
  if (names.empty() || !std::all_of(names.begin(), names.end(), is_reference))
    return tl::unexpected(fail(TlsFailure::validation_failure, "no name that a certificate could bear"));
  if (!add_names(parameters, names))
    return tl::unexpected(fail(TlsFailure::validation_failure, "names cannot be set"));
  return {};
}

Result<void> TlsHandshake::set_records(SSL* ssl) {
  // Its argument would be SNI and name, and both are set apart from it.
  if (SSL_dane_enable(ssl, nullptr) <= 0)
    return tl::unexpected(fail(TlsFailure::validation_failure, "DANE cannot be enabled"));
  SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  std::size_t count = 0;
  for (const auto& record : demand_.tlsa) {
    if (!is_usable(record)) continue;
    const auto* data = reinterpret_cast<const unsigned char*>(record.data.data());
    const auto added =
      SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching, data, record.data.size());
    if (added > 0) ++count;
  }
  ERR_clear_error();
  // Without a record OpenSSL would go by our authorities instead.
  if (count == 0) return tl::unexpected(fail(TlsFailure::tlsa_invalid, "no TLSA record is usable"));
  return {};
}

bool TlsHandshake::verified(bool is_good, X509_STORE_CTX* context) {
  // OpenSSL asks also where nothing is demanded, and goes on whatever it hears.
  if (is_good || demand_.verify == Verify::none) return true;
  const auto code = X509_STORE_CTX_get_error(context);
  fault_ = TlsFault{kind_of(code), X509_verify_cert_error_string(code), {}, {}};
  if (const auto* leaf = X509_STORE_CTX_get0_cert(context)) {
    fault_->subject = to_text(X509_get_subject_name(leaf));
    fault_->issuer = to_text(X509_get_issuer_name(leaf));
  }
  return false;
}

TlsInfo TlsHandshake::info(SSL* ssl) const {
  TlsInfo info;
  info.version = SSL_get_version(ssl);
  info.cipher = SSL_get_cipher_name(ssl);
  const bool is_good = SSL_get_verify_result(ssl) == X509_V_OK;
  if (is_good && demand_.verify == Verify::certificate) info.how = VerifiedBy::certificate;
  if (is_good && demand_.verify == Verify::dane) {
    std::uint8_t usage = 0;
    if (SSL_get0_dane_tlsa(ssl, &usage, nullptr, nullptr, nullptr, nullptr) >= 0)
      info.how = usage == kDaneEe ? VerifiedBy::dane_ee : VerifiedBy::dane_ta;
  }
  info.is_verified = info.how != VerifiedBy::none;
  return info;
}

Error TlsHandshake::failed(const std::string& words) {
  if (fault_) return error();
  return fail(TlsFailure::validation_failure, words);
}

Error TlsHandshake::fail(TlsFailure kind, std::string reason) {
  ERR_clear_error();
  fault_ = TlsFault{kind, std::move(reason), {}, {}};
  return error();
}

Error TlsHandshake::error() const {
  const auto peer = demand_.server_name.empty() ? "the peer" : printable(demand_.server_name, kMaxName);
  auto context =
    "TLS with " + peer + ": " + fault_->reason + " (" + std::string(to_result_type(fault_->kind)) + ")";
  if (!fault_->subject.empty() || !fault_->issuer.empty())
    context += ", certificate of '" + fault_->subject + "' by '" + fault_->issuer + "'";
  return {Errc::tls_failed, Fate::transient, std::move(context)};
}

}  // namespace relay::net
