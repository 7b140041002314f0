#include "relay/engine/dispatcher.hpp"

/// Attempts: messages that the schedule starts, on their way to a shard.

#include <algorithm>
#include <utility>

#include "relay/engine/records.hpp"
#include "relay/engine/signing.hpp"

namespace relay::engine {

using route::Destination;
namespace step = queue::schedule_step;

std::optional<Dispatcher::KeptFresh> Dispatcher::take_fresh(
  const queue::QueueName& queue, const QueueId& id
) {
  const auto [first, last] = fresh_.equal_range(id);
  const auto found =
    std::find_if(first, last, [&](const auto& entry) { return entry.second.queue == queue; });
  if (found == last) return std::nullopt;
  auto kept = std::move(found->second);
  fresh_.erase(found);
  return kept;
}

/// What is in memory goes straight to its shard; what must be read or signed goes by a worker.
void Dispatcher::begin(step::Start start) {
  const bool is_signed = context_.limits.limits()->signing != nullptr;
  std::vector<Dispatched> ready;
  std::vector<Task> tasks;
  const auto provider = provider_of(start.queue.destination);
  for (const auto& item : start.items) {
    auto kept = take_fresh(start.queue, item.key.id);
    if (!kept || is_signed) {
      tasks.push_back({item, std::move(kept)});
      continue;
    }
    auto dispatched = fresh_attempt(start.queue, item, std::move(*kept));
    dispatched.attempt.provider = provider;
    if (!may_start(dispatched.attempt)) {
      reroute(dispatched.attempt, start.shard);
      continue;
    }
    dispatched.attempt.has_signature = true;
    ready.push_back(std::move(dispatched));
  }
  const auto& [queue, shard, items, max_connections] = start;
  if (!ready.empty()) shippers_[shard]->ship(queue.destination, std::move(ready), max_connections);
  if (tasks.empty()) return;
  start.items.clear();
  net::asio::post(
    context_.workers,
    [this, start = std::move(start), provider, tasks = std::make_shared<std::vector<Task>>(std::move(tasks))](
    ) mutable { prepare(start, std::move(*tasks), provider); }
  );
}

Dispatched Dispatcher::fresh_attempt(const queue::QueueName& queue, const queue::Item& item, KeptFresh kept) {
  Dispatched dispatched;
  auto& attempt = dispatched.attempt;
  attempt.place = {queue, item, std::move(kept.share)};
  attempt.stored = std::move(kept.fresh.stored);
  attempt.pending = pending_recipients(attempt.stored, attempt.place.share, {});
  dispatched.content = std::move(kept.fresh.content);
  return dispatched;
}

std::string Dispatcher::provider_of(const Destination& destination) const {
  if (route::mx_domain(destination).empty()) return {};
  const auto state = scheduler_.state(destination, now());
  return state ? state->provider : std::string();
}

/// On a worker: reads and signs.
void Dispatcher::prepare(const step::Start& start, std::vector<Task> tasks, const std::string& provider) {
  std::vector<Dispatched> ready;
  for (auto& task : tasks) {
    Dispatched dispatched;
    if (task.fresh) {
      dispatched = fresh_attempt(start.queue, task.item, std::move(*task.fresh));
    } else {
      auto attempt = load_attempt(context_.store, start.queue, task.item);
      if (!attempt) {
        unreadable({start.queue, task.item, start.shard}, attempt.error());
        continue;
      }
      dispatched.attempt = std::move(*attempt);
    }
    dispatched.attempt.provider = provider;
    if (dispatched.attempt.pending.empty()) conclude(dispatched.attempt, start.shard);
    else if (!may_start(dispatched.attempt)) reroute(dispatched.attempt, start.shard);
    else if (auto made = sign(context_, dispatched); !made)
      unreadable({start.queue, task.item, start.shard}, made.error());
    else ready.push_back(std::move(dispatched));
  }
  if (!ready.empty())
    shippers_[start.shard]->ship(start.queue.destination, std::move(ready), start.max_connections);
}

Result<Attempt> load_attempt(
  const spool::Store& store, const queue::QueueName& queue, const queue::Item& item
) {
  Attempt attempt;
  attempt.place = {queue, item, {}};
  auto waiting = store.place(spool::Family::due, key_of(attempt.place));
  if (!waiting) return tl::unexpected(std::move(waiting.error()));
  auto stored = store.envelope(item.key.id);
  if (!stored) return tl::unexpected(std::move(stored.error()));
  auto settled = store.results(item.key.id);
  if (!settled) return tl::unexpected(std::move(settled.error()));
  auto signature = store.signature(item.key.id);
  if (!signature && signature.error().code != Errc::not_found)
    return tl::unexpected(std::move(signature.error()));
  attempt.place.share = std::move(waiting->share);
  attempt.place.is_released = waiting->is_released;
  attempt.place.item.sender_was_warned = waiting->sender_was_warned;
  attempt.last = std::move(waiting->last);
  attempt.stored = std::move(*stored);
  attempt.settled_before = std::move(*settled);
  attempt.pending = pending_recipients(attempt.stored, attempt.place.share, attempt.settled_before);
  attempt.has_signature = attempt.signature_is_stored = signature.has_value();
  if (signature) attempt.signature = std::move(*signature);
  return attempt;
}

}  // namespace relay::engine
