/// mail/dsn_request. Input: the value of a parameter of MAIL or RCPT.

#include <cstdint>
#include <cstdio>

#include "relay/mail/dsn_request.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::mail {
namespace {

using fuzz::require;

/// RFC 3461 section 4.
std::string to_xtext(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<std::uint8_t>(c);
    if (c != '+' && c != '=' && c != ' ') out += c;
    else out += {'+', kDigits[octet >> 4U], kDigits[octet & 15U]};
  }
  return out;
}

void check_xtext(std::string_view value) {
  const auto decoded = decode_xtext(value);
  if (!decoded) return;
  require(fuzz::is_all_printable(*decoded), "no CR, LF or NUL comes out of xtext");
  require(decoded->size() <= value.size(), "xtext does not grow");
  require(decode_xtext(to_xtext(*decoded)) == decoded, "xtext is what it is however it is written");
}

void check_envelope_id(std::string_view value) {
  if (!is_envelope_id(value)) return;
  const auto decoded = decode_xtext(value);
  require(decoded && !decoded->empty() && decoded->size() <= kMaxEnvelopeId, "an id has 1 to 100 characters");
  require(fuzz::is_all_printable(value) && value.find(' ') == value.npos, "an id is one printable word");
}

void check_original_recipient(std::string_view value) {
  const bool is_utf8_one = is_original_recipient(value, Charset::utf8);
  if (is_original_recipient(value, Charset::ascii)) {
    require(fuzz::is_all_printable(value), "ORCPT is printable without SMTPUTF8");
    require(is_utf8_one, "with SMTPUTF8 no less is taken");
  }
  if (!is_utf8_one) return;
  require(value.size() <= kMaxOriginalRecipient, "ORCPT has at most 500 octets");
  require(
    is_utf8_text(value) && value.find(' ') == value.npos, "ORCPT is one word without control characters"
  );
}

void check_words(std::string_view value) {
  if (const auto ret = parse_ret(value))
    require(parse_ret(to_text(*ret)) == ret, "RET is read as it is written");
  if (const auto notify = parse_notify(value)) {
    require(!notify->is_unset(), "NOTIFY says something");
    require(!notify->never || *notify == Notify{.never = true}, "NEVER stands alone");
    require(parse_notify(to_text(*notify)) == notify, "NOTIFY is read as it is written");
  }
}

}  // namespace
}  // namespace relay::mail

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::mail;
  const relay::fuzz::InputView input(data, size);
  check_xtext(input.rest());
  check_envelope_id(input.rest());
  check_original_recipient(input.rest());
  check_words(input.rest());
  return 0;
}
