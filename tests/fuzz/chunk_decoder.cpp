/// smtp::ChunkDecoder and parse_chunk. Input: a line of cuts, a line of the sizes of chunks, then the message. The first
/// line of the message is what follows a BDAT, too.

#include "relay/smtp/chunk_decoder.hpp"

#include <algorithm>
#include <string>

#include "tests/fuzz/input.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;

struct Decoded {
  std::string content;
  bool met_bare_line_ending = false;
  std::uint64_t longest_line = 0;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

/// The rule, over the whole message at once.
Decoded reference(std::string_view message) {
  Decoded result;
  std::uint64_t line = 0;
  for (std::size_t i = 0; i < message.size(); ++i) {
    const bool is_crlf = message.substr(i).starts_with("\r\n");
    if (!is_crlf && message[i] != '\r' && message[i] != '\n') {
      result.content += message[i];
      result.longest_line = std::max(result.longest_line, ++line);
      continue;
    }
    result.content += "\r\n";
    result.met_bare_line_ending = result.met_bare_line_ending || !is_crlf;
    line = 0;
    if (is_crlf) ++i;
  }
  if (line > 0) result.content += "\r\n";
  return result;
}

/// The message in chunks of these sizes, each in pieces, with a command behind it.
Decoded decode(std::string_view message, std::string_view sizes, std::string_view cuts) {
  ChunkDecoder decoder;
  Decoded result;
  fuzz::in_pieces(message, sizes.empty() ? "o" : sizes, [&](std::string_view chunk) {
    decoder.begin({chunk.size(), false});
    std::size_t taken = 0;
    const auto octets = std::string(chunk) + "NOOP\r\n";
    fuzz::in_pieces(octets, cuts, [&](std::string_view piece) {
      if (!decoder.is_at_end()) taken += decoder.feed(piece, result.content);
    });
    require(decoder.is_at_end() && taken == chunk.size(), "a chunk ends where it said");
    require(decoder.longest_line() <= message.size(), "no line is longer than the message");
  });
  decoder.begin({0, true});
  decoder.finish(result.content);
  result.met_bare_line_ending = decoder.met_bare_line_ending();
  result.longest_line = decoder.longest_line();
  return result;
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
  const auto expected = smtp::reference(message);
  fuzz::require(fuzz::has_only_crlf(expected.content), "content has CRLF line ends only");
  fuzz::require(
    smtp::decode(message, sizes, cuts) == expected, "content is what the rule says, however it is cut"
  );
  fuzz::require(smtp::decode(message, "1", "1") == expected, "content is the same octet by octet");
  smtp::check_argument(message.substr(0, message.find('\n')));
  return 0;
}
