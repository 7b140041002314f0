#include "relay/route/passwd_client.hpp"

#include <algorithm>
#include <regex>

#include "relay/base/text.hpp"

namespace relay::route {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

std::string_view without_trailing_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view without_leading_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

/// Takes a key in double quotes off the front of `rest`; a backslash takes the next character as it is.
std::string take_quoted(std::string_view& rest) {
  std::string key;
  rest.remove_prefix(1);
  while (!rest.empty() && rest.front() != '"') {
    if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
    key += rest.front();
    rest.remove_prefix(1);
  }
  if (!rest.empty()) rest.remove_prefix(1);
  return key;
}

std::string take_key(std::string_view& rest) {
  if (rest.starts_with('"')) return take_quoted(rest);
  const auto end = std::find_if(rest.begin(), rest.end(), [](char c) { return c == ':' || is_blank(c); });
  const std::string key(rest.begin(), end);
  rest.remove_prefix(key.size());
  return key;
}

/// The library's reader of numbers overflows: no host needs a repetition of ten digits.
bool has_long_number(std::string_view pattern) {
  std::size_t digits = 0;
  for (const char c : pattern) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > 9) return true;
  }
  return false;
}

bool is_usable_pattern(const std::string& key) {
  if (!key.starts_with('^')) return true;
  if (has_long_number(key)) return false;
  try {
    const std::regex checked(key, std::regex::ECMAScript | std::regex::icase);
    return true;
  } catch (const std::regex_error&) {
    return false;
  }
}

bool matches(const std::string& key, const std::string& host) {
  if (key.starts_with('*')) {
    const auto ending = std::string_view(key).substr(1);
    return host.size() >= ending.size() &&
           equals_ignoring_case(std::string_view(host).substr(host.size() - ending.size()), ending);
  }
  if (key.starts_with('^'))
    return std::regex_search(host, std::regex(key, std::regex::ECMAScript | std::regex::icase));
  return equals_ignoring_case(key, host);
}

}  // namespace

PasswdClient PasswdClient::parse(std::string_view text) {
  PasswdClient parsed;
  std::string logical;
  std::size_t first_number = 0;
  std::size_t number = 0;
  const auto flush = [&] {
    if (!logical.empty()) parsed.add(logical, first_number);
    logical.clear();
  };
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = without_trailing_blanks(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') {
      flush();  // nothing goes on from a comment
      continue;
    }
    if (is_blank(line.front())) {
      if (!logical.empty()) logical += " " + std::string(without_leading_blanks(line));
      continue;
    }
    flush();
    logical = line;
    first_number = number;
  }
  flush();
  return parsed;
}

void PasswdClient::add(std::string_view line, std::size_t number) {
  const auto complain = [&](std::string_view what) {
    complaints_.push_back("line " + std::to_string(number) + ": " + std::string(what));
  };
  std::string_view rest = line;
  auto key = take_key(rest);
  rest = without_leading_blanks(rest);
  if (rest.starts_with(':')) rest = without_leading_blanks(rest.substr(1));
  const auto colon = rest.find(':');
  if (key.empty()) return complain("no host at its start");
  if (!is_usable_pattern(key)) return complain("the regular expression at its start is not valid");
  auto& added = lines_.emplace_back(Line{std::move(key), std::nullopt});
  if (colon == std::string_view::npos || colon == 0) return complain("not host:user:password");
  if (colon + 1 == rest.size()) return complain("no password behind the user");
  added.credentials =
    sasl::Credentials{std::string(rest.substr(0, colon)), std::string(rest.substr(colon + 1))};
}

std::optional<sasl::Credentials> PasswdClient::find(std::string_view host) const {
  const std::string name(host);
  const auto found =
    std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) { return matches(line.key, name); });
  if (found == lines_.end()) return std::nullopt;
  return found->credentials;
}

}  // namespace relay::route
