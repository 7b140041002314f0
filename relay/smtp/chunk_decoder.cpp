#include "relay/smtp/chunk_decoder.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::smtp {

std::optional<Chunk> parse_chunk(std::string_view argument) {
  const auto words = split(argument, ' ');
  if (words.empty() || words.size() > 2) return std::nullopt;
  const auto octets = parse_number(words.front());
  const bool is_last = words.size() == 2;
  if (!octets || (is_last && !equals_ignoring_case(words.back(), "LAST"))) return std::nullopt;
  return Chunk{*octets, is_last};
}

ChunkDecoder::ChunkDecoder(Content content) {
  if (content == Content::binary_mime) binary_ = std::make_unique<mail::BinaryMime>();
}

void ChunkDecoder::begin(const Chunk& chunk) {
  chunk_ = chunk;
  left_ = chunk.octets;
}

std::size_t ChunkDecoder::feed(std::string_view input, std::string& out) {
  input = input.substr(0, left_);
  left_ -= input.size();
  if (binary_) {
    binary_->feed(input, out);
    return input.size();
  }
  out.reserve(out.size() + input.size());
  std::size_t taken = 0;
  std::size_t line_feed = 0;  // the next one from `taken` on, or the input's end
  while (taken < input.size()) {
    if (std::exchange(has_cr_, false)) {
      if (input[taken] != '\n') {
        end_bare_line(out);
        continue;
      }
      end_line(out);
      ++taken;
      continue;
    }
    if (line_feed <= taken) line_feed = std::min(input.find('\n', taken), input.size());
    const auto line = input.substr(taken, line_feed - taken);
    const auto text = line.substr(0, line.find('\r'));
    out.append(text);
    line_ += text.size();
    taken += text.size();
    if (taken == input.size()) break;
    has_cr_ = input[taken++] == '\r';
    if (!has_cr_) end_bare_line(out);
  }
  longest_line_ = std::max(longest_line_, line_);
  return taken;
}

void ChunkDecoder::finish(std::string& out) {
  if (binary_) return binary_->finish(out);
  if (std::exchange(has_cr_, false)) end_bare_line(out);
  else if (line_ > 0) end_line(out);
}

void ChunkDecoder::end_line(std::string& out) {
  out.append("\r\n");
  longest_line_ = std::max(longest_line_, line_);
  line_ = 0;
}

void ChunkDecoder::end_bare_line(std::string& out) {
  met_bare_line_ending_ = true;
  end_line(out);
}

}  // namespace relay::smtp
