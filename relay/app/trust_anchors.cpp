#include "relay/app/trust_anchors.hpp"

#include <algorithm>

#include "relay/app/text_file.hpp"
#include "relay/base/text.hpp"

namespace relay::app {
namespace {

/// `corp.example. 3600 IN DS 12345 13 2 49FD...`: TTL and class may be absent.
bool is_record(std::string_view line) {
  std::string text(line.substr(0, line.find(';')));
  std::replace(text.begin(), text.end(), '\t', ' ');
  const auto words = split(text, ' ');
  return std::any_of(words.begin() + (words.empty() ? 0 : 1), words.end(), [](std::string_view word) {
    return equals_ignoring_case(word, "DS") || equals_ignoring_case(word, "DNSKEY");
  });
}

}  // namespace

Result<void> check_trust_anchors(const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    const auto text = read_text(path);
    if (!text) return permanent(Errc::not_found, "dns_trust_anchors: " + text.error().context);
    if (text->empty())
      return permanent(Errc::not_found, "dns_trust_anchors: " + path + " is missing or empty");
    const auto lines = split(*text, '\n');
    if (std::none_of(lines.begin(), lines.end(), is_record))
      return permanent(
        Errc::invalid_argument, "dns_trust_anchors: " + path + " holds no DS or DNSKEY record"
      );
  }
  return {};
}

}  // namespace relay::app
