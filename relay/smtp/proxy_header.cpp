#include "relay/smtp/proxy_header.hpp"

#include <algorithm>
#include <array>

#include "relay/base/text.hpp"

namespace relay::smtp {
namespace {

constexpr std::string_view kV1Prefix = "PROXY ";
constexpr std::string_view kV2Signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kV2FixedPart = 16;
/// Types of fields behind the addresses, and a bit of the first octet of PP2_TYPE_SSL (section 2.2.6).
constexpr std::uint8_t kTypeSsl = 0x20, kSubtypeVersion = 0x21, kSubtypeCipher = 0x23, kClientUsesTls = 1;
constexpr std::size_t kSslFixedPart = 5;  // the bits, and 4 octets of what the client's certificate came to
constexpr std::size_t kMaxWord = 64;

tl::unexpected<Error> broken(std::string_view why) {
  return permanent(Errc::protocol_error, "PROXY header: " + std::string(why));
}

std::uint8_t octet(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

/// `TCP4 192.0.2.1 192.0.2.9 56324 25`
Result<std::optional<ProxyHeader>> parse_v1(std::string_view received) {
  const auto end = received.substr(0, kMaxProxyV1).find("\r\n");
  if (end == std::string_view::npos) {
    if (received.size() >= kMaxProxyV1) return broken("version 1 longer than 107 octets");
    return std::nullopt;
  }
  ProxyHeader header{.length = end + 2, .client = std::nullopt};
  const auto words = split(received.substr(0, end), ' ');
  if (words.size() >= 2 && words[1] == "UNKNOWN") return header;
  if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6"))
    return broken("version 1 is malformed");
  const auto client = IpAddress::parse(words[2]);
  const auto destination = IpAddress::parse(words[3]);
  const auto port = [](std::string_view text) { return parse_number(text).value_or(65536) <= 65535; };
  if (!client || !destination || !port(words[4]) || !port(words[5]))
    return broken("version 1 has a bad address or port");
  header.client = *client;
  return header;
}

/// The value of the first field of this type: 1 octet of type, 2 of length, the value. Nothing behind one that is cut off.
std::optional<std::string_view> field_of(std::string_view fields, std::uint8_t type) {
  constexpr std::size_t kHead = 3;
  while (fields.size() >= kHead) {
    const std::size_t length = octet(fields, 1) * 256U + octet(fields, 2);
    if (fields.size() < kHead + length) break;
    if (octet(fields, 0) == type) return fields.substr(kHead, length);
    fields.remove_prefix(kHead + length);
  }
  return std::nullopt;
}

bool is_part_of_name(char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; }

std::optional<mail::TlsUse> tls_of(std::string_view fields) {
  const auto tls = field_of(fields, kTypeSsl);
  if (!tls || tls->size() < kSslFixedPart || (octet(*tls, 0) & kClientUsesTls) == 0) return std::nullopt;
  const auto word = [inner = tls->substr(kSslFixedPart)](std::uint8_t type) {
    const auto text = field_of(inner, type).value_or("");
    return text.size() <= kMaxWord && std::all_of(text.begin(), text.end(), is_part_of_name)
             ? std::string(text)
             : "";
  };
  return mail::TlsUse{word(kSubtypeVersion), word(kSubtypeCipher)};
}

Result<std::optional<ProxyHeader>> parse_v2(std::string_view received) {
  if (received.size() < kV2FixedPart) return std::nullopt;
  const auto command = octet(received, 12);
  const auto family = octet(received, 13);
  const std::size_t length = octet(received, 14) * 256U + octet(received, 15);
  if (command >> 4U != 2 || (command & 15U) > 1) return broken("version 2 has an unknown version or command");
  if (length > kMaxProxyV2) return broken("version 2 is longer than we accept");
  if (received.size() < kV2FixedPart + length) return std::nullopt;
  ProxyHeader header{.length = kV2FixedPart + length, .client = std::nullopt};
  const bool is_local = (command & 15U) == 0;
  if (is_local) return header;
  std::array<std::uint8_t, 16> address{};
  const auto copy_address = [&](std::size_t size) {
    const auto source = received.substr(kV2FixedPart, size);
    std::transform(source.begin(), source.end(), address.begin(), [](char c) {
      return static_cast<std::uint8_t>(c);
    });
  };
  if (family == 0x11 && length >= 12) {  // TCP over IPv4
    copy_address(4);
    header.client = IpAddress::v4(std::span(address).first<4>());
    header.tls = tls_of(received.substr(kV2FixedPart + 12, length - 12));
  } else if (family == 0x21 && length >= 36) {  // TCP over IPv6
    copy_address(16);
    header.client = IpAddress::v6(address);
    header.tls = tls_of(received.substr(kV2FixedPart + 36, length - 36));
  } else if (family != 0) {  // AF_UNSPEC is "unknown"; anything else is not a client of ours
    return broken("version 2 has an address family or length that is not TCP over IP");
  }
  return header;
}

bool may_become(std::string_view received, std::string_view prefix) {
  const auto common = std::min(received.size(), prefix.size());
  return received.substr(0, common) == prefix.substr(0, common);
}

}  // namespace

Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view received) {
  if (received.starts_with(kV2Signature)) return parse_v2(received);
  if (received.starts_with(kV1Prefix)) return parse_v1(received);
  if (may_become(received, kV1Prefix) || may_become(received, kV2Signature)) return std::nullopt;
  return broken("the first octets are not one");
}

}  // namespace relay::smtp
