#include "operator/relay/unready_reasons.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "operator/relay/cordon.hpp"
#include "operator/relay/trouble.hpp"

namespace op::smtp_relay {
namespace {

using kube::text_at;
using relay::SteadyTime;

std::string uid_of(const Json& pod) { return text_at(pod, "/metadata/uid"); }

/// The DaemonSet's pods that run and are not ready, by the names of their nodes.
std::vector<std::pair<std::string, Json*>> unready_pods(World& world) {
  std::vector<std::pair<std::string, Json*>> found;
  if (!world.daemon_set) return found;
  const auto owner = text_at(*world.daemon_set, "/metadata/uid");
  for (auto& pod : world.pods) {
    const bool is_unready = pod.contains("status") && text_at(pod, "/status/reason") == kNotReady;
    if (is_unready && kube::controller_of(pod).uid == owner)
      found.emplace_back(text_at(pod, "/spec/nodeName"), &pod);
  }
  std::sort(found.begin(), found.end(), [](const auto& one, const auto& other) {
    return one.first < other.first;
  });
  return found;
}

/// Of these the first of which nobody knows why.
std::vector<Json*> pods_to_ask(World& world) {
  const auto unready = unready_pods(world);
  if (unready.empty()) return {};
  const auto cordons = cordons_of(world);
  std::vector<Json*> pods;
  for (const auto& [node, pod] : unready) {
    if (pods.size() < UnreadyReasons::kMostPods && !cordons.nodes.contains(node)) pods.push_back(pod);
  }
  return pods;
}

/// What the pods of one relay said last, and when they are asked.
struct Book {
  std::map<std::string, std::string> said;  // by the uid of each that is asked; empty: nothing
  std::optional<SteadyTime> asked;
  std::optional<SteadyTime> next;  // from the first follow() on

  /// From now on these are asked, and what others said is forgotten.
  void follow(const std::vector<Json*>& pods, SteadyTime now) {
    auto before = std::exchange(said, {});
    bool is_new = false;
    for (const auto* pod : pods) {
      const auto known = before.find(uid_of(*pod));
      is_new = is_new || known == before.end();
      said.emplace(uid_of(*pod), known == before.end() ? "" : std::move(known->second));
    }
    if (!is_new) return;
    auto due = now + UnreadyReasons::kFirstLook;
    if (asked) due = std::max(due, *asked + UnreadyReasons::kSoonest);
    next = std::min(next.value_or(due), due);
  }
};

}  // namespace

struct UnreadyReasons::Ledger {
  std::mutex mutex;
  std::map<Key, Book> books;  // under mutex
  std::function<void(const Key&)> enqueue;

  void note(const Key& relay, const SpoolReports& reports) {
    if (has_news(relay, reports)) enqueue(relay);
  }

 private:
  bool has_news(const Key& relay, const SpoolReports& reports) {
    const std::lock_guard lock(mutex);
    const auto book = books.find(relay);
    if (book == books.end()) return false;
    bool is_news = false;
    for (const auto& report : reports) {
      const auto said = book->second.said.find(report.pod_uid);
      if (said == book->second.said.end() || said->second == report.unready) continue;
      said->second = report.unready;
      is_news = true;
    }
    return is_news;
  }
};

UnreadyReasons::UnreadyReasons(
  SpoolInspector& inspector, const relay::Clock& clock, std::function<void(const Key&)> enqueue
)
    : inspector_(inspector), clock_(clock), ledger_(std::make_shared<Ledger>()) {
  ledger_->enqueue = std::move(enqueue);
}

std::optional<relay::milliseconds> UnreadyReasons::look(World& world) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto pods = pods_to_ask(world);
  if (pods.empty()) {
    forget(key);
    return std::nullopt;
  }
  const auto now = clock_.steady();
  std::vector<Json> asked;
  {
    const std::lock_guard lock(ledger_->mutex);
    auto& book = ledger_->books[key];
    book.follow(pods, now);
    for (auto* pod : pods) {
      if (const auto& words = book.said.at(uid_of(*pod)); !words.empty()) (*pod)["status"]["message"] = words;
      asked.push_back(*pod);
    }
    if (now < *book.next) return std::chrono::ceil<relay::milliseconds>(*book.next - now);
    book.asked = now;
    book.next = now + kNextLook;
  }
  inspector_.inspect(asked, [ledger = ledger_, key](const SpoolReports& reports) {
    ledger->note(key, reports);
  });
  return kNextLook;
}

void UnreadyReasons::forget(const Key& relay) {
  const std::lock_guard lock(ledger_->mutex);
  ledger_->books.erase(relay);
}

}  // namespace op::smtp_relay
