#include "relay/smtp/incoming_content.hpp"

#include <gtest/gtest.h>

namespace relay::smtp {
namespace {

using std::chrono_literals::operator""s;
using Due = IncomingContent::Due;

class ContentOfAMessage : public ::testing::Test {
 protected:
  ContentOfAMessage() { limits.max_message_size = {100'000}; }

  IncomingContent by_data(const mail::Mending& mending = {}) const {
    return {DataDecoder(LineEnding::crlf), "node1.example", mending, limits};
  }
  IncomingContent by_bdat(const Chunk& first) const {
    IncomingContent content(ChunkDecoder(), "node1.example", {}, limits);
    content.begin_chunk(first);
    return content;
  }
  Due read(IncomingContent& content, std::string_view octets) {
    input.append(octets);
    return content.read(input, limits);
  }

  ServerLimits limits;
  Input input;
};

TEST_F(ContentOfAMessage, ByDataEndsAtItsDot) {
  auto content = by_data();
  EXPECT_EQ(read(content, "A: b\r\n\r\n..x\r\n"), Due::nothing);
  EXPECT_EQ(read(content, ".\r\nQUIT\r\n"), Due::end);
  EXPECT_EQ(input.pending(), "QUIT\r\n") << "what stands behind is not its own";
  EXPECT_FALSE(content.refusal());
  EXPECT_EQ(content.size(), 12U);
  EXPECT_EQ(content.take_chunk(), "A: b\r\n\r\n.x\r\n");
}

TEST_F(ContentOfAMessage, ByBdatEndsWithItsLastChunk) {
  auto content = by_bdat({6, false});
  EXPECT_EQ(read(content, "A: b\r\n"), Due::next_chunk);
  content.begin_chunk({3, true});
  EXPECT_EQ(read(content, "\r\nxQUIT\r\n"), Due::end);
  EXPECT_EQ(input.pending(), "QUIT\r\n");
  EXPECT_EQ(content.take_chunk(), "A: b\r\n\r\nx\r\n") << "a last line gets its end";
}

TEST_F(ContentOfAMessage, IsHandedOnInPieces) {
  auto content = by_data();
  const std::string line(998, 'x');
  std::string octets = "\r\n";
  while (octets.size() < 2 * kChunkSize) octets += line + "\r\n";
  EXPECT_FALSE(content.has_reached_sink());
  EXPECT_EQ(read(content, octets + ".\r\n"), Due::hand_on);
  auto whole = content.take_chunk();
  EXPECT_GE(whole.size(), kChunkSize);
  EXPECT_TRUE(content.has_reached_sink());
  auto due = read(content, "");
  for (; due == Due::hand_on; due = read(content, "")) whole += content.take_chunk();
  EXPECT_EQ(due, Due::end);
  EXPECT_EQ(content.size(), octets.size());
  EXPECT_EQ(whole + content.take_chunk(), octets);
}

TEST_F(ContentOfAMessage, ThatIsTooLargeIsSwallowedAndTheSinkForgetsIt) {
  auto content = by_data();
  std::string octets;
  while (octets.size() <= limits.max_message_size.count) octets += "a line\r\n";
  auto due = read(content, octets);
  for (; due == Due::hand_on; due = read(content, "")) EXPECT_FALSE(content.take_chunk().empty());
  EXPECT_EQ(due, Due::discard);
  EXPECT_EQ(read(content, octets), Due::nothing);
  EXPECT_EQ(read(content, ".\r\n"), Due::end);
  EXPECT_EQ(content.refusal(), too_large(limits));
  EXPECT_TRUE(content.take_chunk().empty()) << "nothing of it is held";
}

TEST_F(ContentOfAMessage, IsNotSwallowedForEverCase078) {
  auto content = by_data();
  content.refuse(too_large(limits));
  const std::string piece(1U << 20U, '\n');
  EXPECT_EQ(read(content, piece), Due::nothing);
  EXPECT_EQ(read(content, piece), Due::nothing);
  EXPECT_EQ(read(content, piece), Due::too_much);
  EXPECT_GT(content.taken(), most_swallowed(limits));
}

TEST_F(ContentOfAMessage, WithBareLineEndsEndsAConnectionByDataAlone) {
  limits.bare_line_endings = BareLineEndings::reject;
  auto by_dot = by_data();
  EXPECT_EQ(read(by_dot, "a\nb\r\n"), Due::bare_line_ending);
  auto by_size = by_bdat({5, true});
  EXPECT_EQ(read(by_size, "a\nb\r\n"), Due::end);
  ASSERT_TRUE(by_size.refusal());
  EXPECT_EQ(by_size.refusal()->code, 550);
}

TEST_F(ContentOfAMessage, ThatLoopsIsRefusedAtItsEndCase087) {
  auto content = by_data();
  std::string header;
  for (int i = 0; i < 100; ++i) header += "Received: from a by b; now\r\n";
  EXPECT_EQ(read(content, header), Due::nothing);
  EXPECT_EQ(read(content, "\r\n.\r\n"), Due::end);
  ASSERT_TRUE(content.refusal());
  EXPECT_EQ(content.refusal()->to_line(), "554 5.4.6 Too many hops, this message loops");
}

TEST_F(ContentOfAMessage, IsMendedAndWhatWeAddIsNotItsClients) {
  limits.max_message_size = {20};
  mail::Mending mending;
  mending.date = "Thu, 1 Jan 1970 00:00:00 +0000";
  auto content = by_data(mending);
  EXPECT_EQ(read(content, "Subject: x\r\n\r\nhello\r\n.\r\n"), Due::end);
  EXPECT_EQ(content.refusal(), too_large(limits)) << "it is 21 octets";
  auto shorter = by_data(mending);
  EXPECT_EQ(read(shorter, "Subject: x\r\n\r\nhell\r\n.\r\n"), Due::end);
  EXPECT_FALSE(shorter.refusal());
  EXPECT_EQ(shorter.take_chunk(), "Subject: x\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\nhell\r\n");
}

TEST_F(ContentOfAMessage, HasTheTimeThatItsOctetsEarnCase080) {
  limits.idle_timeout = 10s;
  limits.min_data_rate = 500;
  auto content = by_data();
  EXPECT_EQ(content.time_left(), 10s);
  content.wait(4s, 500, limits);
  EXPECT_EQ(content.time_left(), 7s);
  content.wait(0s, 50'000, limits);
  EXPECT_EQ(content.time_left(), 10s) << "no more than at the beginning";
  content.wait(60s, 1, limits);
  EXPECT_EQ(content.time_left(), milliseconds{1});
}

}  // namespace
}  // namespace relay::smtp
