#include "relay/dsn/text.hpp"

#include <gtest/gtest.h>

namespace relay::dsn {
namespace {

using mail::Charset;

TEST(TypedAddress, IsRfc822OrUtf8) {
  const auto ascii = *mail::Address::parse("a+b@c");
  EXPECT_EQ(typed_address(ascii, Charset::ascii), "rfc822; a+b@c");
  const auto wide = *mail::Address::parse("\xf0\x9f\x93\xa7=\xc3\xbc@d", Charset::utf8);
  EXPECT_EQ(typed_address(wide, Charset::ascii), "utf-8; \\x{1F4E7}\\x{3D}\\x{FC}@d");
  EXPECT_EQ(typed_address(wide, Charset::utf8), "utf-8; \xf0\x9f\x93\xa7\\x{3D}\xc3\xbc@d");
}

TEST(OriginalRecipientText, IsDecodedWhereItIsXtext) {
  EXPECT_EQ(original_recipient("rfc822;a+2Bb@c", Charset::ascii), "rfc822; a+b@c");
  EXPECT_EQ(original_recipient("utf-8;\\x{FC}@c", Charset::utf8), "utf-8; \\x{FC}@c");
  EXPECT_EQ(original_recipient("", Charset::ascii), "");
}

TEST(OriginalRecipientText, TakesAnyOctets) {
  for (const auto* text :
       {";", "rfc822", "rfc822;+0A", "rfc822;+", "utf-8;\xff", "utf-8;\r\nBcc: x", "\r\n;x", "a;\xc3\xbc"}) {
    const auto shown = original_recipient(text, Charset::ascii);
    EXPECT_TRUE(mail::is_utf8_text(shown) && mail::is_ascii(shown)) << text;
  }
}

TEST(WrappedText, StaysWithinItsWidthWhereItHasSpaces) {
  EXPECT_EQ(wrapped("two words", "> ", "  "), "> two words\r\n");
  const std::string word(40, 'x');
  EXPECT_EQ(wrapped(word + " " + word, "> ", "  "), "> " + word + "\r\n  " + word + "\r\n");
  const std::string exact(kLineWidth - 2, 'y');
  EXPECT_EQ(wrapped("a " + exact, "", ""), "a " + exact + "\r\n");
  EXPECT_EQ(wrapped("ab " + exact, "", ""), "ab\r\n" + exact + "\r\n");
}

TEST(WrappedText, CutsAWordThatNoLineCanHold) {
  EXPECT_EQ(
    wrapped(std::string(1000, 'x'), "A: ", " "),
    "A: " + std::string(900, 'x') + "\r\n " + std::string(100, 'x') + "\r\n"
  );
}

TEST(Fields, WithoutAValueAreNone) {
  EXPECT_EQ(field("Name", ""), "");
  EXPECT_EQ(field("Name", "  "), "");
  EXPECT_EQ(unfolded_field("Name", ""), "");
  EXPECT_EQ(unfolded_field("Name", "a  b"), "Name: a  b\r\n");
}

}  // namespace
}  // namespace relay::dsn
