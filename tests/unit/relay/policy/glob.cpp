#include "relay/policy/glob.hpp"

#include <gtest/gtest.h>

namespace relay::policy {
namespace {

mail::Address address(std::string_view text) { return *mail::Address::parse(text); }

TEST(Glob, IsOfTheWholeText) {
  EXPECT_TRUE(matches_glob("abc", "abc"));
  EXPECT_FALSE(matches_glob("abc", "abcd"));
  EXPECT_FALSE(matches_glob("bc", "abc"));
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_FALSE(matches_glob("", "a"));
}

TEST(Glob, HasAStarForAnythingAndAQuestionMarkForOneOctet) {
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("**", "abc"));
  EXPECT_TRUE(matches_glob("a*c", "ac"));
  EXPECT_TRUE(matches_glob("a*c", "abcbc")) << "the star is tried anew";
  EXPECT_TRUE(matches_glob("*invoice*", "Your invoice 7"));
  EXPECT_TRUE(matches_glob("a?c", "abc"));
  EXPECT_FALSE(matches_glob("a?c", "ac"));
  EXPECT_FALSE(matches_glob("?", ""));
  EXPECT_FALSE(matches_glob("a*b", "acbd"));
}

TEST(Glob, DoesNotCountCase) {
  EXPECT_TRUE(matches_glob("Example.ORG", "eXample.org"));
  EXPECT_FALSE(matches_glob("\xc3\x84", "\xc3\xa4")) << "of ASCII alone";
}

/// The meaning of a pattern, said as plainly as it goes.
bool means(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return means(pattern.substr(1), text) || (!text.empty() && means(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         means(pattern.substr(1), text.substr(1));
}

/// All texts of an alphabet, up to a length.
std::vector<std::string> all_of(std::string_view alphabet, std::size_t length) {
  std::vector<std::string> found{""};
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].size() == length) break;
    for (const char c : alphabet) found.push_back(found[i] + c);
  }
  return found;
}

TEST(Glob, MeansWhatIsSaidOfItForAllShortPatternsAndTexts) {
  const auto texts = all_of("ab", 5);
  for (const auto& pattern : all_of("ab*?", 5)) {
    for (const auto& text : texts)
      ASSERT_EQ(matches_glob(pattern, text), means(pattern, text)) << pattern << " " << text;
  }
}

/// A pattern that took exponential time with a matcher that tries every star anew.
TEST(Glob, CannotRunAway) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "a*";
  EXPECT_FALSE(matches_glob(pattern + "b*", std::string(100'000, 'a')));
}

TEST(Glob, OfAnAddressIsOfTheDomainUnlessItHasAnAtSign) {
  EXPECT_TRUE(matches_address("example.org", address("a@Example.org")));
  EXPECT_FALSE(matches_address("example.org", address("a@x.example.org")));
  EXPECT_TRUE(matches_address("*.example.org", address("a@x.y.example.org")));
  EXPECT_FALSE(matches_address("*.example.org", address("a@example.org")));
  EXPECT_TRUE(matches_address("news-*@example.org", address("news-7@example.org")));
  EXPECT_FALSE(matches_address("news-*@example.org", address("news@example.org")));
  EXPECT_TRUE(matches_address("*@[192.0.2.1]", address("a@[192.0.2.1]")));
}

TEST(Glob, OfAnAddressIsNotPassedByQuotesOrCase) {
  EXPECT_TRUE(matches_address("boss@example.org", address("\"boss\"@example.org")));
  EXPECT_TRUE(matches_address("boss@example.org", address("\"b\\oss\"@EXAMPLE.org")));
  EXPECT_TRUE(matches_address("boss@example.org", address("BOSS@example.org")));
}

TEST(Glob, TellsTheNullSender) {
  EXPECT_TRUE(matches_address("<>", {}));
  EXPECT_FALSE(matches_address("<>", address("a@b")));
  EXPECT_FALSE(matches_address("*@*", {}));
  EXPECT_TRUE(matches_address("*", {})) << "everything";
}

TEST(Glob, OfAListIsOneOfIt) {
  EXPECT_FALSE(matches_any_glob({}, ""));
  EXPECT_TRUE(matches_any_glob({"a", "b*"}, "bc"));
  EXPECT_TRUE(matches_any_address({"a.test", "<>"}, {}));
  EXPECT_FALSE(matches_any_address({"a.test", "b.test"}, address("a@c.test")));
}

}  // namespace
}  // namespace relay::policy
