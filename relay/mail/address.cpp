#include "relay/mail/address.hpp"

#include <algorithm>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) > 0x7F; }

/// RFC 5322 section 3.2.3, RFC 6532 section 3.2.
bool is_atext(char c) {
  return is_alnum(c) || is_beyond_ascii(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_dot_string(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_atext(c) || c == '.'; });
}

/// The length of the quoted string that `text` starts with, its quotes included, or 0 when it is not closed
/// or holds an octet that RFC 5321 section 4.1.2 (qtextSMTP, quoted-pairSMTP) forbids.
std::size_t quoted_length(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
    if (i >= text.size() || !(is_printable(text[i]) || is_beyond_ascii(text[i]))) return 0;
  }
  return 0;
}

bool is_address_literal(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return false;
  text = text.substr(1, text.size() - 2);
  const bool is_v6 = starts_with_ignoring_case(text, "IPv6:");
  if (is_v6) text.remove_prefix(5);
  // Decided by the notation, not by the value: [IPv6:::ffff:10.0.0.1] is an IPv6 literal.
  return IpAddress::parse(text).has_value() && is_v6 == (text.find(':') != std::string_view::npos);
}

/// A host name whose labels may be U-labels (RFC 6531 section 3.3). Which characters IDNA allows is for whoever
/// looks it up.
bool is_internationalized_domain(std::string_view text) {
  std::string ascii;
  for (auto rest = text; !rest.empty();) {
    const auto c = take_code_point(rest);
    if (!c) return false;
    ascii += *c > 0x7F ? 'x' : static_cast<char>(*c);
  }
  return text.size() <= kMaxDomain && !is_ascii(text) && is_host_name(ascii);
}

tl::unexpected<Error> invalid(std::string_view text, std::string_view why) {
  return permanent(Errc::invalid_argument, "<" + printable(text, kMaxPath) + ">: " + std::string(why));
}

}  // namespace

bool is_domain(std::string_view text) {
  return text.size() <= kMaxDomain && (is_host_name(text) || is_address_literal(text));
}

Result<Address> Address::parse(std::string_view text, Charset charset) {
  if (charset == Charset::utf8 ? !is_utf8_text(text) : !mail::is_ascii(text))
    return invalid(text, charset == Charset::utf8 ? "no well-formed UTF-8" : "not ASCII");
  if (text.size() + 2 > kMaxPath) return invalid(text, "longer than 256 octets");
  const auto quoted = text.starts_with('"') ? quoted_length(text) : 0;
  const auto at = text.starts_with('"') ? quoted : std::min(text.find('@'), text.size());
  const auto local_part = text.substr(0, at);
  if (local_part.empty()) return invalid(text, "no local part");
  if (local_part.size() > kMaxLocalPart) return invalid(text, "local part longer than 64 octets");
  if (quoted == 0 && !is_dot_string(local_part))
    return invalid(text, "local part holds a character that needs quotes");
  if (at == text.size()) {
    if (equals_ignoring_case(local_part, "postmaster")) return Address(std::string(local_part), "");
    return invalid(text, "no domain");
  }
  const auto domain = text.substr(at + 1);
  if (text[at] != '@' || !(is_domain(domain) || is_internationalized_domain(domain)))
    return invalid(text, "not a domain behind the @");
  return Address(std::string(local_part), std::string(domain));
}

std::string Address::to_text() const {
  std::string text;
  text.reserve(local_part_.size() + 1 + domain_.size());
  text += local_part_;
  if (!domain_.empty()) (text += '@') += domain_;
  return text;
}

}  // namespace relay::mail
