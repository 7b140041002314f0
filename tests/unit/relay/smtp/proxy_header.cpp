#include "relay/smtp/proxy_header.hpp"

#include <gtest/gtest.h>

namespace relay::smtp {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string v2(unsigned char command, unsigned char family, const std::string& addresses) {
  const auto length = addresses.size();
  return kSignature + static_cast<char>(command) + static_cast<char>(family) +
         static_cast<char>(length >> 8U) + static_cast<char>(length & 255U) + addresses;
}
const std::string kV4Addresses = "\x0a\x01\x28\x46\x0a\x01\x28\x3c\x30\x39\x00\x19"s;
const std::string kV6Addresses =
  "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01" + std::string(16, '\0') + "\0\x01\0\x19"s;

/// What the header says, fed octet by octet: nothing before its last octet, all of it then.
ProxyHeader parse_whole(const std::string& header) {
  for (std::size_t n = 0; n < header.size(); ++n) {
    const auto partial = parse_proxy_header(std::string_view(header).substr(0, n));
    EXPECT_TRUE(partial && !*partial) << "at " << n;
  }
  const auto parsed = parse_proxy_header(header + "EHLO a\r\n");
  EXPECT_TRUE(parsed && *parsed);
  EXPECT_EQ((**parsed).length, header.size());
  return **parsed;
}

TEST(ProxyHeader, VersionOneNamesTheClient) {
  EXPECT_EQ(
    parse_whole("PROXY TCP4 10.1.40.70 10.1.40.60 12345 25\r\n").client, *IpAddress::parse("10.1.40.70")
  );
  EXPECT_EQ(
    parse_whole("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n").client, *IpAddress::parse("2001:db8::1")
  );
  EXPECT_FALSE(parse_whole("PROXY UNKNOWN\r\n").client);
  EXPECT_FALSE(parse_whole("PROXY UNKNOWN ffff:: ffff:: 1 2\r\n").client);
}

TEST(ProxyHeader, VersionTwoNamesTheClient) {
  EXPECT_EQ(parse_whole(v2(0x21, 0x11, kV4Addresses)).client, *IpAddress::parse("10.1.40.70"));
  EXPECT_EQ(parse_whole(v2(0x21, 0x21, kV6Addresses)).client, *IpAddress::parse("2001:db8::1"));
  EXPECT_EQ(
    parse_whole(v2(0x21, 0x11, kV4Addresses + std::string(500, 't'))).client, *IpAddress::parse("10.1.40.70")
  );
  EXPECT_FALSE(parse_whole(v2(0x20, 0x00, "")).client) << "LOCAL: the balancer's own probe";
  EXPECT_FALSE(parse_whole(v2(0x21, 0x00, "")).client) << "UNSPEC";
}

std::string field(char type, const std::string& value) {
  return std::string{type, static_cast<char>(value.size() >> 8U), static_cast<char>(value.size() & 255U)} +
         value;
}

TEST(ProxyHeader, VersionTwoTellsTheTlsOfTheClient) {
  const auto inner =
    field('\x22', "client.example") + field('\x21', "TLSv1.3") + field('\x23', "TLS_AES_128_GCM_SHA256");
  const auto tls = field('\x20', "\x01\0\0\0\0"s + inner);
  const mail::TlsUse use{"TLSv1.3", "TLS_AES_128_GCM_SHA256"};
  EXPECT_EQ(parse_whole(v2(0x21, 0x11, kV4Addresses + tls)).tls, use);
  EXPECT_EQ(parse_whole(v2(0x21, 0x21, kV6Addresses + field('\x05', "unique id") + tls)).tls, use);
  EXPECT_EQ(parse_whole(v2(0x21, 0x11, kV4Addresses + field('\x20', "\x01\0\0\0\0"s))).tls, mail::TlsUse{});
}

TEST(ProxyHeader, TellsNoTlsWhereNobodySaysSoForSure) {
  const auto ssl = [](const std::string& value) {
    return v2(0x21, 0x11, kV4Addresses + field('\x20', value));
  };
  EXPECT_FALSE(parse_whole(v2(0x21, 0x11, kV4Addresses)).tls);
  EXPECT_FALSE(parse_whole(ssl("\x02\0\0\0\0"s)).tls) << "a certificate, and no TLS on this connection";
  EXPECT_FALSE(parse_whole(ssl("\x01\0\0\0"s)).tls) << "too short";
  EXPECT_FALSE(parse_whole(v2(0x21, 0x11, kV4Addresses + "\x20\0\x09\x01\0\0\0\0"s)).tls) << "cut off";
  EXPECT_FALSE(parse_whole(v2(0x20, 0x11, kV4Addresses + field('\x20', "\x01\0\0\0\0"s))).tls) << "LOCAL";
  EXPECT_FALSE(parse_whole("PROXY TCP4 10.1.40.70 10.1.40.60 12345 25\r\n").tls);
}

TEST(ProxyHeader, KeepsNoNamesOfTlsThatAreNone) {
  const auto named = [](const std::string& version) {
    return parse_whole(v2(0x21, 0x11, kV4Addresses + field('\x20', "\x01\0\0\0\0"s + field('\x21', version))))
      .tls;
  };
  EXPECT_EQ(named("TLSv1.2"), (mail::TlsUse{"TLSv1.2", ""}));
  for (const auto& version : {"TLS\r\nX: y"s, "TLS (1.3)"s, std::string(65, 'v')})
    EXPECT_EQ(named(version), mail::TlsUse{}) << version;
}

TEST(ProxyHeader, RefusesWhatIsNoneAtOnceCase070) {
  for (const auto& octets : {"EHLO a\r\n"s, "PROXZ"s, "\r\n\r\n\1"s, "P\r\n"s}) {
    EXPECT_FALSE(parse_proxy_header(octets)) << octets;
  }
}

TEST(ProxyHeader, RefusesBrokenOnesCase070) {
  for (const auto& header : {
         "PROXY TCP4 10.1.40.70 10.1.40.60 12345\r\n"s,
         "PROXY TCP4 10.1.40.700 10.1.40.60 1 25\r\n"s,
         "PROXY TCP4 10.1.40.70 10.1.40.60 1 65536\r\n"s,
         "PROXY UDP4 10.1.40.70 10.1.40.60 1 25\r\n"s,
         "PROXY TCP4 10.1.40.70 10.1.40.60 1 25 more\r\n"s,
         "PROXY " + std::string(101, 'x'),
         "PROXY TCP4 10.1.40.70 10.1.40.60 x 25\r\n"s,
         "PROXY \r\n"s,
         v2(0x31, 0x11, kV4Addresses),
         v2(0x22, 0x11, kV4Addresses),
         v2(0x21, 0x11, "short"),
         v2(0x21, 0x21, kV4Addresses),
         v2(0x21, 0x12, kV4Addresses),
         v2(0x21, 0x31, std::string(216, 'x')),
       }) {
    EXPECT_FALSE(parse_proxy_header(header)) << testing::PrintToString(header);
  }
  EXPECT_FALSE(parse_proxy_header(kSignature + "\x21\x11\xff\xff"s)) << "65,535 octets are not waited for";
}

TEST(ProxyHeader, OfVersionOneHasAtMost107OctetsCase070) {
  EXPECT_TRUE(parse_proxy_header("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n").value());
  EXPECT_FALSE(parse_proxy_header("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"));
}

}  // namespace
}  // namespace relay::smtp
