#pragma once
/// Passwords of clients, checked off the shards.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "relay/net/asio.hpp"
#include "relay/net/io_thread.hpp"
#include "relay/sasl/users.hpp"

namespace relay::session {

/// Checking a password takes milliseconds, on purpose: it is done on a thread of its own, one after the other. One that
/// was right is known again in microseconds, by its HMAC under a key that this process alone has; it is asked for the
/// user's keys too, so that it is forgotten when they change. Wrong ones always take their time.
///
/// Thread: any. Lifetime: outlives the loops' last turn; what waits when this goes is never answered.
class PasswordChecks {
 public:
  /// Passwords that wait, of all clients: more would wait for seconds, each with a session that it keeps.
  static constexpr std::size_t kMaxWaiting = 64;
  /// As sasl::Users::check(); may throw.
  using Derive =
    std::function<bool(const sasl::Users& users, const std::string& user, const std::string& password)>;

  /// The thread begins with the first question. Throws std::runtime_error when there is no randomness.
  /// @param derive  the slow part, on that thread; empty: sasl::Users::check()
  explicit PasswordChecks(Derive derive = {});

  /// Whether it is the user's. As slow for a stranger as for a user. Nothing: it could not be found out, for kMaxWaiting
  /// others wait already, or deriving threw.
  /// @param most_waiting  less than kMaxWaiting for who may not take all places
  [[nodiscard]] net::Awaitable<std::optional<bool>> check(
    std::shared_ptr<const sasl::Users> users, std::string user, std::string password,
    std::size_t most_waiting = kMaxWaiting
  );
  /// Tells a guess from another one, by its HMAC under a key that this process alone has: what was said, not whether there is
  /// such a user. Another one when the users change, since it may be right then.
  [[nodiscard]] std::uint64_t mark_of_guess(
    const sasl::Users& users, std::string_view user, std::string_view password
  ) const;
  /// Passwords that were derived so far: the slow way.
  [[nodiscard]] std::uint64_t derived() const { return derived_; }

 private:
  struct Question {
    std::shared_ptr<const sasl::Users> users;
    std::string user;
    std::string password;
  };
  [[nodiscard]] sasl::Digest mark(const sasl::ScramKeys& keys, const std::string& password) const;
  [[nodiscard]] bool is_known(const Question& question) const;
  [[nodiscard]] bool find_out(const Question& question);
  /// Nothing: that threw.
  [[nodiscard]] std::optional<bool> try_to_find_out(const Question& question) noexcept;
  void remember(const Question& question);

  Derive derive_;
  sasl::Digest key_;
  sasl::Digest key_of_guesses_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::uint64_t> derived_{0};
  mutable std::mutex mutex_;
  std::map<std::string, sasl::Digest, std::less<>> known_;  // under mutex_; by user
  std::once_flag started_;
  net::IoThread thread_{"passwords", net::Precedence::behind_others};
};

}  // namespace relay::session
