#include "relay/smtp/data_decoder.hpp"

#include <gtest/gtest.h>
#include <random>

namespace relay::smtp {
namespace {

struct Decoded {
  std::string content;
  std::size_t taken = 0;
  bool is_done = false;
};

Decoded decode(std::string_view input, LineEnding ending, std::size_t piece) {
  DataDecoder decoder(ending);
  Decoded result;
  while (result.taken < input.size() && !decoder.is_done()) {
    result.taken += decoder.feed(input.substr(result.taken, piece), result.content);
  }
  result.is_done = decoder.is_done();
  return result;
}

std::string stuffed(std::string_view content, std::size_t piece = 1 << 20) {
  DotStuffer stuffer;
  std::string out;
  for (; !content.empty(); content.remove_prefix(std::min(piece, content.size())))
    stuffer.feed(content.substr(0, piece), out);
  return out + std::string(stuffer.terminator());
}

/// The rule in a few lines, over the whole stream at once: what the decoder must agree with at every cut
/// (case 15).
Decoded reference(std::string_view input, LineEnding ending) {
  Decoded result;
  bool at_line_start = true;
  std::size_t i = 0;
  const auto at = [&](std::string_view text) { return input.substr(i).starts_with(text); };
  while (i < input.size()) {
    const bool lf = ending == LineEnding::lf_or_crlf;
    if (at_line_start && (at(".\r\n") || (lf && at(".\n")))) {
      result.taken = i + (at(".\n") ? 2 : 3);
      result.is_done = true;
      return result;
    }
    if (at_line_start && at(".")) ++i;
    at_line_start = false;
    if (i == input.size()) break;
    if (at("\r\n")) {
      result.content += "\r\n";
      i += 2;
      at_line_start = true;
    } else if (at("\r") || at("\n")) {
      at_line_start = lf && at("\n");
      result.content += "\r\n";
      ++i;
    } else {
      result.content += input[i++];
    }
  }
  result.taken = input.size();
  return result;
}

TEST(DataDecoder, AgreesWithTheRuleOnRandomStreamsAtEveryCutCase015) {
  std::mt19937 random(20260101);
  const std::string alphabet("\r\n..x\r\n\0", 8);
  for (int round = 0; round < 20'000; ++round) {
    std::string input;
    for (auto n = random() % 14; n > 0; --n) input += alphabet[random() % alphabet.size()];
    input += "\r\n.\r\nNOOP\r\n";  // so that it ends
    for (const auto ending : {LineEnding::crlf, LineEnding::lf_or_crlf}) {
      const auto expected = reference(input, ending);
      for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
        const auto actual = decode(input, ending, piece);
        ASSERT_EQ(actual.content, expected.content) << testing::PrintToString(input);
        ASSERT_EQ(actual.taken, expected.taken) << testing::PrintToString(input);
        ASSERT_TRUE(actual.is_done);
      }
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
