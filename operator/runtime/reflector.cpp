#include "operator/runtime/reflector.hpp"

#include <algorithm>

namespace op::runtime {
namespace {

constexpr milliseconds kFirstDelay{800};
constexpr milliseconds kLongestDelay = seconds{30};
constexpr milliseconds kHealthyTime = seconds{120};
/// A server that ends a watch sooner than this, with nothing in it, is not serving it.
constexpr milliseconds kShortWatch{1000};
/// Something between us and the server may hold streams up, and let lists pass.
constexpr int kFailedStreams = 3;

/// Spread, so that the watches of a fleet do not all end together.
seconds watch_timeout(double fraction) { return seconds{300 + static_cast<int>(fraction * 300)}; }

}  // namespace

milliseconds RetryDelay::next(SteadyTime now, double fraction) {
  const bool is_first = base_ == milliseconds{0} || now - last_ > kHealthyTime;
  base_ = is_first ? kFirstDelay : std::min(base_ * 2, kLongestDelay);
  last_ = now;
  return base_ + milliseconds{static_cast<milliseconds::rep>(fraction * static_cast<double>(base_.count()))};
}

ReflectorStep Reflector::resume(const ReflectorEvent& event, SteadyTime now, double fraction) {
  now_ = now;
  fraction_ = fraction;
  return std::visit([this](const auto& happened) { return apply(happened); }, event);
}

void Reflector::saw(const kube::WatchEvent& event) {
  if (is_gathering_) {
    // The versions of objects that were there before come in no order.
    if (!kube::ends_initial_events(event)) return;
    is_gathering_ = false;
    is_fresh_list_ = true;
    failed_streams_ = 0;
    seen_ = kube::resource_version_of(event.object);
    return;
  }
  watch_had_events_ = true;
  is_fresh_list_ = false;
  if (auto version = kube::resource_version_of(event.object); !version.empty()) seen_ = std::move(version);
}

ReflectorStep Reflector::apply(const reflector_event::Started&) { return list("0"); }

ReflectorStep Reflector::apply(const reflector_event::Listed& listed) {
  seen_ = listed.resource_version;
  is_fresh_list_ = true;
  failed_streams_ = 0;
  return watch();
}

ReflectorStep Reflector::apply(const reflector_event::ListFailed& failed) {
  const bool is_gone = failed.failure.kind == kube::Kind::gone;
  if (is_gone && !list_from_.empty()) return list("");
  return wait(Next::list, failed.failure.retry_after);
}

ReflectorStep Reflector::begin_failed(const std::optional<kube::Failure>& failure) {
  is_gathering_ = false;
  if (failure && failure->kind == kube::Kind::invalid) {
    lists_ = Lists::whole;
    return list(list_from_);
  }
  if (failure && failure->kind == kube::Kind::gone && !list_from_.empty()) return list("");
  // What is forbidden is forbidden as a list too.
  if (!failure || failure->kind != kube::Kind::forbidden) ++failed_streams_;
  return wait(Next::list, failure ? failure->retry_after : std::nullopt);
}

ReflectorStep Reflector::apply(const reflector_event::WatchEnded& ended) {
  if (is_gathering_) return begin_failed(ended.failure);
  const bool is_too_short = !watch_had_events_ && now_ - watch_began_ < kShortWatch;
  if (!ended.failure && is_too_short) return wait(Next::watch);
  if (!ended.failure) {
    is_fresh_list_ = false;
    return watch();
  }
  if (ended.failure->kind == kube::Kind::gone) return list_anew();
  // It was served for a while, if only with silence: what was listed last was good.
  if (now_ - watch_began_ >= kShortWatch) is_fresh_list_ = false;
  return wait(Next::watch, ended.failure->retry_after);
}

ReflectorStep Reflector::apply(const reflector_event::Woke&) {
  return next_ == Next::list ? list(list_from_) : watch();
}

/// At once, unless what the server listed last was already gone when we came to watch it: then it would go on for ever.
ReflectorStep Reflector::list_anew() {
  list_from_.clear();
  return is_fresh_list_ ? wait(Next::list) : list("");
}

ReflectorStep Reflector::list(std::string resource_version) {
  list_from_ = std::move(resource_version);
  if (lists_ == Lists::whole || failed_streams_ >= kFailedStreams) return reflector_step::List{list_from_};
  is_gathering_ = true;
  watch_began_ = now_;
  watch_had_events_ = false;
  return reflector_step::Watch{list_from_, watch_timeout(fraction_), true};
}

ReflectorStep Reflector::watch() {
  watch_began_ = now_;
  watch_had_events_ = false;
  return reflector_step::Watch{seen_, watch_timeout(fraction_), false};
}

ReflectorStep Reflector::wait(Next next, std::optional<milliseconds> at_least) {
  next_ = next;
  return reflector_step::Wait{std::max(delay_.next(now_, fraction_), at_least.value_or(milliseconds{0}))};
}

}  // namespace op::runtime
