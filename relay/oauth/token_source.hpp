#pragma once
/// NAME      oauth -- access tokens for XOAUTH2: asked for at a token endpoint (RFC 6749), kept, renewed in time
/// USES      web, net, base
/// INVARIANT one request at a time for an account, however many shards want its token; neither tokens nor secrets stand
///           in an error or a log
/// FAILURES  all transient: those of web::fetch() and of parse_grant(); what is asked again too early gets the last
///           failure once more

#include <memory>
#include <string>

#include "relay/base/log.hpp"
#include "relay/oauth/token_endpoint.hpp"
#include "relay/web/client.hpp"

namespace relay::oauth {

/// The token of one account. All methods: any thread. Copies stand for the same account. May go before its callers
/// have their answers.
class TokenSource {
 public:
  /// What it works with; all of it outlives what was asked.
  struct Services {
    net::asio::io_context& loop;  ///< where requests are made
    net::Resolver& resolver;
    const Clock& clock;
    Jitter& jitter;  ///< used on the loop only
    log::Sink& log;
  };
  TokenSource(Services services, std::shared_ptr<net::TlsClient> tls, Account account);

  /// A token that can be used now: at once when there is one, else as soon as the endpoint has answered (20 s at most).
  [[nodiscard]] net::Awaitable<Result<std::string>> token() const;
  /// A server refused this token (535): the next who wants one makes the endpoint give another, at most once a minute.
  void invalidate(std::string token) const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace relay::oauth
