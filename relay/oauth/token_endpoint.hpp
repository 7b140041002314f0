#pragma once
/// What is said to a token endpoint and what it answers (RFC 6749): pure.

#include "relay/oauth/token_cache.hpp"
#include "relay/web/message.hpp"

namespace relay::oauth {

/// One client of one authorization server.
struct Account {
  std::string name;       ///< for logs
  std::string token_url;  ///< https://
  std::string client_id;
  std::string client_secret;
  std::string scope;  ///< blank-separated, may be empty
  std::string
    refresh_token;  ///< when set: that grant (RFC 6749 section 6) instead of client credentials (4.4)
  friend bool operator==(const Account&, const Account&) = default;
};

/// The POST that asks for a token. @param refresh_token  the last one given, or that of the account
/// Errors: invalid_argument (permanent): the URL.
[[nodiscard]] Result<web::Request> token_request(const Account& account, const std::string& refresh_token);

/// Reads the answer. Errors, all transient, since what is wrong may be mended at either side: not_permitted when the
/// endpoint refuses (RFC 6749 section 5.2), unavailable for other statuses, protocol_error for what is no answer. They
/// show the endpoint's own words unless those quote one of `secrets`.
[[nodiscard]] Result<Grant> parse_grant(
  const web::Response& response, const std::vector<std::string>& secrets
);

}  // namespace relay::oauth
