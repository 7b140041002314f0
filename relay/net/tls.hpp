#pragma once
/// TLS as a client: which authorities count, what a handshake must prove, and how one fails.

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/net/asio.hpp"
#include "relay/net/dns_rdata.hpp"

namespace relay::net {

/// What the peer must prove. A key below OpenSSL's security level (2 in Debian: RSA of 2048 bits) proves
/// nothing in either way.
enum class Verify : std::uint8_t {
  none,         ///< nothing: encrypted, to whomever (RFC 7435)
  certificate,  ///< a chain to our authorities, and a name
  dane,         ///< a TLSA record (RFC 7672); our authorities do not count
};

/// Whether the record could ever match: its numbers are known, its digest has its length, its data parses.
[[nodiscard]] bool is_usable(const TlsaRecord& record);
/// How many of them are usable. With none, a host that has TLSA records needs encryption but can prove nothing
/// (RFC 7672 section 2.2): that is Verify::none without a way back to plain text. Pure.
[[nodiscard]] std::size_t count_usable(std::span<const TlsaRecord> records);

/// What one handshake demands of its peer.
struct TlsDemand {
  /// SNI, and the reference identifier when there are no others. Empty or an address: no SNI. For DANE the
  /// TLSA base domain (RFC 7672 section 3.2.2).
  std::string server_name;
  Verify verify = Verify::none;
  /// Host names of which the certificate must bear one, or one address; empty: server_name. Addresses beside
  /// host names do not count. A trailing dot does not matter. DANE-EE asks for no name.
  std::vector<std::string> names;
  std::vector<TlsaRecord> tlsa;  ///< those that are not usable are skipped
  /// MTA-STS takes a name from subjectAltName alone (RFC 8461 section 4.2); else a common name counts where a
  /// certificate has no alternative one.
  bool ignores_common_name = false;
  /// What the peer does not prove ends nothing: Stream::last_tls_failure() tells of it, behind a handshake that went
  /// well, too (MTA-STS that is being tested, RFC 8461 section 5).
  bool is_tested = false;
};

/// Why TLS came to nothing, in the words of reports: RFC 8460 section 4.3. Handshakes give
/// certificate-*, validation-failure and tlsa-invalid; the others are for those who know DNS and policies.
enum class TlsFailure : std::uint8_t {
  starttls_not_supported,
  certificate_host_mismatch,
  certificate_expired,
  certificate_not_trusted,  ///< authority, chain, key too weak, not yet valid
  validation_failure,       ///< anything else: no common version, a broken or silent peer
  tlsa_invalid,             ///< none of the TLSA records matched, or none is usable
  dnssec_invalid,
  dane_required,
  sts_policy_fetch_error,
  sts_policy_invalid,
  sts_webpki_invalid,
};
/// `certificate-host-mismatch`.
[[nodiscard]] std::string_view to_result_type(TlsFailure failure);

/// A handshake that failed, for logs and reports. The peer's words are made printable and short.
struct TlsFault {
  TlsFailure kind = TlsFailure::validation_failure;
  std::string reason;
  std::string subject;  ///< of the peer's certificate; empty unless it was the certificate that failed
  std::string issuer;
};

enum class VerifiedBy : std::uint8_t { none, certificate, dane_ta, dane_ee };
/// `certificate`, `dane-ee`, `dane-ta` or `none`.
[[nodiscard]] std::string_view name(VerifiedBy how);

/// What a finished handshake says, for logs.
struct TlsInfo {
  std::string version;  ///< TLSv1.3
  std::string cipher;
  bool is_verified = false;
  VerifiedBy how = VerifiedBy::none;
};

enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };

struct TlsClientSettings {
  std::string ca_file;           ///< PEM file of trusted authorities; empty for the system's
  std::string certificate_file;  ///< PEM, our own certificate and its chain, for a peer that asks
  std::string key_file;          ///< PEM, its key, without a passphrase
  TlsVersion min_version = TlsVersion::tls1_2;
};

/// Immutable once made; shared by the connections of all shards. No compression, no renegotiation.
class TlsClient {
 public:
  /// Errors: not_found or invalid_argument (permanent), naming the file and what is wrong with it, never what
  /// it holds. Certificate and key come both or neither. Reads files: not on a shard.
  [[nodiscard]] static Result<std::shared_ptr<TlsClient>> make(const TlsClientSettings& settings);
  /// Trusts no authority: every verification but that by TLSA records fails.
  [[nodiscard]] static std::shared_ptr<TlsClient> make_without_authorities();
  [[nodiscard]] asio::ssl::context& context() { return context_; }

 private:
  TlsClient();
  [[nodiscard]] Result<void> load_authorities(const std::string& file);
  [[nodiscard]] Result<void> load_certificate(
    const std::string& certificate_file, const std::string& key_file
  );
  asio::ssl::context context_;
};

}  // namespace relay::net
