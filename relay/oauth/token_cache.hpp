#pragma once
/// When an access token is used, renewed, asked for or done without: pure, times in, step out.

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "relay/base/clock.hpp"
#include "relay/base/result.hpp"

namespace relay::oauth {

/// What a token endpoint gave.
struct Grant {
  std::string access_token;
  std::optional<std::chrono::seconds> expires_in;  ///< more than 0
  std::string refresh_token;                       ///< a new one instead of the last, or empty
};

// clang-format off: one line each
namespace cache_step {
struct Use { std::string token; bool and_renew = false; };  ///< with and_renew: ask for another meanwhile
struct Request {};                                          ///< ask for one now, and wait for it
struct Join {};                                             ///< one is being asked for: wait for it
struct Refuse { Error error; };                             ///< there is none, and it is too early to ask again
}  // namespace cache_step
// clang-format on
using CacheStep = std::variant<cache_step::Use, cache_step::Request, cache_step::Join, cache_step::Refuse>;

/// The token of one account. Each Request, and each Use with and_renew, is answered by one call of granted() or
/// failed(); until then no other is asked for.
///
/// A token is renewed from 80% of its lifetime or 60 s before its end on, whichever is earlier, but not in its first
/// half, by the first who wants it then: an account that nobody uses asks for nothing. It serves until shortly before
/// its end (30 s, or a quarter of its lifetime), also while renewals fail. Failures in a row: next request after 5 s,
/// doubled up to 5 minutes, spread by a quarter either way.
///
/// Thread: one at a time.
class TokenCache {
 public:
  [[nodiscard]] CacheStep want(SteadyTime now);
  /// @param asked_at  when the request began: the lifetime counts from there
  void granted(Grant grant, SteadyTime asked_at);
  /// @param fraction  chance, in [0, 1)
  void failed(Error error, SteadyTime now, double fraction);
  /// A server refused this token (535). When it is the current one nobody gets it again, and the next request may
  /// begin a minute after the last one did.
  void invalidate(const std::string& token, SteadyTime now);

 private:
  struct Current {
    std::string token;
    SteadyTime renew_at;
    SteadyTime usable_until;
  };
  [[nodiscard]] CacheStep request(SteadyTime now);

  std::optional<Current> current_;
  bool is_requesting_ = false;
  std::uint32_t failures_ = 0;  // in a row
  std::optional<Error> why_;    // there is no token, or no new one
  std::optional<SteadyTime> last_request_;
  std::optional<SteadyTime> earliest_request_;  // the next one
};

}  // namespace relay::oauth
