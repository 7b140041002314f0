#include "relay/base/secrets.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

constexpr std::string_view kSecret = "correct horse";

TEST(QuotedSecret, IsFoundWhereverItStands) {
  for (const auto* text :
       {"correct horse", "535 correct horse", "no correct horse, sorry", "=correct horse="})
    EXPECT_TRUE(quotes_secret(text, kSecret)) << text;
}

TEST(QuotedSecret, IsFoundByAnySixOctetsInARow) {
  for (std::size_t at = 0; at + 6 <= kSecret.size(); ++at) {
    const auto piece = std::string(kSecret.substr(at, 6));
    EXPECT_TRUE(quotes_secret("<" + piece + ">", kSecret)) << piece;
    EXPECT_FALSE(quotes_secret("<" + piece.substr(0, 5) + ">", kSecret)) << piece;
  }
}

TEST(QuotedSecret, IsNoneInOtherWords) {
  for (const auto* text : {"", "corre", "horse", "CORRECT HORSE", "c o r r e c t", "authentication failed"})
    EXPECT_FALSE(quotes_secret(text, kSecret)) << text;
}

TEST(QuotedSecret, OfFourOrFiveOctetsIsFoundWhole) {
  EXPECT_TRUE(quotes_secret("the word is abcd.", "abcd"));
  EXPECT_FALSE(quotes_secret("the word is abc.", "abcd"));
  EXPECT_TRUE(quotes_secret("the word is abcde.", "abcde"));
  EXPECT_FALSE(quotes_secret("the word is abcd.", "abcde"));
}

TEST(QuotedSecret, OfLessThanFourOctetsIsNotLookedFor) {
  EXPECT_FALSE(quotes_secret("anything", ""));
  EXPECT_FALSE(quotes_secret("", ""));
  EXPECT_FALSE(quotes_secret("the word is abc", "abc"));
}

TEST(QuotedSecret, MayHoldAnyOctet) {
  const std::string secret("\0\xff\r\n\0x", 6);
  EXPECT_TRUE(quotes_secret("a" + secret, secret));
  EXPECT_FALSE(quotes_secret("a", secret));
}

TEST(QuotedSecret, IsAnyOfSeveral) {
  EXPECT_TRUE(quotes_any_secret("it is second", {"firsts", "second"}));
  EXPECT_TRUE(quotes_any_secret("it is firsts", {"firsts", "second"}));
  EXPECT_FALSE(quotes_any_secret("it is neither", {"firsts", "second", ""}));
  EXPECT_FALSE(quotes_any_secret("it is none", {}));
}

}  // namespace
}  // namespace relay
