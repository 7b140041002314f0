#include "operator/relay/source_watch.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "operator/relay/trouble.hpp"

namespace op::smtp_relay {
namespace {

using kube::text_at;
using relay::SteadyTime;

/// The DaemonSet's pods that have an address.
std::vector<Json> pods_to_ask(const World& world) {
  std::vector<Json> pods;
  if (!world.daemon_set) return pods;
  const auto owner = text_at(*world.daemon_set, "/metadata/uid");
  for (const auto& pod : world.pods) {
    const bool is_there = !address_of(pod).empty() && !kube::is_being_deleted(pod);
    if (is_there && kube::controller_of(pod).uid == owner) pods.push_back(pod);
  }
  return pods;
}

/// What the pods of one relay said last, and when they are asked.
struct Book {
  std::map<std::string, SourceReport> said;  // by the uid of each that is asked
  std::optional<SteadyTime> next;

  /// From now on these are asked, and what others said is forgotten.
  void follow(const std::vector<Json>& pods) {
    auto before = std::exchange(said, {});
    for (const auto& pod : pods) {
      const auto uid = text_at(pod, "/metadata/uid");
      const auto known = before.find(uid);
      said[uid] =
        known == before.end() ? SourceReport{text_at(pod, "/spec/nodeName"), uid} : std::move(known->second);
    }
  }
};

}  // namespace

struct SourceWatch::Ledger {
  std::mutex mutex;
  std::map<Key, Book> books;  // under mutex
  std::function<void(const Key&)> enqueue;

  void note(const Key& relay, const SourceReports& reports) {
    if (has_news(relay, reports)) enqueue(relay);
  }

 private:
  bool has_news(const Key& relay, const SourceReports& reports) {
    const std::lock_guard lock(mutex);
    const auto book = books.find(relay);
    if (book == books.end()) return false;
    bool is_news = false;
    for (const auto& report : reports) {
      const auto said = book->second.said.find(report.pod_uid);
      if (!report.is_known || said == book->second.said.end() || said->second == report) continue;
      said->second = report;
      is_news = true;
    }
    return is_news;
  }
};

SourceWatch::SourceWatch(
  SourceInspector& inspector, const relay::Clock& clock, std::function<void(const Key&)> enqueue
)
    : inspector_(inspector), clock_(clock), ledger_(std::make_shared<Ledger>()) {
  ledger_->enqueue = std::move(enqueue);
}

std::optional<relay::milliseconds> SourceWatch::look(World& world) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto pods = pods_to_ask(world);
  if (pods.empty()) {
    forget(key);
    return std::nullopt;
  }
  const auto now = clock_.steady();
  {
    const std::lock_guard lock(ledger_->mutex);
    auto& book = ledger_->books[key];
    book.follow(pods);
    for (const auto& [uid, report] : book.said) world.source_reports.push_back(report);
    if (book.next && now < *book.next) return std::chrono::ceil<relay::milliseconds>(*book.next - now);
    book.next = now + kInterval;
  }
  inspector_.inspect(pods, [ledger = ledger_, key](const SourceReports& reports) {
    ledger->note(key, reports);
  });
  return kInterval;
}

void SourceWatch::forget(const Key& relay) {
  const std::lock_guard lock(ledger_->mutex);
  ledger_->books.erase(relay);
}

}  // namespace op::smtp_relay
