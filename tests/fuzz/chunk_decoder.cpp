/// smtp::ChunkDecoder and parse_chunk. Input: a line of cuts, a line of the sizes of chunks, then the message. The first
/// line of the message is what follows a BDAT, too.

#include "relay/smtp/chunk_decoder.hpp"

#include <string>

#include "tests/fuzz/input.hpp"
#include "tests/support/chunk_decoder_reference.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;
using test::DecodedChunks;

// Longer messages are cut as the input says alone: every split of them would be slow.
constexpr std::size_t kMaxSplit = 256;

DecodedChunks finish(ChunkDecoder& decoder, std::string content) {
  decoder.finish(content);
  return {std::move(content), decoder.met_bare_line_ending(), decoder.longest_line()};
}

/// The message in chunks of these sizes, each in pieces, with a command behind it.
DecodedChunks decode(std::string_view message, std::string_view sizes, std::string_view cuts) {
  ChunkDecoder decoder;
  std::string content;
  fuzz::in_pieces(message, sizes.empty() ? "o" : sizes, [&](std::string_view chunk) {
    decoder.begin({chunk.size(), false});
    std::size_t taken = 0;
    const auto octets = std::string(chunk) + "NOOP\r\n";
    fuzz::in_pieces(octets, cuts, [&](std::string_view piece) {
      if (!decoder.is_at_end()) taken += decoder.feed(piece, content);
    });
    require(decoder.is_at_end() && taken == chunk.size(), "a chunk ends where it said");
    require(decoder.longest_line() <= message.size(), "no line is longer than the message");
  });
  decoder.begin({0, true});
  return finish(decoder, std::move(content));
}

/// For each place where it may be cut: one chunk in two segments, and two chunks.
void check_every_split(std::string_view message, const DecodedChunks& expected) {
  for (std::size_t at = 1; at < message.size(); ++at) {
    const auto front = message.substr(0, at);
    const auto back = message.substr(at);
    for (const bool is_two_chunks : {false, true}) {
      ChunkDecoder decoder;
      std::string content;
      decoder.begin({is_two_chunks ? front.size() : message.size(), !is_two_chunks});
      auto taken = decoder.feed(front, content);
      require(decoder.is_at_end() == is_two_chunks, "a chunk ends where it said");
      if (is_two_chunks) decoder.begin({back.size(), true});
      taken += decoder.feed(back, content);
      require(decoder.is_at_end() && taken == message.size(), "all octets of chunks are taken");
      require(
        finish(decoder, std::move(content)) == expected, "content is what the rule says, in two pieces too"
      );
    }
  }
}

void check_argument(std::string_view argument) {
  const auto chunk = parse_chunk(argument);
  if (!chunk) return;
  const auto text = std::to_string(chunk->octets) + (chunk->is_last ? " LAST" : "");
  require(parse_chunk(text) == chunk, "what was read is written and read again");
}

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  fuzz::InputView input(data, size);
  const auto cuts = input.line();
  const auto sizes = input.line();
  const auto message = input.rest();
  const auto expected = test::chunk_reference(message);
  fuzz::require(fuzz::has_only_crlf(expected.content), "content has CRLF line ends only");
  fuzz::require(
    smtp::decode(message, sizes, cuts) == expected, "content is what the rule says, however it is cut"
  );
  fuzz::require(smtp::decode(message, "1", "1") == expected, "content is the same octet by octet");
  if (message.size() <= smtp::kMaxSplit) smtp::check_every_split(message, expected);
  smtp::check_argument(message.substr(0, message.find('\n')));
  return 0;
}
