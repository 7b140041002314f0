#include "relay/engine/dead_letters.hpp"

#include "relay/base/text.hpp"

namespace relay::engine {
namespace {

constexpr std::chrono::minutes kInterval{1};
constexpr std::size_t kPage = 500;

}  // namespace

void DeadLetters::sweep() {
  const auto now = context_.clock.clock().steady();
  const auto max_age = context_.limits.limits()->dead_letter_max_age;
  if (now < next_ || max_age.count() <= 0 || is_looking_.exchange(true)) return;
  next_ = now + kInterval;
  net::asio::post(context_.workers, [this] { look(std::nullopt); });
}

/// A page at a time; the next is read behind the deletions of this one.
void DeadLetters::look(std::optional<QueueId> after) {
  const auto max_age = context_.limits.limits()->dead_letter_max_age;
  const auto page = context_.store.list_failed(after, kPage);
  if (!page || page->empty()) {
    is_looking_ = false;
    return;
  }
  Change change;
  change.action = QueueAction::remove;
  change.by = "relay";
  change.reason = "kept for " + to_text(max_age);
  for (const auto& [id, failed] : *page) {
    if (context_.clock.now() - failed.at >= max_age)
      change.places.push_back("f:" + base64(spool::id_key(id)));
  }
  const auto last = page->back().first;
  const auto go_on = [this, last](const Result<Changed>& result) {
    if (!result) is_looking_ = false;  // in a minute again
    else net::asio::post(context_.workers, [this, last] { look(last); });
  };
  if (change.places.empty()) return go_on(Changed{});
  control_.change(std::move(change), go_on);
}

}  // namespace relay::engine
