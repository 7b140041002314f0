/// oauth/token_endpoint and web/message: what a token endpoint answers. Input: an octet for the status, a line with a
/// URL, one with a secret, then the body.

#include <string>
#include <vector>

#include "relay/base/secrets.hpp"
#include "relay/oauth/token_endpoint.hpp"
#include "tests/fuzz/input.hpp"

namespace relay {
namespace {

using fuzz::require;

constexpr unsigned kStatuses[] = {200, 400, 401, 403, 429, 500, 503, 302};
/// What our own words hold would be found in them.
constexpr std::string_view kMark = "\"%~";

void check_error(const Error& error, unsigned status, const std::vector<std::string>& secrets) {
  require(error.fate == Fate::transient, "what is wrong may be mended");
  require(
    status == 200 ? error.code == Errc::protocol_error
                  : error.code == Errc::not_permitted || error.code == Errc::unavailable,
    "a refusal is told from nonsense"
  );
  require(fuzz::is_all_printable(error.context), "an error is one line");
  require(error.context.size() < 400, "an error does not quote all of an answer");
  require(!quotes_any_secret(error.context, secrets), "an error quotes no secret");
}

void check_request(const web::Request& request) {
  require(!request.host.empty() && request.port != 0, "a URL leads somewhere");
  require(web::is_target(request.target), "a path ends no request line");
  require(
    fuzz::is_all_printable(request.body) && request.body.find(' ') == request.body.npos,
    "a form is percent-encoded, whatever its values"
  );
}

void check(const oauth::Grant& grant, std::string_view url) {
  require(
    !grant.access_token.empty() && fuzz::is_all_printable(grant.access_token) &&
      grant.access_token.find(' ') == grant.access_token.npos,
    "a token is one printable word"
  );
  require(
    !grant.expires_in || (grant.expires_in->count() > 0 && grant.expires_in->count() <= 1 << 30),
    "a token lives for some time"
  );
  const oauth::Account account{"office", std::string(url), "id", "secret", "scope", {}};
  const auto request = oauth::token_request(account, grant.refresh_token);
  if (request) check_request(*request);
  else require(request.error().code == Errc::invalid_argument, "a URL is usable, or it is not");
}

}  // namespace
}  // namespace relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  fuzz::InputView input(data, size);
  web::Response response;
  response.status = kStatuses[input.octet() % std::size(kStatuses)];
  const auto url = input.line();
  // Six octets in a row tell a secret: each six of this one hold some of the mark. A ? may stand for any octet.
  auto secret = std::string(kMark) + std::string(input.line().substr(0, 3)) + std::string(kMark);
  std::replace(secret.begin(), secret.end(), '?', 'q');
  response.body = input.rest();
  const std::vector<std::string> secrets{secret};
  const auto grant = oauth::parse_grant(response, secrets);
  if (grant) check(*grant, url);
  else check_error(grant.error(), response.status, secrets);
  if (const auto request = web::parse_url(url)) check_request(*request);
  return 0;
}
