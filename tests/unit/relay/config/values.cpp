#include "relay/config/values.hpp"

#include <gtest/gtest.h>

namespace relay::config {
namespace {

using namespace std::chrono_literals;

/// A member of each kind.
struct Sample {
  std::uint64_t number = 5;
  std::optional<std::uint64_t> maybe = 6;
  milliseconds time{7};
  std::optional<milliseconds> maybe_time = 8ms;
  std::optional<queue::Rate> rate = queue::Rate{9, 1s};
  std::vector<std::uint64_t> list{1};
  std::vector<std::string> domains{"a.test"};
  std::string text = "old";
  Switch is_on = Switch::off;
};

template <auto Member, class Set>
std::string written_after(Set set, std::string_view text) {
  Sample sample;
  const auto before = get<Member>(sample);
  if (!set(sample, text)) {
    EXPECT_EQ(get<Member>(sample), before) << "a fault changes nothing";
    return "fault";
  }
  return get<Member>(sample);
}

TEST(Label, IsLettersDigitsAndHyphensWithin) {
  for (const auto* good : {"a", "a-1", "Smart2"}) EXPECT_TRUE(is_label(good)) << good;
  EXPECT_TRUE(is_label(std::string(63, 'a')));
  EXPECT_FALSE(is_label(std::string(64, 'a')));
  for (const auto* bad : {"", "-a", "a-", "a.b", "a/b", "a b", "a_b", "\xc3\xa4"})
    EXPECT_FALSE(is_label(bad)) << bad;
}

TEST(Rate, IsACountInATime) {
  EXPECT_EQ(parse_rate("100/1m").value(), (queue::Rate{100, 1min}));
  EXPECT_EQ(parse_rate("1/1ms").value(), (queue::Rate{1, 1ms}));
  for (const auto* bad :
       {"", "100", "100/", "/1m", "0/1m", "1/0s", "-1/1m", "1.5/1m", "1/1m/1m", "1/fortnight"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
}

TEST(Rate, IsWrittenAsItIsRead) {
  for (const auto* text : {"100/1m", "1/1ms", "5/1h30m"}) EXPECT_EQ(to_text(parse_rate(text).value()), text);
}

TEST(Factor, HasTwoDecimalsAtMost) {
  EXPECT_EQ(parse_factor("2").value(), queue::Factor{200});
  EXPECT_EQ(parse_factor("1.5").value(), queue::Factor{150});
  EXPECT_EQ(parse_factor("2.0").value(), queue::Factor{200});
  EXPECT_EQ(parse_factor("10.05").value(), queue::Factor{1005});
  for (const auto* bad :
       {"", ".", "1.", ".5", "1.234", "-1", "1,5", "1.5.2", "1e1", "two", " 2", "18446744073709551617",
        "99999999"})
    EXPECT_FALSE(parse_factor(bad)) << bad;
}

TEST(Factor, IsWrittenAsItIsRead) {
  for (const auto* text : {"1", "2", "1.5", "1.05", "1.25", "10"})
    EXPECT_EQ(to_text(parse_factor(text).value()), text);
}

TEST(Value, IsCheckedAgainstItsRange) {
  const auto set = range<&Sample::number, 1ULL, 10ULL>;
  EXPECT_EQ(written_after<&Sample::number>(set, "1"), "1");
  EXPECT_EQ(written_after<&Sample::number>(set, "10"), "10");
  for (const auto* bad : {"0", "11", "", "x", "-1", "18446744073709551616"})
    EXPECT_EQ(written_after<&Sample::number>(set, bad), "fault") << bad;
}

TEST(Value, ThatMayBeAbsentIsReadFromNothing) {
  EXPECT_EQ(written_after<&Sample::maybe>(range<&Sample::maybe, 1ULL, 10ULL>, ""), "");
  EXPECT_EQ(written_after<&Sample::maybe>(range<&Sample::maybe, 1ULL, 10ULL>, "10"), "10");
  EXPECT_EQ(written_after<&Sample::maybe>(range<&Sample::maybe, 1ULL, 10ULL>, "11"), "fault");
  EXPECT_EQ(written_after<&Sample::maybe_time>(lasting<&Sample::maybe_time, 1, 1000>, ""), "");
  EXPECT_EQ(written_after<&Sample::maybe_time>(lasting<&Sample::maybe_time, 1, 1000>, "1s"), "1s");
  EXPECT_EQ(written_after<&Sample::maybe_time>(lasting<&Sample::maybe_time, 1, 1000>, "0s"), "fault");
  EXPECT_EQ(written_after<&Sample::rate>(any<&Sample::rate>, ""), "");
  EXPECT_EQ(written_after<&Sample::rate>(any<&Sample::rate>, "2/1s"), "2/1s");
  EXPECT_EQ(written_after<&Sample::rate>(any<&Sample::rate>, "2"), "fault");
}

TEST(Value, ThatLastsIsCheckedInMilliseconds) {
  const auto set = lasting<&Sample::time, 100, kSecond>;
  EXPECT_EQ(written_after<&Sample::time>(set, "100ms"), "100ms");
  EXPECT_EQ(written_after<&Sample::time>(set, "1s"), "1s");
  for (const auto* bad : {"99ms", "1s1ms", "", "5"})
    EXPECT_EQ(written_after<&Sample::time>(set, bad), "fault") << bad;
}

TEST(List, IsReplacedAsAWhole) {
  EXPECT_EQ(written_after<&Sample::list>(any<&Sample::list>, " 3, 4 ,"), "3,4");
  EXPECT_EQ(written_after<&Sample::list>(any<&Sample::list>, ""), "");
  EXPECT_EQ(written_after<&Sample::list>(any<&Sample::list>, "3,x"), "fault");
  EXPECT_EQ(written_after<&Sample::list>(at_least_one<&Sample::list>, ","), "fault");
  EXPECT_EQ(written_after<&Sample::list>(at_most_one<&Sample::list>, "1,2"), "fault");
}

TEST(Word, IsOneOfItsTable) {
  EXPECT_EQ(written_after<&Sample::is_on>(any<&Sample::is_on>, "on"), "on");
  for (const auto* bad : {"On", "", "true"})
    EXPECT_EQ(written_after<&Sample::is_on>(any<&Sample::is_on>, bad), "fault");
}

TEST(Text, IsCheckedByWhatItNames) {
  EXPECT_EQ(written_after<&Sample::text>(host_name<&Sample::text>, "a.test"), "a.test");
  EXPECT_EQ(written_after<&Sample::text>(host_name<&Sample::text>, ""), "");
  EXPECT_EQ(written_after<&Sample::text>(host_name<&Sample::text>, "a b"), "fault");
  EXPECT_EQ(written_after<&Sample::text>(label<&Sample::text>, ""), "fault");
  EXPECT_EQ(written_after<&Sample::text>(absolute_path<&Sample::text>, ""), "fault");
  EXPECT_EQ(written_after<&Sample::text>(absolute_path<&Sample::text>, "a"), "fault");
  EXPECT_EQ(written_after<&Sample::text>(path_or_nothing<&Sample::text>, ""), "");
  EXPECT_EQ(written_after<&Sample::text>(path_or_nothing<&Sample::text>, "a"), "fault");
}

TEST(AddressOrNothing, IsAnAsciiAddressAtANamedDomain) {
  const auto set = address_or_nothing<&Sample::text>;
  for (const auto* good : {"", "postmaster@example.org", "a.b+c@localhost", "\"a b\"@example.org"})
    EXPECT_EQ(written_after<&Sample::text>(set, good), good);
  for (const auto* bad :
       {"postmaster", "Postmaster", "@example.org", "a@", "a b@example.org", "a@b@example.org", " ",
        "<a@example.org>", "Reports <a@example.org>", "a@[192.0.2.1]", "a@example..org",
        "a@example.org\r\nBcc: b", "gr\xc3\xbcn@example.org", "a@gr\xc3\xbcn.example"})
    EXPECT_EQ(written_after<&Sample::text>(set, bad), "fault") << bad;
}

TEST(DomainPatterns, AreDomainsOrAStarInFront) {
  const auto set = domain_patterns<&Sample::domains>;
  for (const auto* good : {"", "*", "example.org", "*.example.org", "a.test,*.b.test,*"})
    EXPECT_EQ(written_after<&Sample::domains>(set, good), good);
  for (const auto* bad : {"*.", "*.*", "a.*", "*example.org", "user@example.org", "a b", "example.org,-"})
    EXPECT_EQ(written_after<&Sample::domains>(set, bad), "fault") << bad;
}

}  // namespace
}  // namespace relay::config
