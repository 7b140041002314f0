#include "relay/dkim/field.hpp"

#include <chrono>
#include <gtest/gtest.h>
#include <random>

namespace relay::dkim {
namespace {

TEST(SplitFields, GivesNameValueAndWhole) {
  const auto fields = split_fields("A: b\r\n folded\r\nC \t:\td\r\n: none\r\nE:\r\n\r\nF: body\r\n");
  ASSERT_EQ(fields.size(), 4U);
  EXPECT_EQ(fields[0].name, "A");
  EXPECT_EQ(fields[0].value, " b\r\n folded");
  EXPECT_EQ(fields[0].whole, "A: b\r\n folded");
  EXPECT_EQ(fields[1].name, "C");
  EXPECT_EQ(fields[2].name, "");
  EXPECT_EQ(fields[3].value, "");
}

TEST(SplitFields, EndsBeforeWhatIsNoField) {
  EXPECT_EQ(split_fields("").size(), 0U);
  EXPECT_EQ(split_fields(" A: b\r\n").size(), 0U);
  EXPECT_EQ(split_fields("A: b\r\nno field\r\nC: d\r\n").size(), 1U);
  EXPECT_EQ(split_fields("A b: c\r\n").size(), 0U);
  EXPECT_EQ(split_fields(std::string(1024, 'a') + ": x").size(), 1U);
  EXPECT_EQ(split_fields(std::string(1025, 'a') + ": x").size(), 0U);
  EXPECT_EQ(split_fields("A: no line end").size(), 1U);
}

TEST(MailboxDomain, SeesThroughWhatAFromFieldMayHold) {
  for (const auto* value :
       {"joe@Example.org", " Joe <joe@example.org>\r\n",
        "\"joe@evil.example, <x@evil.example>\" <joe@example.org>",
        "(a@evil.example (nested \\) b@evil.example)) joe (x) @ (y) example (z) . org (a@evil.example)",
        "joe@evil.example <joe@example.org>", "a@b@evil.example <joe@example.org>",
        "J. R. Doe\r\n\t<joe@example.org>", "<joe@example.org>, b@evil.example",
        "joe@example.org, Other <b@evil.example>", "Group: joe@example.org, b@evil.example;",
        "Empty: ; , joe@example.org", "<@route.example,@b.example:joe@example.org>",
        "=?utf-8?q?J=C3=B6?= <joe@example.org>", "\xff\xfe <joe@example.org>",
        "\"a\\\"b@evil.example\"@example.org", "[list] Joe <joe@example.org> junk", ", joe@example.org"}) {
    EXPECT_EQ(mailbox_domain(value), "example.org") << value;
  }
}

TEST(MailboxDomain, IsNoneOfABrokenField) {
  for (const auto* value :
       {"",
        " ",
        "joe",
        "@example.org",
        "<@example.org>",
        "joe@",
        "<joe@example.org",
        "<<joe@example.org>",
        "\"joe@example.org",
        "(joe@example.org",
        "joe@example.org (",
        "joe@[10.0.0.1]",
        "joe@example.org.",
        "joe@b\xc3\xbc"
        "cher.example",
        "a@b@example.org",
        "joe@example org",
        "joe@\"example.org\"",
        "joe@exa_mple..org",
        "undisclosed:;",
        ")"}) {
    EXPECT_EQ(mailbox_domain(value), std::nullopt) << value;
  }
}

TEST(MailboxDomain, BearsAnyOctets) {
  std::mt19937 random(42);
  constexpr std::string_view kAlphabet = "<>()[]\"\\@,;:. \t\r\na\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 40, ' ');
    for (auto& c : text) c = kAlphabet[random() % kAlphabet.size()];
    const auto domain = mailbox_domain(text);
    if (domain) EXPECT_FALSE(domain->empty()) << text;
    std::size_t size = 0;
    for (const auto& field : split_fields(text)) size += field.whole.size();
    EXPECT_LE(size, text.size());
  }
}

TEST(MailboxDomain, TakesTimeInProportionToTheSize) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view unit :
       {"(", "<", "\"a\"", "a@b,", "a@b ", "@.", ":", "\\", "()", "A:\r\n", "\r\n "}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    EXPECT_LE(mailbox_domain(text).value_or("").size(), 255U);
    EXPECT_LE(split_fields(text).size(), text.size());
    EXPECT_LE(split_fields("X:" + text).size(), text.size());
  }
  // Some milliseconds each; in quadratic time it would be many minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace relay::dkim
