#include "relay/base/queue_id.hpp"

#include "relay/base/text.hpp"

namespace relay {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghijklmnopqrstuv";
constexpr std::size_t kSpoolDigits = 7;    // 35 bits hold 32
constexpr std::size_t kNumberDigits = 13;  // 65 bits hold 64

void append_digits(std::string& out, std::uint64_t value, std::size_t digits) {
  for (std::size_t i = digits; i-- > 0;) out += kAlphabet[value >> (i * 5) & 31U];
}

/// Nothing when a character is foreign or the value needs more than `bits`.
std::optional<std::uint64_t> read_digits(std::string_view text, unsigned bits) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto digit = kAlphabet.find(ascii_lower(c));
    if (digit == std::string_view::npos || value >> (bits - 5) != 0) return std::nullopt;
    value = value << 5U | digit;
  }
  return value;
}

}  // namespace

std::string QueueId::to_text() const {
  std::string out;
  out.reserve(kSpoolDigits + kNumberDigits);
  append_digits(out, spool, kSpoolDigits);
  append_digits(out, number, kNumberDigits);
  return out;
}

Result<QueueId> QueueId::parse(std::string_view text) {
  if (text.size() == kSpoolDigits + kNumberDigits) {
    const auto spool = read_digits(text.substr(0, kSpoolDigits), 32);
    const auto number = read_digits(text.substr(kSpoolDigits), 64);
    if (spool && number) return QueueId{static_cast<std::uint32_t>(*spool), *number};
  }
  return permanent(Errc::invalid_argument, "'" + printable(text, 40) + "' is not a queue id");
}

}  // namespace relay
