#include "relay/session/rate_limits.hpp"

#include <algorithm>

#include "relay/session/client_counts.hpp"

namespace relay::session {

bool RateLimits::take(const std::string& name, const policy::Limit& limit, SteadyTime now) {
  using Seconds = std::chrono::duration<double>;
  const std::scoped_lock lock(mutex_);
  auto& known = bucket(name, now);
  const auto all = static_cast<double>(limit.count);
  const auto back = Seconds(now - known.as_of) / Seconds(limit.per) * all;
  // A limit that was lowered meanwhile owes no more than all of it.
  known.taken = std::max(std::min(known.taken, all) - back, 0.0);
  known.as_of = now;
  known.per = limit.per;
  if (known.taken + 1 > all) return false;
  known.taken += 1;
  by_age_.splice(by_age_.end(), by_age_, known.age);
  return true;
}

void RateLimits::give_back(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto found = buckets_.find(name);
  if (found == buckets_.end()) return;
  auto& known = found->second;
  known.taken = std::max(known.taken - 1, 0.0);
  if (known.taken > 0) return;
  by_age_.erase(known.age);
  buckets_.erase(found);
}

std::size_t RateLimits::buckets() const {
  const std::scoped_lock lock(mutex_);
  return buckets_.size();
}

RateLimits::Bucket& RateLimits::bucket(const std::string& name, SteadyTime now) {
  if (const auto found = buckets_.find(name); found != buckets_.end()) return found->second;
  make_room(now);
  auto& made = buckets_[name];
  made.as_of = now;
  made.age = by_age_.insert(by_age_.end(), name);
  return made;
}

/// At most two go for one that comes: nobody waits for a table to be cleared.
void RateLimits::make_room(SteadyTime now) {
  for (int i = 0; i < 2 && !by_age_.empty(); ++i) {
    const auto oldest = buckets_.find(by_age_.front());
    const bool is_full_again = now - oldest->second.as_of >= oldest->second.per;
    if (!is_full_again && buckets_.size() < kMaxBuckets) return;
    buckets_.erase(oldest);
    by_age_.pop_front();
  }
}

Allowance::~Allowance() {
  for (const auto& bucket : taken_) limits_.give_back(bucket);
}

bool Allowance::take(const policy::Rule& rule, const policy::Facts& facts) {
  const bool is_of_recipients = rule.limit.unit == policy::LimitUnit::recipients;
  const auto [said, is_new] =
    said_.try_emplace({&rule, is_of_recipients ? *facts.recipient : mail::Address()}, true);
  if (!is_new) return said->second;
  auto whom = policy::counted_for(rule.limit, facts);
  if (!whom) return true;
  if (rule.limit.key == policy::LimitKey::client) whom = client_of(facts.client).to_text();
  auto bucket = rule.name + '\n' + *whom;
  said->second = limits_.take(bucket, rule.limit, std::chrono::steady_clock::now());
  if (said->second) taken_.push_back(std::move(bucket));
  return said->second;
}

}  // namespace relay::session
