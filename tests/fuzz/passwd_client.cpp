/// route::PasswdClient. Input: a line with the host to look up, then the file.

#include "relay/route/passwd_client.hpp"

#include <algorithm>
#include <string>

#include "tests/fuzz/input.hpp"

namespace relay::route {
namespace {

using fuzz::require;

/// An administrator's regular expression may take as long as it likes: keep to those that cannot take long.
constexpr std::size_t kMaxFile = 1024;
constexpr std::size_t kMaxHost = 64;
constexpr std::size_t kMaxQuantifiers = 2;

bool is_quick(std::string_view host, std::string_view file) {
  const bool has_expression = file.find('^') != std::string_view::npos;
  const auto quantifiers = std::count_if(file.begin(), file.end(), [](char c) {
    return c == '*' || c == '+' || c == '?' || c == '{';
  });
  return host.size() <= kMaxHost && file.size() <= kMaxFile &&
         (!has_expression || static_cast<std::size_t>(quantifiers) <= kMaxQuantifiers);
}

bool is_same(const std::optional<sasl::Credentials>& a, const std::optional<sasl::Credentials>& b) {
  if (!a || !b) return !a && !b;
  return a->user == b->user && a->password == b->password;
}

std::string with_crlf(std::string_view file) {
  std::string out;
  for (const char c : file) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

void check_complaint(const std::string& complaint) {
  const auto colon = complaint.find(": ");
  require(complaint.starts_with("line ") && colon != std::string::npos, "a complaint names its line");
  require(parse_number(complaint.substr(5, colon - 5)).value_or(0) > 0, "lines count from 1");
  constexpr std::string_view kWhats[] = {
    "no host at its start", "the regular expression at its start is not valid", "not host:user:password",
    "no password behind the user"
  };
  const auto what = std::string_view(complaint).substr(colon + 2);
  require(std::count(std::begin(kWhats), std::end(kWhats), what) == 1, "a complaint quotes nothing");
}

void check(const sasl::Credentials& credentials) {
  require(
    !credentials.user.empty() && credentials.user.find(':') == std::string::npos, "a user ends at a colon"
  );
  require(!credentials.password.empty(), "a password is not empty");
  require(
    (credentials.user + credentials.password).find('\n') == std::string::npos, "a line ends at its end"
  );
}

}  // namespace
}  // namespace relay::route

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  using namespace relay::route;
  fuzz::InputView input(data, size);
  const auto host = input.line();
  const auto file = input.rest();
  if (!is_quick(host, file)) return -1;

  const auto parsed = PasswdClient::parse(file);
  for (const auto& complaint : parsed.complaints()) check_complaint(complaint);
  const auto found = parsed.find(host);
  if (found) check(*found);
  require(
    is_same(PasswdClient::parse(with_crlf(file)).find(host), found), "line ends of CRLF change nothing"
  );
  if (file.find('^') == file.npos)
    require(is_same(parsed.find(upper(host)), found), "the case of a host changes nothing");

  const auto longer = PasswdClient::parse(std::string(file) + "\n*:later:secret\n");
  require(!found || is_same(longer.find(host), found), "the first line that matches counts");
  require(longer.size() == parsed.size() + 1, "one more line is one more");
  return 0;
}
