#include "operator/relay/failed_creates.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace op::smtp_relay {
namespace {

using kube::text_at;
using relay::milliseconds;
using relay::seconds;

/// A pod that is only just being made is missing too, for a moment.
constexpr milliseconds kFirstLook = seconds{2};
constexpr milliseconds kNextLook = seconds{30};
/// Refusals look like a fault to those who count them, or read the server's audit.
constexpr milliseconds kNextLookWhereForbidden = std::chrono::minutes{10};
/// Events of one cause are joined by who writes them: there are some ten an hour at most, and they last an hour.
constexpr unsigned kMostEvents = 100;
/// All that Pod Security says of a pod that breaks each of its rules.
constexpr std::size_t kLongestWords = 1000;

/// Down to the second, all that times of pods tell.
std::string second_of(const std::string& time) {
  return time.substr(0, std::string_view("2026-01-31T08:15:30").size());
}

std::string last_time_of(const Json& event) {
  std::string last;
  for (const auto* at :
       {"/metadata/creationTimestamp", "/eventTime", "/deprecatedLastTimestamp", "/series/lastObservedTime"})
    last = std::max(last, second_of(text_at(event, at)));
  return last;
}

void remove_prefix(std::string_view& text, std::string_view prefix) {
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
}

/// `pods "edge-smtp-relay-x7k2p" is forbidden: ...`: each pod has another name.
std::string without_pod(std::string_view note, const std::string& daemon_set) {
  const auto name = " \"" + daemon_set + "-";
  const auto begin = note.find(name);
  const auto end = begin == std::string_view::npos ? begin : note.find('"', begin + name.size());
  if (end == std::string_view::npos) return std::string(note);
  return std::string(note.substr(0, begin)) + std::string(note.substr(end + 1));
}

std::string youngest_of(const std::vector<Json>& pods, const std::string& daemon_set_uid) {
  std::string youngest;
  for (const auto& pod : pods) {
    if (kube::controller_of(pod).uid == daemon_set_uid)
      youngest = std::max(youngest, second_of(text_at(pod, "/metadata/creationTimestamp")));
  }
  return youngest;
}

}  // namespace

std::string refusal_in(
  const std::vector<Json>& events, const Json& daemon_set, const std::vector<Json>& pods
) {
  std::string_view words;
  std::string when;
  for (const auto& event : events) {
    auto time = last_time_of(event);
    if (time < when || !event.contains("note") || !event.at("note").is_string()) continue;
    when = std::move(time);
    words = event.at("note").get_ref<const std::string&>();
  }
  if (when < youngest_of(pods, text_at(daemon_set, "/metadata/uid"))) return {};
  remove_prefix(words, "(combined from similar events): ");
  remove_prefix(words, "Error creating: ");
  return relay::printable(without_pod(words, kube::key_of(daemon_set).name), kLongestWords);
}

std::string level_in(std::string_view refusal) {
  constexpr std::string_view kViolates = "violates PodSecurity \"";
  const auto found = refusal.find(kViolates);
  if (found == std::string_view::npos) return {};
  const auto level = refusal.substr(found + kViolates.size());
  return std::string(level.substr(0, level.find_first_of(":\"")));
}

FailedCreates::Found FailedCreates::of(const World& world, bool is_stalled, std::stop_token stop) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto rollout = rollout_of(world.daemon_set);
  const bool is_silent = is_stalled && !rollout.is_observed;
  if (!world.daemon_set || !(rollout.lacks_pods() || is_silent)) {
    forget(key);
    return {};
  }
  const auto now = clock_.steady();
  {
    const std::lock_guard lock(mutex_);
    const auto [search, is_new] =
      searches_.try_emplace(key, Search{now + (is_silent ? milliseconds{0} : kFirstLook), ""});
    const auto left = std::chrono::ceil<milliseconds>(search->second.next - now);
    if (left > milliseconds{0}) return {search->second.words, left};
  }
  auto found = ask(world, std::move(stop));
  const std::lock_guard lock(mutex_);
  searches_[key] = {now + *found.look_in, found.words};
  return found;
}

FailedCreates::Found FailedCreates::ask(const World& world, std::stop_token stop) {
  const auto& daemon_set = *world.daemon_set;
  kube::Selection events{kube::kEvents, world.relay.name_space, "", kube::View::full};
  events.fields =
    "reason=FailedCreate,regarding.kind=DaemonSet,regarding.name=" + kube::key_of(daemon_set).name +
    ",regarding.uid=" + text_at(daemon_set, "/metadata/uid");
  events.limit = kMostEvents;
  const auto found = client_.list(events, "", std::move(stop));
  if (found) return {refusal_in(found->items, daemon_set, world.pods), kNextLook};
  return {"", found.error().kind == kube::Kind::forbidden ? kNextLookWhereForbidden : kNextLook};
}

void FailedCreates::forget(const Key& relay) {
  const std::lock_guard lock(mutex_);
  searches_.erase(relay);
}

}  // namespace op::smtp_relay
