#include "relay/sts/policy.hpp"

#include <gtest/gtest.h>

namespace relay::sts {
namespace {

using std::chrono::seconds;

const std::string kExample =
  "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

Policy policy_of(const std::string& text) {
  auto policy = parse_policy(text);
  EXPECT_TRUE(policy) << (policy ? "" : policy.error().context);
  return policy.value_or(Policy{});
}
std::string fault_in(const std::string& text) {
  const auto policy = parse_policy(text);
  return policy ? "valid" : policy.error().context;
}

TEST(StsPolicy, IsReadWithEitherLineEnd) {
  const Policy expected{Mode::enforce, seconds{604'800}, {"mail.example.com", "*.example.net"}};
  EXPECT_EQ(policy_of(kExample), expected);
  EXPECT_EQ(
    policy_of("max_age:604800 \nmx:\tMail.Example.COM\n\nmx: *.example.net\nmode: enforce\nversion: STSv1"),
    expected
  );
}

TEST(StsPolicy, IgnoresUnknownKeysAndRepeatedOnes) {
  const auto policy = policy_of(
    "version: STSv1\nversion: STSv2\nmode: testing\nmode: enforce\nmax_age: 1\nmax_age: x\n"
    "mx: a.example\nx-new.key_1: gr\xc3\xbc\xc3\x9f: \xff\nempty:\n"
  );
  EXPECT_EQ(policy, (Policy{Mode::testing, seconds{1}, {"a.example"}}));
}

TEST(StsPolicy, NeedsNoHostsForModeNone) {
  EXPECT_EQ(policy_of("version: STSv1\nmode: none\nmax_age: 0\n"), (Policy{Mode::none, seconds{0}, {}}));
  EXPECT_NE(fault_in("version: STSv1\nmode: enforce\nmax_age: 86400\n"), "valid");
}

TEST(StsPolicy, IsRefusedWhenAValueIsNotValid) {
  const std::string rest = "mx: a.example\n";
  const std::string head = "version: STSv1\nmode: enforce\n";
  EXPECT_EQ(fault_in(head + "max_age: 31557600\n" + rest), "valid");
  for (const auto* age : {"31557601", "-1", "", "1 day", "00000000001", "99999999999999999999"})
    EXPECT_EQ(fault_in(head + "max_age: " + age + "\n" + rest), "MTA-STS policy: not valid: max_age") << age;
  for (const auto* host :
       {"", "*", "*.", "m*.example", "*.*.example", "a..example", ".example", "a b", "[192.0.2.1]"})
    EXPECT_EQ(fault_in(head + "max_age: 9\nmx: " + host + "\n"), "MTA-STS policy: not valid: mx") << host;
  EXPECT_EQ(
    fault_in("version: STSv1\nmode: Enforce\nmax_age: 9\n" + rest), "MTA-STS policy: not valid: mode"
  );
  EXPECT_EQ(
    fault_in("version: STSv2\nmode: enforce\nmax_age: 9\n" + rest), "MTA-STS policy: not valid: version"
  );
}

TEST(StsPolicy, IsRefusedWhenAKeyIsMissing) {
  EXPECT_EQ(fault_in(""), "MTA-STS policy: no version");
  EXPECT_EQ(fault_in("version: STSv1\n"), "MTA-STS policy: no mode");
  EXPECT_EQ(fault_in("version: STSv1\nmode: none\n"), "MTA-STS policy: no max_age");
}

TEST(StsPolicy, WithstandsHostileOctets) {
  EXPECT_NE(fault_in(kExample + std::string("note: a\0b\n", 10)), "valid");
  EXPECT_NE(fault_in(kExample + "note: \x1b[2J\n"), "valid");
  EXPECT_NE(fault_in(kExample + "a\rb: c\n"), "valid") << "a bare CR ends no line";
  EXPECT_NE(fault_in("<html><body>Not here</body></html>\n"), "valid");
  EXPECT_NE(fault_in(kExample + ": value\n"), "valid");
  const auto fault = fault_in(kExample + "secret\x01: value\n");
  EXPECT_EQ(fault.find("secret"), std::string::npos) << "it says nothing of what the file says";
}

TEST(StsPolicy, IsBounded) {
  EXPECT_EQ(fault_in(kExample + std::string(kMaxPolicyOctets - kExample.size(), '\n')), "valid");
  const auto too_large = parse_policy(kExample + std::string(kMaxPolicyOctets, '\n'));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, Errc::too_large);
  std::string many = "version: STSv1\nmode: enforce\nmax_age: 9\n";
  for (std::size_t i = 0; i < kMaxPatterns; ++i) many += "mx: a.example\n";
  EXPECT_EQ(policy_of(many).mx.size(), kMaxPatterns);
  EXPECT_NE(fault_in(many + "mx: a.example\n"), "valid");
}

TEST(StsPolicy, IsWrittenAsItIsRead) {
  const auto policy = policy_of(kExample);
  EXPECT_EQ(policy_of(to_text(policy)), policy);
  EXPECT_EQ(to_lines(policy).front(), "version: STSv1");
}

TEST(StsPolicy, NamesHostsByWholeLabels) {
  const auto policy = policy_of(kExample);
  for (const auto* host : {"mail.example.com", "MAIL.example.COM.", "a.example.net", "a-b.EXAMPLE.net"})
    EXPECT_TRUE(matches(policy, host)) << host;
  for (const auto* host :
       {"", ".", "example.com", "a.mail.example.com", "example.net", "a.b.example.net", ".example.net",
        "xexample.net", "mail.example.com..", "a.example.net.evil.example", "*.example.com"})
    EXPECT_FALSE(matches(policy, host)) << host;
}

}  // namespace
}  // namespace relay::sts
