#include "relay/oauth/token_cache.hpp"

#include <algorithm>

namespace relay::oauth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// An endpoint may keep the lifetime to itself (RFC 6749 section 5.1).
constexpr seconds kAssumedLifetime = minutes{5};
constexpr seconds kMaxLifetime = std::chrono::hours{24 * 30};
constexpr seconds kRenewBeforeEnd{60};
/// A token has to arrive, and clocks differ.
constexpr seconds kUsableBeforeEnd{30};
constexpr seconds kAfterRefusal{60};
constexpr seconds kFirstBackOff{5};
constexpr seconds kMaxBackOff = minutes{5};

milliseconds back_off(std::uint32_t failures, double fraction) {
  const auto doublings = std::min<std::uint32_t>(failures - 1, 10);
  const auto delay = std::min<milliseconds>(kFirstBackOff * (1U << doublings), kMaxBackOff);
  const auto spread = 0.75 + 0.5 * fraction;
  return milliseconds{static_cast<milliseconds::rep>(static_cast<double>(delay.count()) * spread)};
}

}  // namespace

CacheStep TokenCache::want(SteadyTime now) {
  if (current_ && now >= current_->usable_until) current_.reset();
  const bool may_request = !is_requesting_ && (!earliest_request_ || now >= *earliest_request_);
  if (current_) {
    cache_step::Use use{current_->token, may_request && now >= current_->renew_at};
    if (use.and_renew) (void)request(now);
    return use;
  }
  if (is_requesting_) return cache_step::Join{};
  if (may_request) return request(now);
  return cache_step::Refuse{*why_};
}

CacheStep TokenCache::request(SteadyTime now) {
  is_requesting_ = true;
  last_request_ = now;
  return cache_step::Request{};
}

void TokenCache::granted(Grant grant, SteadyTime asked_at) {
  is_requesting_ = false;
  failures_ = 0;
  why_.reset();
  earliest_request_.reset();
  const milliseconds lifetime = std::min(grant.expires_in.value_or(kAssumedLifetime), kMaxLifetime);
  const auto renew_after = std::max(std::min(lifetime * 8 / 10, lifetime - kRenewBeforeEnd), lifetime / 2);
  const auto usable_for = lifetime - std::min<milliseconds>(kUsableBeforeEnd, lifetime / 4);
  current_ = Current{std::move(grant.access_token), asked_at + renew_after, asked_at + usable_for};
}

void TokenCache::failed(Error error, SteadyTime now, double fraction) {
  is_requesting_ = false;
  ++failures_;
  why_ = std::move(error);
  earliest_request_ = now + back_off(failures_, fraction);
}

void TokenCache::invalidate(const std::string& token, SteadyTime now) {
  if (!current_ || current_->token != token) return;
  current_.reset();
  const auto earliest = last_request_.value_or(now) + kAfterRefusal;
  earliest_request_ = std::max(earliest_request_.value_or(earliest), earliest);
  why_ = Error{
    Errc::not_permitted, Fate::transient, "the server refused a fresh access token; no other is asked for yet"
  };
}

}  // namespace relay::oauth
