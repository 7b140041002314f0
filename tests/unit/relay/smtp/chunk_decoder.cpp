#include "relay/smtp/chunk_decoder.hpp"

#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "tests/support/chunk_decoder_reference.hpp"

namespace relay::smtp {
namespace {

using test::DecodedChunks;

/// One message: `chunks` one after the other, each in pieces of `piece` octets.
DecodedChunks decode(const std::vector<std::string>& chunks, std::size_t piece) {
  ChunkDecoder decoder;
  DecodedChunks result;
  for (const auto& chunk : chunks) {
    decoder.begin({chunk.size(), &chunk == &chunks.back()});
    const auto octets = chunk + "NOOP\r\n";
    std::size_t taken = 0;
    while (!decoder.is_at_end())
      taken += decoder.feed(std::string_view(octets).substr(taken, piece), result.content);
    EXPECT_EQ(taken, chunk.size());
  }
  decoder.finish(result.content);
  result.met_bare_line_ending = decoder.met_bare_line_ending();
  result.longest_line = decoder.longest_line();
  return result;
}

TEST(ChunkDecoder, AgreesWithTheRuleHoweverAMessageIsCutCase079) {
  std::mt19937 random(20261129);
  const std::string alphabet("\r\n\r\n..x\0", 8);
  for (int round = 0; round < 20'000; ++round) {
    std::string message;
    for (auto n = random() % 14; n > 0; --n) message += alphabet[random() % alphabet.size()];
    const auto expected = test::chunk_reference(message);
    std::vector<std::string> chunks{message};
    for (auto cuts = random() % 4; cuts > 0; --cuts) {
      const auto at = random() % (chunks.back().size() + 1);
      chunks.push_back(chunks.back().substr(at));
      chunks[chunks.size() - 2].resize(at);
    }
    for (const std::size_t piece : {1U, 2U, 3U, 100U})
      ASSERT_EQ(decode(chunks, piece), expected) << testing::PrintToString(message);
  }
}

TEST(ChunkDecoder, TakesDotsForWhatTheyAre) {
  const std::string message = ".\r\n..\r\n\r\n.\r\nMAIL FROM:<a@b>\r\n";
  EXPECT_EQ(decode({message}, 100).content, message);
}

TEST(ChunkDecoder, MakesALineEndOfTwoChunks) {
  const auto decoded = decode({"one\r", "\ntwo\r", "", "\n"}, 100);
  EXPECT_EQ(decoded.content, "one\r\ntwo\r\n");
  EXPECT_FALSE(decoded.met_bare_line_ending);
}

TEST(ChunkDecoder, EndsTheLastLineThatHasNoEnd) {
  EXPECT_EQ(decode({"one", "two"}, 100).content, "onetwo\r\n");
  EXPECT_FALSE(decode({"one"}, 100).met_bare_line_ending) << "it has none, rather than a bare one";
  EXPECT_TRUE(decode({"one\r"}, 100).met_bare_line_ending);
  EXPECT_EQ(decode({""}, 100).content, "");
}

TEST(ChunkDecoder, EndsItOnce) {
  ChunkDecoder decoder;
  std::string content;
  decoder.begin({3, true});
  decoder.feed("one", content);
  decoder.finish(content);
  decoder.finish(content);
  EXPECT_EQ(content, "one\r\n");
}

TEST(ChunkDecoder, MeasuresLinesAcrossChunks) {
  EXPECT_EQ(decode({"\r\nfour", "five\r\nsix"}, 3).longest_line, 8U);
}

TEST(ParseChunk, ReadsASizeAndWhetherItIsTheLast) {
  EXPECT_EQ(parse_chunk("86 LAST"), (Chunk{86, true}));
  EXPECT_EQ(parse_chunk("100000"), (Chunk{100'000, false}));
  EXPECT_EQ(parse_chunk("0  last"), (Chunk{0, true}));
  EXPECT_EQ(parse_chunk("18446744073709551615"), (Chunk{18'446'744'073'709'551'615U, false}));
}

TEST(ParseChunk, ReadsNothingElseCase079) {
  for (const auto* argument :
       {"", "LAST", "-1", "+1", "1.5", "0x10", "1e3", "18446744073709551616", "99999999999999999999999",
        "1 LAST LAST", "1 FIRST", "1LAST", "1,LAST", "1 LAST now"}) {
    EXPECT_FALSE(parse_chunk(argument)) << argument;
  }
}

}  // namespace
}  // namespace relay::smtp
