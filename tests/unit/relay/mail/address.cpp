#include "relay/mail/address.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

TEST(Address, IsKeptAsItWasWritten) {
  for (const auto* text :
       {"rome@buildinglink.com", "A.b+c@EXAMPLE.com", R"("a b@c"@example.com)", R"("a\"b"@x.y)",
        "user@[10.0.0.1]", "user@[IPv6:2001:db8::1]", "a..b@docomo.example", "o'neil/x=y@example.com"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_text(), text);
  }
}

TEST(Address, ExpandsNothingCase041) {
  for (const auto* text : {"${run{/bin/true}}@x", "%s%n@x", "{{7*7}}@x", "`id`@x", "$x@x"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_text(), text);
  }
}

TEST(Address, WithoutDomainIsPostmasterOnlyCase038) {
  EXPECT_EQ(Address::parse("Postmaster")->to_text(), "Postmaster");
  for (const auto* text :
       {";for i in 0;do...", "$(x)", "`id`", "|cat", "root", "domain!to", R"("to@domain")"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

TEST(Address, RefusesBrokenFormsCase040) {
  for (const auto* text :
       {"", "@", "user@", "@d", "a@b@c", "a b@c", "a@b c", "a@-b", "a@b.", "a(b)@c", "a@b\r\nc", "\"a@b",
        "\"a\"b@c", "a\"b\"@c", "\"a\x01\"@c", "\xc3\xa4@b"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
  EXPECT_FALSE(Address::parse(std::string("a\0b@c", 5)));
}

TEST(Address, MayBeUtf8WhereThatIsDeclaredCase051) {
  for (const auto* text :
       {"\xc3\xbcser@example.com",
        "a@b\xc3\xbc"
        "cher.example",
        "\"\xc3\xbc x\"@d", "\xf0\x9f\x93\xa7@\xe4\xbe\x8b.example"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
    const auto address = Address::parse(text, Charset::utf8);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_text(), text);
    EXPECT_FALSE(address->is_ascii());
  }
  EXPECT_TRUE(Address::parse("a@b", Charset::utf8)->is_ascii());
  for (const auto* text :
       {"\xc0\xaf@d", "\xff@d", "\xc2\x85@d", "a@-\xc3\xbc", "a@\xc3\xbc..d", "a@[\xc3\xbc]"})
    EXPECT_FALSE(Address::parse(text, Charset::utf8)) << text;
  EXPECT_FALSE(Address::parse(std::string("\xc3\xbc\0@d", 5), Charset::utf8));
}

TEST(Address, CountsOctetsOfUtf8Case049) {
  std::string local;
  for (int i = 0; i < 32; ++i) local += "\xc3\xbc";
  EXPECT_TRUE(Address::parse(local + "@d", Charset::utf8));
  EXPECT_FALSE(Address::parse(local + "x@d", Charset::utf8));
}

TEST(Address, HasTheLimitsOfRfc5321Case049) {
  const auto local = [](std::size_t n) { return std::string(n, 'a') + "@example.com"; };
  EXPECT_TRUE(Address::parse(local(64)));
  EXPECT_FALSE(Address::parse(local(65)));
  // A path has at most 256 octets, its brackets included.
  const std::string domain = std::string(63, 'd') + "." + std::string(63, 'd') + "." + std::string(61, 'd');
  const std::string path = std::string(64, 'a') + "@" + domain;
  ASSERT_EQ(path.size() + 2, 256U);
  EXPECT_TRUE(Address::parse(path));
  EXPECT_FALSE(Address::parse(path + "d"));
}

TEST(Domain, HasAtMost255OctetsCase049) {
  const auto labels = [](std::size_t last) {
    const std::string label(63, 'd');
    return label + "." + label + "." + label + "." + std::string(last, 'd');
  };
  EXPECT_TRUE(is_domain(labels(63)));
  ASSERT_EQ(labels(63).size(), 255U);
  EXPECT_FALSE(is_domain(labels(63) + ".d"));
}

TEST(Domain, AcceptsAddressLiteralsStrictlyCase050) {
  for (const auto* text : {"[127.0.0.1]", "[IPv6:::1]", "[ipv6:2001:db8::1]", "[IPv6:::ffff:10.0.0.1]"}) {
    EXPECT_TRUE(is_domain(text)) << text;
  }
  for (const auto* text :
       {"[999.1.1.1]", "[IPv6:", "[", "[]", "[IPv6:]", "[IPv6:10.0.0.1]", "[::1]", "[127.0.0.1", "127.0.0.1]"
       }) {
    EXPECT_FALSE(is_domain(text)) << text;
  }
}

}  // namespace
}  // namespace relay::mail
