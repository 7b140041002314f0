#include "relay/smtp/data_decoder.hpp"

#include <gtest/gtest.h>
#include <random>

#include "tests/support/data_decoder_reference.hpp"

namespace relay::smtp {
namespace {

using test::DecodedData;

DecodedData decode(std::string_view input, LineEnding ending, std::size_t piece) {
  DataDecoder decoder(ending);
  DecodedData result;
  while (result.taken < input.size() && !decoder.is_done()) {
    result.taken += decoder.feed(input.substr(result.taken, piece), result.content);
  }
  result.is_done = decoder.is_done();
  result.met_bare_line_ending = decoder.met_bare_line_ending();
  result.longest_line = decoder.longest_line();
  return result;
}

std::string stuffed(std::string_view content, std::size_t piece = 1 << 20) {
  DotStuffer stuffer;
  std::string out;
  for (; !content.empty(); content.remove_prefix(std::min(piece, content.size())))
    stuffer.feed(content.substr(0, piece), out);
  return out + std::string(stuffer.terminator());
}

TEST(DataDecoder, AgreesWithTheRuleOnRandomStreamsAtEveryCutCase015) {
  std::mt19937 random(20260101);
  const std::string alphabet("\r\n..x\r\n\0", 8);
  for (int round = 0; round < 20'000; ++round) {
    std::string input;
    for (auto n = random() % 14; n > 0; --n) input += alphabet[random() % alphabet.size()];
    input += "\r\n.\r\nNOOP\r\n";  // so that it ends
    for (const auto ending : {LineEnding::crlf, LineEnding::lf_or_crlf}) {
      const auto expected = test::data_reference(input, ending);
      ASSERT_TRUE(expected.is_done);
      for (const std::size_t piece : {1U, 2U, 3U, 100U})
        ASSERT_EQ(decode(input, ending, piece), expected) << testing::PrintToString(input);
    }
  }
}

TEST(DotStuffer, MakesContentThatDecodesToItselfCase019) {
  for (const std::string content :
       {"", "\r\n", ".", ".\r\n", "..", "..\r\n.x\r\n", ".leading\r\n\r\n.\r\n", "no final line end"}) {
    for (const std::size_t piece : {1U, 2U, 100U}) {
      const auto wire = stuffed(content, piece);
      const auto back = decode(wire, LineEnding::crlf, 1 << 20);
      EXPECT_TRUE(back.is_done);
      EXPECT_EQ(back.taken, wire.size()) << "exactly one end of data, at the end";
      const bool has_line_end = content.empty() || content.ends_with("\r\n");
      EXPECT_EQ(back.content, has_line_end ? content : content + "\r\n");
    }
  }
}

TEST(DotStuffer, EmitsNoBareLineEndForAnyAcceptedContentCase020) {
  std::mt19937 random(42);
  const std::string alphabet("\r\n..x \0\t", 8);
  for (int round = 0; round < 20'000; ++round) {
    std::string input;
    for (auto n = random() % 30; n > 0; --n) input += alphabet[random() % alphabet.size()];
    for (const auto ending : {LineEnding::crlf, LineEnding::lf_or_crlf}) {
      const auto wire = stuffed(decode(input + "\r\n.\r\n", ending, 7).content);
      for (std::size_t i = 0; i < wire.size(); ++i) {
        if (wire[i] == '\r') ASSERT_TRUE(i + 1 < wire.size() && wire[i + 1] == '\n');
        if (wire[i] == '\n') ASSERT_TRUE(i > 0 && wire[i - 1] == '\r');
      }
      const auto next_hop = decode(wire, LineEnding::crlf, 1 << 20);
      ASSERT_EQ(next_hop.taken, wire.size()) << "the next hop sees one message, and nothing behind it";
    }
  }
}

TEST(DataDecoder, MeasuresLinesAndSeesBareLineEnds) {
  DataDecoder decoder(LineEnding::crlf);
  std::string out;
  decoder.feed("12345\r\n123", out);
  EXPECT_EQ(decoder.longest_line(), 5U);
  EXPECT_FALSE(decoder.met_bare_line_ending());
  decoder.feed("4567\n", out);
  EXPECT_EQ(decoder.longest_line(), 7U);
  EXPECT_TRUE(decoder.met_bare_line_ending());
}

}  // namespace
}  // namespace relay::smtp
