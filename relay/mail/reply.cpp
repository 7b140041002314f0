#include "relay/mail/reply.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::mail {

std::optional<EnhancedStatus> EnhancedStatus::parse_prefix(std::string_view text) {
  const auto word = text.substr(0, text.find_first_of(" \n"));
  std::uint16_t parts[3]{};
  std::string_view rest = word;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto end = i < 2 ? rest.find('.') : rest.size();
    const auto digits = rest.substr(0, end);
    const auto value = parse_number(digits);
    if (end == std::string_view::npos || !value || digits.size() > 3) return std::nullopt;
    parts[i] = static_cast<std::uint16_t>(*value);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (parts[0] != 2 && parts[0] != 4 && parts[0] != 5) return std::nullopt;
  return EnhancedStatus{parts[0], parts[1], parts[2]};
}

std::string EnhancedStatus::to_text() const {
  return std::to_string(status_class) + "." + std::to_string(subject) + "." + std::to_string(detail);
}

std::optional<Reply> Reply::parse_line(std::string_view line) {
  const auto word = line.substr(0, line.find(' '));
  const auto code = parse_number(word);
  if (word.size() != 3 || !code || *code < 200 || *code > 599) return std::nullopt;
  const auto skip = [&line](std::string_view part) {
    line.remove_prefix(std::min(part.size() + 1, line.size()));
  };
  skip(word);
  Reply reply{static_cast<std::uint16_t>(*code), EnhancedStatus::parse_prefix(line), {}};
  if (reply.status) skip(line.substr(0, line.find(' ')));
  reply.text = line;
  return reply;
}

std::string Reply::to_line() const {
  std::string line = std::to_string(code);
  if (status) line += " " + status->to_text();
  if (!text.empty()) line += " " + text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace relay::mail
