#include "relay/tlspolicy/https_fetcher.hpp"

#include "relay/base/text.hpp"
#include "relay/sts/policy.hpp"
#include "relay/sts/record.hpp"

namespace relay::tlspolicy {
namespace {

constexpr std::chrono::seconds kFetchTimeout{60};  // RFC 8461 section 3.3
constexpr unsigned kOk = 200;
constexpr std::string_view kType = "text/plain";

bool is_text(std::string_view content_type) {
  return equals_ignoring_case(trimmed(content_type.substr(0, content_type.find(';'))), kType);
}

}  // namespace

Result<std::string> policy_text(web::Response response) {
  if (response.status != kOk)
    return transient(Errc::unavailable, "MTA-STS policy: status " + std::to_string(response.status));
  if (!is_text(response.content_type)) return transient(Errc::unavailable, "MTA-STS policy: not text/plain");
  return std::move(response.body);
}

net::Awaitable<Result<std::string>> HttpsPolicyFetcher::fetch_policy(std::string domain) {
  web::Request request;
  request.host = sts::policy_host(domain);
  request.target = std::string(sts::kPolicyTarget);
  request.may_connect = may_connect_;
  web::Limits limits;
  limits.timeout = kFetchTimeout;
  limits.max_body = sts::kMaxPolicyOctets;
  auto response = co_await web::fetch(resolver_, tls_, std::move(request), limits);
  if (!response) {
    auto error = std::move(response.error());
    // HTTP that is broken says nothing of the policy.
    if (error.code == Errc::protocol_error) error.code = Errc::unavailable;
    co_return tl::unexpected<Error>(std::move(error));
  }
  co_return policy_text(std::move(*response));
}

}  // namespace relay::tlspolicy
