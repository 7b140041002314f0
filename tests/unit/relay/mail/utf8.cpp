#include "relay/mail/utf8.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

TEST(Utf8, IsTakenInItsShortestFormOnlyCase051) {
  for (const auto* text : {"", "ascii", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x93\xa7", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const auto* text :
       {"\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\x80", "\xc3", "\xe2\x82", "\xff", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8, IsTakenCharacterByCharacter) {
  std::string_view text = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x93\xa7";
  for (const char32_t expected : {U'a', U'\u00fc', U'\u20ac', U'\U0001f4e7'})
    EXPECT_EQ(take_code_point(text), expected);
  EXPECT_FALSE(take_code_point(text)) << "nothing is left";
  std::string_view broken = "\xe2\x82";
  EXPECT_FALSE(take_code_point(broken));
  EXPECT_EQ(broken.size(), 2U) << "left as it was";
}

TEST(Utf8, AsTextHoldsNoControlCharacter) {
  EXPECT_TRUE(is_utf8_text("a b\xc3\xbc"));
  for (const auto* text : {"\x01", "\r", "\x7f", "\xc2\x80", "\xc2\x9f", "\xff"})
    EXPECT_FALSE(is_utf8_text(text)) << text;
  EXPECT_TRUE(is_utf8("\xc2\x80\r\n"));
}

}  // namespace
}  // namespace relay::mail
