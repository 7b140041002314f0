#include "relay/smtp/input.hpp"

#include <gtest/gtest.h>

namespace relay::smtp {
namespace {

constexpr std::size_t kCap = 8;

TEST(InputOfAClient, IsTakenLineByLineHoweverItWasCut) {
  Input input;
  for (const char octet : std::string_view("NOOP\r\nRS\nx")) input.append({&octet, 1});
  const auto first = input.take_line(kCap);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->text, "NOOP");
  EXPECT_EQ(first->ending, LineEnding::crlf);
  const auto second = input.take_line(kCap);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->text, "RS");
  EXPECT_EQ(second->ending, LineEnding::lf_or_crlf);
  EXPECT_FALSE(input.take_line(kCap));
  EXPECT_FALSE(input.is_longer_than(kCap)) << "its end may come yet";
  EXPECT_TRUE(input.is_within_line());
  input.append("\r\n");
  EXPECT_EQ(input.take_line(kCap)->text, "x");
  EXPECT_FALSE(input.is_within_line());
}

TEST(InputOfAClient, HoldsALineWhoseEndIsAmongTheFirstOctets) {
  Input input;
  input.append("123456\r\n123456");
  EXPECT_EQ(input.take_line(kCap)->text, "123456");
  input.append("7\r\n");
  EXPECT_FALSE(input.take_line(kCap));
  EXPECT_TRUE(input.is_longer_than(kCap));
}

TEST(InputOfAClient, SkipsALongLineToItsEnd) {
  Input input;
  input.append("123456789");
  ASSERT_FALSE(input.take_line(kCap));
  input.begin_skipping();
  EXPECT_FALSE(input.skip_line());
  EXPECT_TRUE(input.is_empty());
  EXPECT_TRUE(input.is_within_line()) << "its end has not come";
  input.append("0\nNOOP\r\n");
  EXPECT_TRUE(input.skip_line());
  EXPECT_FALSE(input.is_skipping());
  EXPECT_EQ(input.take_line(kCap)->text, "NOOP");
}

TEST(InputOfAClient, IsEndlessBehindTwoMebibytesOfALine) {
  Input input;
  input.begin_skipping();
  input.append(std::string(kMaxSkippedLine - 1, 'x'));
  EXPECT_FALSE(input.skip_line());
  EXPECT_FALSE(input.is_endless());
  input.append("x");
  EXPECT_FALSE(input.skip_line());
  EXPECT_TRUE(input.is_endless());
}

TEST(InputOfAClient, IsHandedOutAsItIs) {
  Input input;
  input.append("one\r\ntwo");
  input.consume(2);
  EXPECT_EQ(input.pending(), "e\r\ntwo");
  input.shrink();
  EXPECT_EQ(input.pending(), "e\r\ntwo") << "nothing is lost";
  input.consume(6);
  EXPECT_TRUE(input.is_empty());
}

}  // namespace
}  // namespace relay::smtp
