#pragma once
/// How much of their limits clients, users and senders have taken of late, over all shards.

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/policy/rules.hpp"

namespace relay::session {

/// A bucket for each rule and whom it counts for: it holds as many tokens as the limit allows, and they come back evenly, all
/// of them within its time. So in any such time no more than twice the limit passes, and once in a row the limit itself.
/// A restart forgets all. Thread: any.
class RateLimits {
 public:
  /// Beyond it the one from which none was taken for the longest is forgotten, so that memory stays bounded.
  static constexpr std::size_t kMaxBuckets = 10'000;

  /// Takes one token; false when none is left.
  [[nodiscard]] bool take(const std::string& bucket, const policy::Limit& limit, SteadyTime now);
  /// What it was taken for did not come to pass.
  void give_back(const std::string& bucket);
  /// That are remembered.
  [[nodiscard]] std::size_t buckets() const;

 private:
  struct Bucket {
    double taken = 0;  // tokens, at `as_of`
    SteadyTime as_of{};
    milliseconds per{};
    std::list<std::string>::iterator age;  // in by_age_
  };
  Bucket& bucket(const std::string& name, SteadyTime now);
  void make_room(SteadyTime now);

  mutable std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  // under mutex_
  std::list<std::string> by_age_;          // under mutex_; the one that a token was taken from last is last
};

/// What one message has taken. It is given back unless the message is kept: what was not accepted does not count, but for as
/// long as it is open. Thread: one at a time.
class Allowance : public policy::Meter {
 public:
  /// @param limits  outlives it
  explicit Allowance(RateLimits& limits) : limits_(limits) {}
  Allowance(const Allowance&) = delete;
  Allowance& operator=(const Allowance&) = delete;
  ~Allowance() override;

  [[nodiscard]] bool take(const policy::Rule& rule, const policy::Facts& facts) override;
  /// The message was accepted.
  void keep() { taken_.clear(); }

 private:
  RateLimits& limits_;
  /// What was said, by rule and recipient; the null one stands for the message. Rules outlive the message.
  std::map<std::pair<const policy::Rule*, mail::Address>, bool> said_;
  std::vector<std::string> taken_;  // buckets, one entry for each token
};

}  // namespace relay::session
