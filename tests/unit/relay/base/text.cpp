#include "relay/base/text.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(Text, ComparesWithoutCaseInAsciiOnly) {
  EXPECT_TRUE(equals_ignoring_case("Received", "rECEIVED"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("\xc4", "\xe4"));
}

TEST(Text, SplitsAndLeavesEmptyPiecesOut) {
  EXPECT_EQ(split(" a , ,b,", ','), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_TRUE(split("", ',').empty());
}

TEST(Text, ReadsNumbersOfDigitsOnly) {
  EXPECT_EQ(parse_number("0"), 0U);
  EXPECT_EQ(parse_number("18446744073709551615"), 18446744073709551615ULL);
  for (const auto* text : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
}

TEST(Text, MakesForeignOctetsVisibleAndHarmless) {
  EXPECT_EQ(printable("a\r\nb\x1b[31m\xff", 100), "a??b?[31m?");
  EXPECT_EQ(printable("abcdef", 3), "abc");
}

TEST(Text, Base64RoundTripsEveryLength) {
  std::string octets;
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(parse_base64(base64(octets)), octets);
    octets += static_cast<char>(i * 37);
  }
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");  // RFC 4648 section 10
}

TEST(Text, Base64RefusesWhatItWouldNotWrite) {
  for (const auto* text : {"Zg", "Zg=", "Zh==", "Z===", "Zm=v", "Zm9v ", "Zm9\n", "====", "Zg==Zg=="}) {
    EXPECT_FALSE(parse_base64(text)) << text;
  }
}

}  // namespace
}  // namespace relay
