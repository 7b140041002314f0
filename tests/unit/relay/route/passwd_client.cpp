#include "relay/route/passwd_client.hpp"

#include <gmock/gmock.h>

namespace relay::route {
namespace {

std::string found(std::string_view text, std::string_view host) {
  const auto credentials = PasswdClient::parse(text).find(host);
  return credentials ? credentials->user + "|" + credentials->password : "none";
}

TEST(PasswdClient, TakesTheFirstMatchInFileOrder) {
  const auto* text =
    "# comment\n"
    "\n"
    "smtp.example.net:first:one\n"
    "smtp.example.net:second:two\n"
    "*:default:three\n"
    "late.example.net:never:four\n";
  EXPECT_EQ(found(text, "smtp.example.net"), "first|one");
  EXPECT_EQ(found(text, "SMTP.Example.NET"), "first|one");
  EXPECT_EQ(found(text, "late.example.net"), "default|three");
  EXPECT_EQ(found("", "a"), "none");
}

TEST(PasswdClient, KnowsHostPatterns) {
  const auto* text =
    "*.google.com:suffix:1\n"
    "*fish:any-ending:2\n"
    "^\\d+\\.a\\.b:regex:3\n"
    "\"^x:y\":quoted-regex:4\n"
    "\"quo\\\"ted\" : quoted:5\n";
  EXPECT_EQ(found(text, "smtp.GOOGLE.com"), "suffix|1");
  EXPECT_EQ(found(text, "google.com"), "none");
  EXPECT_EQ(found(text, "goldfish"), "any-ending|2");
  EXPECT_EQ(found(text, "42.a.b"), "regex|3");
  EXPECT_EQ(found(text, "x42.a.b"), "none");
  EXPECT_EQ(found(text, "x:yz"), "quoted-regex|4");
  EXPECT_EQ(found(text, "quo\"ted"), "quoted|5");
}

TEST(PasswdClient, TakesTheRestOfTheLineForThePassword) {
  EXPECT_EQ(found("h:user:p:a:s:s", "h"), "user|p:a:s:s");
  EXPECT_EQ(found("h:user: spaced password  \r\n", "h"), "user| spaced password");
  EXPECT_EQ(found("h   user:pass", "h"), "user|pass") << "blanks may stand for the first colon";
  EXPECT_EQ(found("h : user:#pass", "h"), "user|#pass");
  EXPECT_EQ(found("h:user@example.com:^caret^", "h"), "user@example.com|^caret^");
}

TEST(PasswdClient, JoinsContinuationLines) {
  EXPECT_EQ(found("h:user:\n  pass\n\tword\nother:o:p", "h"), "user| pass word");
  EXPECT_EQ(found("h:user:pass\n# comment\n word\n", "h"), "user|pass") << "nothing goes on from a comment";
  EXPECT_EQ(found("  h:user:pass\n", "h"), "none") << "a first line cannot go on";
}

TEST(PasswdClient, NeverGivesAHostTheCredentialsOfALaterPattern) {
  EXPECT_EQ(found("h:user\n*:other:pass\n", "h"), "none");
}

TEST(PasswdClient, ComplainsByLineNumberOnly) {
  const auto parsed =
    PasswdClient::parse("# c\nnocolon\nh:secretuser\nh:secretuser:\n^(:u:secretpass\n:u:p\ngood:u:p\n");
  ASSERT_EQ(parsed.complaints().size(), 5U);
  for (const auto& complaint : parsed.complaints()) {
    EXPECT_THAT(complaint, ::testing::Not(::testing::HasSubstr("secret")));
    EXPECT_THAT(complaint, ::testing::StartsWith("line "));
  }
  EXPECT_EQ(parsed.complaints()[0], "line 2: not host:user:password");
  EXPECT_TRUE(parsed.find("good"));
}

TEST(PasswdClient, RefusesAPatternWithANumberThatOverflows) {
  const auto parsed = PasswdClient::parse("^a{3333333333333333333}:u:p\n^a{0000000009}:u:p\n^a{2}b:u:p\n");
  ASSERT_EQ(parsed.complaints().size(), 2U);
  EXPECT_EQ(parsed.complaints()[0], "line 1: the regular expression at its start is not valid");
  EXPECT_TRUE(parsed.find("aab"));
}

}  // namespace
}  // namespace relay::route
