#include "relay/base/network.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }
Cidr network(const char* text) { return *Cidr::parse(text); }

TEST(IpAddress, OfAMappedClientIsItsIpv4AddressCase071) {
  EXPECT_EQ(address("::ffff:10.0.0.1"), address("10.0.0.1"));
  EXPECT_TRUE(network("10.0.0.0/8").contains(address("::ffff:10.0.0.1")));
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const auto* text :
       {"", "10.0.0", "10.0.0.256", "010.0.0.1x", "::g", "1::2::3", "fe80::1%eth0", "10.0.0.1 "}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string("10.0.0.1\0x", 10)));
}

TEST(IpAddress, IsWrittenAsItIsRead) {
  for (const auto* text : {"0.0.0.0", "9.10.99.100", "255.255.255.255", "::", "2001:db8::1"})
    EXPECT_EQ(address(text).to_text(), text);
}

TEST(IpAddress, IsWrittenAsALiteral) {
  EXPECT_EQ(address("10.0.0.1").to_literal(), "10.0.0.1");
  EXPECT_EQ(address("2001:db8::1").to_literal(), "IPv6:2001:db8::1");
}

TEST(Cidr, ContainsByItsLeadingBits) {
  EXPECT_TRUE(network("10.1.40.0/26").contains(address("10.1.40.63")));
  EXPECT_FALSE(network("10.1.40.0/26").contains(address("10.1.40.64")));
  EXPECT_TRUE(network("0.0.0.0/0").contains(address("203.0.113.7")));
  EXPECT_TRUE(network("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(network("2001:db8::/33").contains(address("2001:db8:8000::1")));
}

TEST(Cidr, OfOneFamilyNeverContainsTheOther) {
  EXPECT_FALSE(network("::/0").contains(address("10.0.0.1")));
  EXPECT_FALSE(network("0.0.0.0/0").contains(address("::1")));
}

TEST(Cidr, RefusesHostBitsAndBadPrefixes) {
  for (const auto* text :
       {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "/8", "x/8", "2001:db8::1/64"}) {
    EXPECT_FALSE(Cidr::parse(text)) << text;
  }
  EXPECT_TRUE(network("10.0.0.1").is_single_address());
  EXPECT_EQ(network("10.0.0.1").to_text(), "10.0.0.1/32");
}

TEST(Endpoint, IsReadWithNamesAddressesAndBrackets) {
  EXPECT_EQ(Endpoint::parse("smtp.example.net:587"), (Endpoint{"smtp.example.net", 587}));
  EXPECT_EQ(Endpoint::parse("[2001:db8::1]:25"), (Endpoint{"2001:db8::1", 25}));
  EXPECT_EQ(Endpoint::parse(":25"), (Endpoint{"0.0.0.0", 25}));
  EXPECT_EQ(Endpoint::parse("[::]:25")->to_text(), "[::]:25");
}

TEST(Endpoint, RefusesWhatNamesNoHostOrPort) {
  for (const auto* text :
       {"smtp.example.net", "a:65536", "a:", "a b:25", "::1:25", "[10.0.0.1]:25", "-a:25", "a\r\nb:25"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(HostName, HasLabelsOfLettersDigitsAndHyphens) {
  EXPECT_TRUE(is_host_name("1"));
  EXPECT_TRUE(is_host_name("node-1.example.net"));
  for (const auto* text : {"", ".", "a.", "-a", "a-", "a..b", "a b", "a\nb", "ä"})
    EXPECT_FALSE(is_host_name(text)) << text;
  EXPECT_FALSE(is_host_name(std::string(64, 'a')));
}

}  // namespace
}  // namespace relay
