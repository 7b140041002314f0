#include "relay/oauth/token_source.hpp"

#include <functional>

#include "relay/net/completion.hpp"

namespace relay::oauth {
namespace {

using net::Awaitable;
using Answer = std::function<void(Result<std::string>)>;

const web::Limits kLimits{std::chrono::seconds{20}, 64U << 10U};

}  // namespace

/// Lives on the loop. Whoever waits and the request under way keep it alive.
class TokenSource::State : public std::enable_shared_from_this<State> {
 public:
  State(Services services, std::shared_ptr<net::TlsClient> tls, Account account)
      : services_(services),
        tls_(std::move(tls)),
        account_(std::move(account)),
        refresh_token_(account_.refresh_token) {}

  static Awaitable<Result<std::string>> token(std::shared_ptr<State> self) {
    std::function<void(Answer)> start = [self](Answer done) {
      net::asio::post(self->services_.loop, [self, done = std::move(done)]() mutable {
        self->want(std::move(done));
      });
    };
    auto token = co_await net::answered_by<Result<std::string>>(std::move(start));
    co_return token;
  }

  void post_invalidate(std::string token) {
    net::asio::post(services_.loop, [self = shared_from_this(), token = std::move(token)] {
      self->cache_.invalidate(token, self->services_.clock.steady());
    });
  }

 private:
  void want(Answer answer) {
    auto step = cache_.want(services_.clock.steady());
    if (auto* use = std::get_if<cache_step::Use>(&step)) {
      answer(std::move(use->token));
      if (use->and_renew) begin();
    } else if (auto* refuse = std::get_if<cache_step::Refuse>(&step)) {
      answer(tl::unexpected(std::move(refuse->error)));
    } else {
      waiting_.push_back(std::move(answer));
      if (std::holds_alternative<cache_step::Request>(step)) begin();
    }
  }

  void begin() {
    const auto self = shared_from_this();
    net::asio::co_spawn(services_.loop, request(self), [self](const std::exception_ptr& thrown) {
      if (thrown) self->finish(transient(Errc::unavailable, "the request for a token broke"), {});
    });
  }

  static Awaitable<void> request(std::shared_ptr<State> self) {
    const auto asked_at = self->services_.clock.steady();
    auto request = token_request(self->account_, self->refresh_token_);
    if (!request) {
      self->finish(tl::unexpected(std::move(request.error())), asked_at);
      co_return;
    }
    auto response = co_await web::fetch(self->services_.resolver, self->tls_, std::move(*request), kLimits);
    if (!response) self->finish(tl::unexpected(std::move(response.error())), asked_at);
    else self->finish(parse_grant(*response, self->secrets()), asked_at);
  }

  [[nodiscard]] std::vector<std::string> secrets() const {
    return {account_.client_secret, account_.refresh_token, refresh_token_};
  }

  void finish(Result<Grant> grant, SteadyTime asked_at) {
    Result<std::string> answer;
    if (grant) {
      answer = grant->access_token;
      if (!grant->refresh_token.empty()) refresh_token_ = grant->refresh_token;
      cache_.granted(std::move(*grant), asked_at);
      services_.log.write(log::info("token_renewed").with("account", account_.name));
    } else {
      grant.error().fate =
        Fate::transient;  // whatever is wrong with the account, mail waits until it is mended
      answer = tl::unexpected(grant.error());
      // A refresh token that was given later may be gone; the configured one is somebody's to mend.
      if (grant.error().code == Errc::not_permitted) refresh_token_ = account_.refresh_token;
      services_.log.write(
        log::warning("token_failure").with("account", account_.name).with("error", grant.error().message())
      );
      cache_.failed(std::move(grant.error()), services_.clock.steady(), services_.jitter.fraction());
    }
    for (auto& waiter : std::exchange(waiting_, {})) waiter(answer);
  }

  Services services_;
  std::shared_ptr<net::TlsClient> tls_;
  Account account_;
  std::string refresh_token_;  // the last that was given
  TokenCache cache_;
  std::vector<Answer> waiting_;
};

TokenSource::TokenSource(Services services, std::shared_ptr<net::TlsClient> tls, Account account)
    : state_(std::make_shared<State>(services, std::move(tls), std::move(account))) {}

// No coroutine itself: that would begin when it is awaited, and look for its source then.
Awaitable<Result<std::string>> TokenSource::token() const { return State::token(state_); }

void TokenSource::invalidate(std::string token) const { state_->post_invalidate(std::move(token)); }

}  // namespace relay::oauth
