#include "relay/smtp/reply_parser.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::smtp {

std::optional<Reply> ReplyParser::next() {
  while (!is_garbage_) {
    const auto rest = std::string_view(input_).substr(position_);
    const auto end = rest.find('\n');
    const auto octets = end == std::string_view::npos ? rest.size() : end + 1;
    if (octets_ + octets > kMaxReply) {
      is_garbage_ = true;
      break;
    }
    if (end == std::string_view::npos) {
      input_.erase(0, std::exchange(position_, 0));
      break;
    }
    auto line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool is_last = take_line(line);
    if (is_garbage_) break;
    octets_ += octets;
    position_ += octets;
    if (!is_last) continue;
    octets_ = 0;
    has_lines_ = false;
    return std::exchange(reply_, {});
  }
  return std::nullopt;
}

/// True when it was the last line of a reply.
bool ReplyParser::take_line(std::string_view line) {
  const auto code = line.size() >= 3 ? parse_number(line.substr(0, 3)) : std::nullopt;
  const char separator = line.size() > 3 ? line[3] : ' ';
  if (!code || *code < 200 || *code > 599 || (separator != ' ' && separator != '-')) {
    is_garbage_ = true;
    return false;
  }
  auto text = line.substr(std::min<std::size_t>(4, line.size()));
  const auto status = EnhancedStatus::parse_prefix(text);
  if (status) text = trimmed(text.substr(std::min(text.find(' '), text.size())));
  // A status that contradicts the code is not a status (RFC 2034 section 4), nor is that of a line before.
  const auto fits = [&](const auto& given) { return given && given->status_class == *code / 100; };
  if (fits(status)) reply_.status = status;
  else if (!fits(reply_.status)) reply_.status.reset();
  reply_.code = static_cast<std::uint16_t>(*code);
  if (std::exchange(has_lines_, true) && reply_.text.size() < kMaxReplyText) reply_.text += '\n';
  reply_.text += printable(text, kMaxReplyText - std::min(kMaxReplyText, reply_.text.size()));
  return separator == ' ';
}

std::string ReplyParser::leftover() const {
  return printable(std::string_view(input_).substr(position_), 200);
}

}  // namespace relay::smtp
