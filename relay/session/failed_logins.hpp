#pragma once
/// How often each client has failed to log in of late, over all shards.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/base/network.hpp"

namespace relay::session {

/// Each client has `limit` guesses, and gets one back each `limit`th part of kWindow; who has none left is refused, and nobody
/// else is. A guess is taken when it begins, so that those under way count too, and given back unless it was wrong. The
/// same wrong one again is no other guess: it tells nothing new, and takes nothing. A success gives nothing but its own
/// guess back: else whoever has one password could guess others without end. Clients as client_of() has them. Thread: any.
class FailedLogins {
  struct Client;

 public:
  static constexpr std::chrono::minutes kWindow{10};  ///< until all guesses are back
  /// Beyond it the client that has not failed for the longest is forgotten, so that memory stays bounded.
  static constexpr std::size_t kMaxClients = 10'000;
  /// Wrong guesses of a client that are known again; beyond it the oldest is a new one.
  static constexpr std::size_t kMaxGuesses = 32;
  /// What tells guesses apart, see PasswordChecks::mark_of_guess(). Nothing: each is another one.
  using Mark = std::optional<std::uint64_t>;

  struct Failure {
    bool is_new = true;    ///< and no repetition
    bool is_last = false;  ///< the first with which the client has no guess left, since it had all of them
  };

  /// A guess under way; given back when it goes, unless it failed. Who began it outlives it.
  class Guess {
   public:
    Guess(Guess&& from) noexcept
        : owner_(std::exchange(from.owner_, nullptr)),
          client_(from.client_),
          limit_(from.limit_),
          mark_(from.mark_),
          is_known_wrong_(from.is_known_wrong_) {}
    Guess& operator=(Guess&&) = delete;
    ~Guess() {
      if (owner_ != nullptr && !is_known_wrong_) owner_->give_back(*this);
    }
    /// The client has made it before, and it was wrong: nobody need find out.
    [[nodiscard]] bool is_known_wrong() const { return is_known_wrong_; }
    /// It was wrong. Once.
    Failure fail(SteadyTime now);

   private:
    friend class FailedLogins;
    Guess(FailedLogins& owner, const IpAddress& client, std::size_t limit, const Mark& mark)
        : owner_(&owner), client_(client), limit_(limit), mark_(mark) {}
    FailedLogins* owner_;
    IpAddress client_;
    std::size_t limit_;
    Mark mark_;
    bool is_known_wrong_ = false;
  };

  /// @param limit  at least 1
  [[nodiscard]] bool are_too_many(const IpAddress& address, std::size_t limit, SteadyTime now) const;
  /// Takes one of the client's guesses; nothing when none is left, be it right or wrong.
  [[nodiscard]] std::optional<Guess> begin(
    const IpAddress& address, std::size_t limit, const Mark& mark, SteadyTime now
  );
  /// That are remembered.
  [[nodiscard]] std::size_t clients() const;

 private:
  struct Known {
    std::uint64_t mark = 0;
    std::size_t under_way = 0;
    bool is_wrong = false;
  };
  struct Client {
    double taken = 0;  // guesses, at `as_of`
    SteadyTime as_of{};
    std::vector<Known> guesses;  // the oldest first
    bool had_none_left = false;
    std::list<IpAddress>::iterator age;  // in by_age_
    [[nodiscard]] double taken_at(SteadyTime now, std::size_t limit) const;
    [[nodiscard]] bool has_one_left(SteadyTime now, std::size_t limit) const;
    [[nodiscard]] std::vector<Known>::iterator find(const Mark& mark);
    void take(SteadyTime now, std::size_t limit);
    void remember(const Known& guess);
  };

  /// With what it got back by now.
  Client& client(const IpAddress& counted, std::size_t limit, SteadyTime now);
  void make_room(SteadyTime now);
  Failure fail(const Guess& guess, SteadyTime now);
  void give_back(const Guess& guess);

  mutable std::mutex mutex_;
  std::map<IpAddress, Client> clients_;  // under mutex_; by first address
  std::list<IpAddress> by_age_;          // under mutex_; who took a guess last is last
};

}  // namespace relay::session
