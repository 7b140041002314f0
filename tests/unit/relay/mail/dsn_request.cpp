#include "relay/mail/dsn_request.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

TEST(Xtext, IsDecodedToPrintableTextOnlyCase043) {
  EXPECT_EQ(decode_xtext("plain"), "plain");
  EXPECT_EQ(decode_xtext("a+2Bb+3D+20c"), "a+b= c");
  EXPECT_EQ(decode_xtext(""), "");
  for (const auto* wrong : {"+0D", "+0A", "+00", "+7F", "+E4", "\xc3\xa4", "a b", "\t"})
    EXPECT_FALSE(decode_xtext(wrong)) << wrong;
}

TEST(Xtext, WithBadDigitsIsNoneCase044) {
  for (const auto* wrong : {"+", "+2", "+G1", "+1G", "+2b", "x+", "+ 1", "+-1", "="})
    EXPECT_FALSE(decode_xtext(wrong)) << wrong;
}

TEST(Notify, IsReadAndWritten) {
  for (const auto* text : {"NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,DELAY", "SUCCESS,FAILURE,DELAY"})
    EXPECT_EQ(to_text(*parse_notify(text)), text);
  EXPECT_EQ(to_text(*parse_notify("delay,Success")), "SUCCESS,DELAY");
  EXPECT_EQ(to_text(Notify{}), "");
}

TEST(OriginalRecipient, HasATypeAndAnAddress) {
  for (const auto* text : {"rfc822;a@b", "rfc822;a+2Bb@c", "x400;/C=de/", "utf-8;\\x{FC}ser@example.org"})
    EXPECT_EQ(
      is_original_recipient(text, Charset::ascii), std::string_view(text).find("=") == std::string::npos
    ) << text;
  for (const auto* text : {"", ";", "rfc822;", ";a@b", "rfc 822;a", "rfc822;a b"})
    EXPECT_FALSE(is_original_recipient(text, Charset::utf8)) << text;
}

TEST(OriginalRecipient, OfTypeUtf8FollowsRfc6533) {
  EXPECT_FALSE(is_original_recipient("utf-8;\xc3\xbcser@example.org", Charset::ascii));
  EXPECT_TRUE(is_original_recipient("utf-8;\xc3\xbcser@example.org", Charset::utf8));
  EXPECT_FALSE(is_original_recipient("rfc822;\xc3\xbcser@example.org", Charset::utf8));
  for (const auto* wrong :
       {"utf-8;\\x{0A}", "utf-8;\\x{}", "utf-8;\\x{FC", "utf-8;\\y", "utf-8;\\x{D800}", "utf-8;\\x{110000}",
        "utf-8;\\x{fc}", "utf-8;a=b", "utf-8;\xc0\xaf", "utf-8;\xc2\x85"}) {
    EXPECT_FALSE(is_original_recipient(wrong, Charset::utf8)) << wrong;
  }
}

/// Every octet in every place of a valid value: whatever comes, it is an answer.
TEST(Readers, TakeAnyOctets) {
  for (const std::string valid : {"SUCCESS,DELAY", "rfc822;a+2Bb@c", "utf-8;\\x{FC}@d"}) {
    for (std::size_t at = 0; at < valid.size(); ++at) {
      for (int octet = 0; octet < 256; ++octet) {
        auto text = valid;
        text[at] = static_cast<char>(octet);
        (void)parse_notify(text);
        for (const auto charset : {Charset::ascii, Charset::utf8}) {
          if (!is_original_recipient(text, charset)) continue;
          EXPECT_EQ(text.find_first_of(std::string_view("\r\n\0 ", 4)), std::string::npos) << text;
          EXPECT_TRUE(is_utf8(text));
        }
        if (const auto decoded = decode_xtext(text)) EXPECT_TRUE(is_ascii(*decoded));
      }
    }
  }
}

}  // namespace
}  // namespace relay::mail
