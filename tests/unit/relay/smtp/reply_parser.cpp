#include "relay/smtp/reply_parser.hpp"

#include <gtest/gtest.h>

namespace relay::smtp {
namespace {

std::vector<Reply> parse(std::string_view octets, std::size_t piece) {
  ReplyParser parser;
  std::vector<Reply> replies;
  for (; !octets.empty(); octets.remove_prefix(std::min(piece, octets.size()))) {
    parser.feed(octets.substr(0, piece));
    while (auto reply = parser.next()) replies.push_back(*reply);
  }
  return replies;
}

TEST(ReplyParser, ReadsRepliesHoweverTheyAreCut) {
  const std::string octets = "250-hop\r\n250-SIZE 1\r\n250 DSN\r\n550 5.1.1 unknown\r\n354\r\n250 2.0.0 ok\n";
  for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
    const auto replies = parse(octets, piece);
    ASSERT_EQ(replies.size(), 4U);
    EXPECT_EQ(replies[0].text, "hop\nSIZE 1\nDSN");
    EXPECT_EQ(replies[1], (Reply{550, EnhancedStatus{5, 1, 1}, "unknown"}));
    EXPECT_EQ(replies[2], (Reply{354, std::nullopt, ""}));
    EXPECT_EQ(replies[3], (Reply{250, EnhancedStatus{2, 0, 0}, "ok"}));
  }
}

TEST(ReplyParser, CountsTheCodeOfTheLastLineCase120) {
  EXPECT_EQ(parse("250-a\r\n550 b\r\n", 100).front().code, 550);
}

TEST(ReplyParser, DropsAStatusThatContradictsTheCode) {
  EXPECT_FALSE(parse("550 2.0.0 ok\r\n", 100).front().status);
  EXPECT_FALSE(parse("250-2.0.0 ok\r\n550 no\r\n", 100).front().status) << "that of a line before";
  EXPECT_EQ(parse("550-5.1.1 no\r\n550 2.0.0 ok\r\n", 100).front().status, (EnhancedStatus{5, 1, 1}));
}

TEST(ReplyParser, KeepsLittleOfALongReplyCase120) {
  std::string octets;
  for (int i = 0; i < 500; ++i) octets += "250-" + std::string(90, 'x') + "\r\n";
  const auto replies = parse(octets + "250 end\r\n", 1000);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies.front().text.size(), kMaxReplyText);
}

TEST(ReplyParser, GivesUpOnWhatIsNoReplyCase120) {
  for (const std::string octets :
       {"hello\r\n", "25 ok\r\n", "250_ok\r\n", "150 x\r\n", "600 x\r\n", "\r\n", "2500 x\r\n"}) {
    ReplyParser parser;
    parser.feed(octets);
    EXPECT_FALSE(parser.next());
    EXPECT_TRUE(parser.is_garbage()) << octets;
  }
  ReplyParser endless;
  for (int i = 0; i < 5; ++i) {
    endless.feed(std::string(16'384, '2'));
    EXPECT_FALSE(endless.next());
  }
  EXPECT_TRUE(endless.is_garbage());
}

}  // namespace
}  // namespace relay::smtp
