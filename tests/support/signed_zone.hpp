#pragma once
/// A zone signed by DNSSEC in a few lines (RFC 4034, ECDSA P-256), on a NameServer: one key, no NSEC. What a name does
/// not have cannot be proven, so questions for it fail as bogus.

#include <algorithm>
#include <arpa/inet.h>
#include <ctime>
#include <memory>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string>
#include <vector>

#include "relay/base/text.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/name_server.hpp"

namespace relay::test {

inline std::string octets32(std::size_t value) { return octets16(value >> 16) + octets16(value); }

class SignedZone {
 public:
  /// @param zone  lower case, without its final dot
  SignedZone(NameServer& server, std::string zone)
      : server_(server), zone_(std::move(zone)), key_(EVP_EC_gen("P-256"), EVP_PKEY_free) {
    unsigned char* point = nullptr;
    const auto size = EVP_PKEY_get1_encoded_public_key(key_.get(), &point);
    dnskey_ = octets16(257) + '\3' + '\15' + std::string(reinterpret_cast<char*>(point) + 1, size - 1);
    OPENSSL_free(point);
    add(zone_, kDnskey, {dnskey_});
  }

  /// All records of one type, signed.
  SignedZone& add(const std::string& name, int type, const std::vector<std::string>& records) {
    for (const auto& record : records) server_.add(name, type, record);
    server_.sign(name, type, rrsig(name, type, records));
    return *this;
  }
  /// A line for a file of trust anchors.
  [[nodiscard]] std::string anchor() const {
    std::string digest;
    for (const char octet : sha256(wire_name(zone_) + dnskey_)) {
      static constexpr const char* kDigits = "0123456789ABCDEF";
      digest += kDigits[static_cast<unsigned char>(octet) >> 4];
      digest += kDigits[static_cast<unsigned char>(octet) & 15];
    }
    return zone_ + ". IN DS " + std::to_string(key_tag()) + " 13 2 " + digest + "\n";
  }

 private:
  static constexpr int kDnskey = 48;
  static constexpr std::size_t kTtl = 60;  // as the server gives
  static constexpr std::size_t kDay = 24UL * 60 * 60;

  /// RFC 4034 appendix B.
  [[nodiscard]] std::size_t key_tag() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < dnskey_.size(); ++i)
      sum += static_cast<std::size_t>(static_cast<unsigned char>(dnskey_[i])) << (i % 2 == 0 ? 8 : 0);
    return (sum + (sum >> 16 & 0xffff)) & 0xffff;
  }

  /// Section 3.1.8.1: RRSIG without its signature, then the records in canonical order.
  [[nodiscard]] std::string rrsig(const std::string& name, int type, std::vector<std::string> records) const {
    const auto now = static_cast<std::size_t>(std::time(nullptr));
    const auto labels = static_cast<char>(split(name, '.').size());
    const auto head = octets16(static_cast<std::size_t>(type)) + '\15' + labels + octets32(kTtl) +
                      octets32(now + kDay) + octets32(now - kDay) + octets16(key_tag()) + wire_name(zone_);
    std::sort(records.begin(), records.end(), [](const std::string& a, const std::string& b) {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return static_cast<unsigned char>(x) < static_cast<unsigned char>(y);
      });
    });
    std::string text = head;
    for (const auto& record : records)
      text += wire_name(name) + octets16(static_cast<std::size_t>(type)) + octets16(1) + octets32(kTtl) +
              octets16(record.size()) + record;
    return head + signature(text);
  }

  /// RFC 6605 section 4: r and s, 32 octets each.
  [[nodiscard]] std::string signature(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::string der(256, '\0');
    std::size_t size = der.size();
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    EVP_DigestSign(
      context.get(), reinterpret_cast<unsigned char*>(der.data()), &size,
      reinterpret_cast<const unsigned char*>(text.data()), text.size()
    );
    const auto* octets = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
      d2i_ECDSA_SIG(nullptr, &octets, static_cast<long>(size)), ECDSA_SIG_free
    );
    std::string both(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(both.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + 32, 32);
    return both;
  }

  NameServer& server_;
  std::string zone_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::string dnskey_;
};

}  // namespace relay::test
