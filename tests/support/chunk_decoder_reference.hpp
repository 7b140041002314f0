#pragma once
/// What smtp::ChunkDecoder is to make of a message: the rule in a few lines, over all of it at once.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay::test {

struct DecodedChunks {
  std::string content;
  bool met_bare_line_ending = false;
  std::uint64_t longest_line = 0;
  friend bool operator==(const DecodedChunks&, const DecodedChunks&) = default;
};

inline DecodedChunks chunk_reference(std::string_view message) {
  DecodedChunks result;
  std::uint64_t line = 0;
  const auto end_line = [&](bool is_bare) {
    result.content += "\r\n";
    result.met_bare_line_ending = result.met_bare_line_ending || is_bare;
    line = 0;
  };
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (message.substr(i).starts_with("\r\n")) {
      end_line(false);
      ++i;
    } else if (message[i] == '\r' || message[i] == '\n') {
      end_line(true);
    } else {
      result.content += message[i];
      result.longest_line = std::max(result.longest_line, ++line);
    }
  }
  if (line > 0) end_line(false);
  return result;
}

}  // namespace relay::test
