#include "relay/net/dns_rdata.hpp"

#include <gtest/gtest.h>
#include <random>

#include "tests/support/name_server.hpp"

namespace relay::net {
namespace {

using test::mx_rdata;
using test::wire_name;

TEST(Rdata, NamesAreReadWhole) {
  EXPECT_EQ(parse_name(wire_name("MX1.Example.org")), "mx1.example.org");
  EXPECT_EQ(parse_name(wire_name("_25._tcp.mx")), "_25._tcp.mx");
  EXPECT_EQ(parse_name(wire_name("")), ".");
  const std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') +
                              "." + std::string(61, 'd');
  EXPECT_EQ(parse_name(wire_name(longest)), longest);
}

TEST(Rdata, NamesNeverLookLikeOtherNames) {
  EXPECT_EQ(parse_name(std::string("\3a.b\1c", 6) + '\0'), R"(a\046b.c)");
  EXPECT_EQ(parse_name(std::string("\4\\ \n\xff", 5) + '\0'), R"(\092\032\010\255)");
  EXPECT_FALSE(is_host_name(*parse_name(std::string("\3a.b\1c", 6) + '\0')));
}

TEST(Rdata, BrokenNamesAreNothing) {
  EXPECT_FALSE(parse_name(""));
  EXPECT_FALSE(parse_name("\3abc")) << "no end";
  EXPECT_FALSE(parse_name("\4abc")) << "over the end";
  EXPECT_FALSE(parse_name(std::string("\3abc\0x", 6))) << "something behind it";
  EXPECT_FALSE(parse_name(std::string("\xc0\x0c", 2))) << "compressed";
  EXPECT_FALSE(parse_name('\x40' + std::string(64, 'a') + '\0')) << "a label of 64 octets";
  EXPECT_FALSE(parse_name(wire_name(
    std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." +
    std::string(62, 'd')
  ))
  ) << "256 octets";
}

TEST(Rdata, MailExchangersAreReadCase126) {
  EXPECT_EQ(parse_mx(mx_rdata(65535, "mx.example.org")), (MxRecord{65535, "mx.example.org"}));
  EXPECT_EQ(parse_mx(mx_rdata(0, ".")), (MxRecord{0, "."}));
  for (std::size_t length = 0; length < 8; ++length)
    EXPECT_FALSE(parse_mx(mx_rdata(10, "mx.ex").substr(0, length))) << length;
}

TEST(Rdata, TlsaNeedsItsData) {
  EXPECT_EQ(parse_tlsa(std::string("\3\1\2\0x", 5)), (TlsaRecord{3, 1, 2, std::string("\0x", 2)}));
  EXPECT_FALSE(parse_tlsa("\3\1\1"));
  EXPECT_FALSE(parse_tlsa(""));
}

TEST(Rdata, StringsOfATextAreJoined) {
  EXPECT_EQ(parse_txt("\2ab\1c"), "abc");
  EXPECT_EQ(parse_txt(std::string(1, '\0')), "");
  EXPECT_FALSE(parse_txt(""));
  EXPECT_FALSE(parse_txt("\2ab\2c"));
}

TEST(Rdata, AddressesHaveTheirLength) {
  EXPECT_EQ(parse_a("\x0a\1\2\3")->to_text(), "10.1.2.3");
  EXPECT_EQ(parse_aaaa(std::string(15, '\0') + '\1')->to_text(), "::1");
  EXPECT_FALSE(parse_a("\x0a\1\2"));
  EXPECT_FALSE(parse_aaaa("\x0a\1\2\3"));
}

TEST(Rdata, AnyOctetsAreReadWithoutHarm) {
  std::mt19937 random(4711);
  int names = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string octets(random() % 12, '\0');
    for (auto& octet : octets) octet = static_cast<char>(random() % (round % 2 == 0 ? 5 : 256));
    if (const auto name = parse_name(octets)) {
      EXPECT_FALSE(name->empty());
      EXPECT_LE(name->size(), 4 * octets.size());
      ++names;
    }
    if (const auto text = parse_txt(octets)) EXPECT_LT(text->size(), octets.size());
    if (const auto tlsa = parse_tlsa(octets)) EXPECT_EQ(tlsa->data.size(), octets.size() - 3);
    (void)parse_mx(octets);
  }
  EXPECT_GT(names, 100) << "else these octets try nothing";
}

}  // namespace
}  // namespace relay::net
