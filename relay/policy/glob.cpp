#include "relay/policy/glob.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::policy {
namespace {

constexpr std::string_view kNullPath = "<>";

/// A quoted local part as the mailbox that it names (RFC 5321 section 4.1.2: the quotes are no part of it).
std::string unquoted(const std::string& local_part) {
  if (!local_part.starts_with('"')) return local_part;
  std::string plain;
  for (std::size_t i = 1; i + 1 < local_part.size(); ++i) {
    if (local_part[i] == '\\') ++i;
    plain += local_part[i];
  }
  return plain;
}

std::string text_of(const mail::Address& address) {
  auto text = unquoted(address.local_part());
  if (!address.domain().empty()) (text += '@') += address.domain();
  return text;
}

/// Whether the text ends in what the pattern has behind its last `*` or `?`. Most patterns name a domain, and most texts are of
/// another one: this tells without a look at every place that a `*` may stand for.
bool ends_alike(std::string_view pattern, std::string_view text) {
  while (!pattern.empty() && pattern.back() != '*' && pattern.back() != '?') {
    if (text.empty() || ascii_lower(pattern.back()) != ascii_lower(text.back())) return false;
    pattern.remove_suffix(1);
    text.remove_suffix(1);
  }
  return true;
}

/// @param text  of the address, or empty: then it is made when a pattern asks for it, since most are of a domain
bool matches(std::string_view pattern, const mail::Address& address, std::string& text) {
  if (pattern == kNullPath) return address.is_null();
  if (pattern.find('@') == std::string_view::npos) return matches_glob(pattern, address.domain());
  if (text.empty()) text = text_of(address);
  return matches_glob(pattern, text);
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  if (!ends_alike(pattern, text)) return false;
  std::size_t p = 0, t = 0;
  auto star = std::string_view::npos;  // the last one met
  std::size_t behind_star = 0;         // where the text goes on behind what it stands for
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      behind_star = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || ascii_lower(pattern[p]) == ascii_lower(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++behind_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool matches_address(std::string_view pattern, const mail::Address& address) {
  std::string text;
  return matches(pattern, address, text);
}

std::string plain_text(const mail::Address& address) {
  return address.is_null() ? std::string(kNullPath) : lower(text_of(address));
}

bool matches_any_glob(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return matches_glob(pattern, text);
  });
}

bool matches_any_address(const std::vector<std::string>& patterns, const mail::Address& address) {
  std::string text;
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return matches(pattern, address, text);
  });
}

}  // namespace relay::policy
