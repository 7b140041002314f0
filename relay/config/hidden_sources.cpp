#include "relay/config/hidden_sources.hpp"

#include "relay/base/text.hpp"

namespace relay::config {

ParsedSources parse_hidden_sources(std::string_view text) {
  ParsedSources parsed;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto word = trimmed(line.substr(0, line.find('#')));
    if (word.empty()) continue;
    if (const auto network = Cidr::parse(word)) parsed.networks.push_back(*network);
    else parsed.complaints.push_back("line " + std::to_string(number) + ": " + network.error().context);
  }
  return parsed;
}

}  // namespace relay::config
