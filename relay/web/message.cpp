#include "relay/web/message.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::web {
namespace {

constexpr std::string_view kScheme = "https://";

}  // namespace

bool is_target(std::string_view text) {
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
           return is_printable(c) && c != ' ' && c != '#';
         });
}

Result<Request> parse_url(std::string_view url) {
  const auto refuse = [&](std::string_view why) {
    // No more of it than this: it might hold a password.
    return permanent(Errc::invalid_argument, "not a usable https:// URL: " + std::string(why));
  };
  if (!starts_with_ignoring_case(url, kScheme)) return refuse("it must begin with https://");
  const auto rest = url.substr(kScheme.size());
  const auto end = std::min(rest.find_first_of("/?#"), rest.size());
  auto authority = std::string(rest.substr(0, end));
  if (authority.find('@') != std::string::npos) return refuse("it names a user");
  const bool has_port = authority.find(':', authority.rfind(']') + 1) != std::string::npos;
  if (!has_port) (authority += ':') += std::to_string(kHttpsPort);
  const auto endpoint = Endpoint::parse(authority);
  if (!endpoint || endpoint->port == 0 || authority.starts_with(':')) return refuse("not host or host:port");
  Request request;
  request.host = endpoint->host;
  request.port = endpoint->port;
  request.target = std::string(rest.substr(end));
  if (!request.target.starts_with('/')) request.target.insert(0, 1, '/');
  if (!is_target(request.target)) return refuse("a fragment, a blank or a control character in its path");
  return request;
}

}  // namespace relay::web
