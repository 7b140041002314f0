#include "relay/redaction/tokens.hpp"

#include <gtest/gtest.h>

namespace relay::redaction {
namespace {

constexpr std::string_view kKey = "0123456789abcdef";

std::shared_ptr<const Tokens> tokens(std::string_view key = kKey) { return *Tokens::make(key); }

TEST(RedactionTokens, OpenToWhatWasSealed) {
  const auto all = tokens();
  for (const std::string text :
       {"a", "alice", "\"john doe\"", "j\xc3\xbcrgen", "0123456789abcdef0123456789abcdef"}) {
    const auto token = all->seal(text);
    EXPECT_EQ(token.find(text, 1), text == "a" ? token.find('a', 1) : std::string::npos);
    EXPECT_EQ(all->open(token), text);
  }
}

TEST(RedactionTokens, AreTheSameForTheSameTextAndKeyAlone) {
  EXPECT_EQ(tokens()->seal("alice"), tokens()->seal("alice"));
  EXPECT_NE(tokens()->seal("alice"), tokens()->seal("Alice"));
  EXPECT_NE(tokens()->seal("alice"), tokens("another key of many octets")->seal("alice"));
}

TEST(RedactionTokens, ConsistOfTheirMarkAndTokenOctets) {
  const auto token = tokens()->seal("some.body+that");
  EXPECT_EQ(token.front(), kMark);
  for (const char c : token.substr(1)) EXPECT_TRUE(is_token_octet(c)) << c;
}

TEST(RedactionTokens, OfAnotherKeyOrChangedDoNotOpen) {
  const auto token = tokens()->seal("alice");
  EXPECT_FALSE(tokens("another key of many octets")->open(token));
  auto changed = token;
  changed[3] = changed[3] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(tokens()->open(changed));
  for (const auto* other : {"", "~", "alice", "~alice", "~AAAAAAAAAAAAAAAAAAAAAA"})
    EXPECT_FALSE(tokens()->open(other));
}

TEST(RedactionTokens, DoNotMindTheLineEndOfAKeyFile) {
  EXPECT_EQ(tokens()->seal("alice"), tokens("0123456789abcdef\n")->seal("alice"));
}

TEST(RedactionTokens, WantAKeyOfSixteenOctets) {
  const auto made = Tokens::make("0123456789abcde\n");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::invalid_argument);
  EXPECT_EQ(made.error().context.find("0123456789"), std::string::npos);
}

TEST(RedactionTokens, AreRevealedWhereTheyStand) {
  const auto all = tokens();
  const auto line = "to=<" + all->seal("alice") + "@example.net>, said " + all->seal("bob") + ".";
  EXPECT_EQ(reveal(line, *all), "to=<alice@example.net>, said bob.");
  EXPECT_EQ(reveal("~ ~~ ~/home ~abc~", *all), "~ ~~ ~/home ~abc~");
  EXPECT_EQ(reveal("~" + all->seal("alice"), *all), "~alice");
  const auto strange = tokens("another key of many octets")->seal("carol");
  EXPECT_EQ(reveal(strange, *all), strange);
}

TEST(RedactionTokens, AreRevealedInJsonAsJson) {
  const auto all = tokens();
  const auto line = R"({"sender":")" + all->seal("\"john \\\"doe\"") + R"(@example.net"})";
  EXPECT_EQ(reveal(line, *all), R"({"sender":"\"john \\\"doe\"@example.net"})");
}

}  // namespace
}  // namespace relay::redaction
