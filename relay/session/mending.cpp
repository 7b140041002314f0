#include "relay/session/mending.hpp"

#include <array>
#include <openssl/rand.h>

namespace relay::session {
namespace {

constexpr std::size_t kRandomOctets = 16;

/// `<32 hexadecimal digits@host>` (RFC 5322 section 3.6.4); empty where there is no randomness.
std::string make_message_id(const std::string& hostname) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, kRandomOctets> octets{};
  if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) return {};
  std::string id = "<";
  for (const auto octet : octets) (id += kDigits[octet >> 4U]) += kDigits[octet & 15U];
  return id + "@" + hostname + ">";
}

}  // namespace

mail::Mending mending_of(const Rules& rules, const mail::Address& sender, WallTime now) {
  mail::Mending mending;
  mending.unqualified_domain = rules.limits.unqualified_domain;
  if (rules.mends_date) mending.date = to_rfc5322(now);
  if (rules.mends_message_id) mending.message_id = make_message_id(rules.hostname);
  if (rules.mends_from)
    mending.from = sender.is_null() ? "MAILER-DAEMON@" + rules.hostname : sender.to_text();
  return mending;
}

}  // namespace relay::session
