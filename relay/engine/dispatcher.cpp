#include "relay/engine/dispatcher.hpp"

#include <utility>

namespace relay::engine {

using metrics::Counter;
using route::Destination;
namespace step = queue::schedule_step;

Dispatcher::Dispatcher(
  const Context& context, net::IoThread& thread, Admission& admission, queue::SchedulerLimits limits,
  Jitter& jitter
)
    : context_(context),
      thread_(thread),
      admission_(admission),
      jitter_(jitter),
      scheduler_(limits, jitter),
      timer_(thread.context()) {}

/// Runs an action on the scheduler's thread and lets the schedule act on it.
template <class Action>
void Dispatcher::on_thread(Action action) {
  net::asio::post(thread_.context(), [this, action = std::move(action)]() mutable {
    action();
    plan();
  });
}

queue::Now Dispatcher::now() const { return {context_.clock.now(), context_.clock.clock().steady()}; }

// ---- events ----

void Dispatcher::start(const std::vector<std::string>& destinations) {
  on_thread([this, destinations] {
    for (const auto& destination : destinations) scheduler_.add(Destination{destination});
  });
}

void Dispatcher::announce(const Destination& destination, const QueueId& id) {
  // No plan: nothing can start because of it, and the order with what follows is kept.
  net::asio::post(thread_.context(), [this, destination, id] { scheduler_.announce(destination, id); });
}

void Dispatcher::withdraw(const Destination& destination, const QueueId& id) {
  on_thread([this, destination, id] { scheduler_.withdraw(destination, id); });
}

void Dispatcher::accepted(const Destination& destination, const queue::Item& item, Fresh fresh) {
  on_thread([this, destination, item, fresh = std::move(fresh)]() mutable {
    // What is not in the window is read from disk in its time: holding on to its content would help nobody.
    if (scheduler_.admit(destination, item, now())) fresh_.emplace(item.key.id, std::move(fresh));
  });
}

void Dispatcher::finished(
  const Attempt& attempt, std::size_t shard, const std::optional<queue::Item>& again
) {
  on_thread([this, destination = attempt.destination, id = attempt.item.key.id, shard, again] {
    scheduler_.finished(destination, id, shard);
    if (again) scheduler_.admit(destination, *again, now());
  });
}

void Dispatcher::put_back(const Attempt& attempt, std::size_t shard) {
  on_thread([this, destination = attempt.destination, id = attempt.item.key.id, shard] {
    scheduler_.put_back(destination, id, shard);
  });
}

void Dispatcher::connection_ready(const Destination& destination, std::size_t shard) {
  on_thread([this, destination, shard] { scheduler_.connection_ready(destination, shard); });
}

void Dispatcher::connection_closed(const Destination& destination, std::size_t shard) {
  on_thread([this, destination, shard] { scheduler_.connection_closed(destination, shard); });
}

void Dispatcher::hop_failed(const Destination& destination, std::string why) {
  on_thread([this, destination, why = std::move(why)]() mutable {
    scheduler_.hop_failed(destination, std::move(why), now());
  });
}

void Dispatcher::resume(const Destination& destination) {
  on_thread([this, destination] { scheduler_.resume(destination); });
}

void Dispatcher::pause() {
  on_thread([this] { scheduler_.pause(++pauses_ > 0); });
}

void Dispatcher::unpause() {
  on_thread([this] { scheduler_.pause(--pauses_ > 0); });
}

void Dispatcher::reload() {
  on_thread([this] { scheduler_.set_retry(context_.limits.limits()->retry); });
}

void Dispatcher::describe(std::function<void(std::vector<queue::DestinationState>, std::size_t)> answer) {
  net::asio::post(thread_.context(), [this, answer = std::move(answer)] {
    answer(scheduler_.states(), scheduler_.in_flight());
  });
}

// ---- steps ----

void Dispatcher::plan() {
  for (auto& planned : scheduler_.plan(now())) {
    std::visit([this](auto& one) { begin(std::move(one)); }, planned);
  }
  set_timer();
}

void Dispatcher::set_timer() {
  const auto wake_at = scheduler_.wake_at(now());
  if (!wake_at) {
    timer_.cancel();
    return;
  }
  if (timer_.expiry() == *wake_at) return;
  timer_.expires_at(*wake_at);
  timer_.async_wait([this](net::error_code ec) {
    if (!ec) plan();
  });
}

void Dispatcher::begin(step::Start start) {
  std::vector<Dispatched> fresh;
  std::vector<queue::Item> stored;
  for (const auto& item : start.items) {
    const auto found = fresh_.find(item.key.id);
    if (found == fresh_.end()) {
      stored.push_back(item);
      continue;
    }
    Dispatched dispatched{
      {item, start.destination, std::move(found->second.stored), {}, {}}, std::move(found->second.content)
    };
    dispatched.attempt.pending = pending_recipients(dispatched.attempt.stored, {});
    fresh.push_back(std::move(dispatched));
    fresh_.erase(found);
  }
  if (!fresh.empty()) shippers_[start.shard]->ship(start.destination, std::move(fresh), start.may_connect);
  if (!stored.empty()) ship_stored(start.destination, start.shard, std::move(stored), start.may_connect);
}

void Dispatcher::ship_stored(
  Destination destination, std::size_t shard, std::vector<queue::Item> items, bool may_connect
) {
  net::asio::post(
    context_.workers,
    [this, destination = std::move(destination), shard, items = std::move(items), may_connect] {
      std::vector<Dispatched> loaded;
      for (const auto& item : items) {
        auto attempt = load_attempt(context_.store, destination, item);
        if (attempt) loaded.push_back({std::move(*attempt), nullptr});
        else quarantine(destination, item.key.id, item.size, shard, attempt.error().message());
      }
      if (!loaded.empty()) shippers_[shard]->ship(destination, std::move(loaded), may_connect);
    }
  );
}

void Dispatcher::begin(const step::Load& load) {
  net::asio::post(context_.workers, [this, load] {
    auto page = context_.store.due(load.destination.name, load.what.after, load.what.until, load.what.limit);
    if (!page) {
      // Without the index nobody knows what is due; the spool is marked for repair at the next start.
      context_.log.write(log::error("spool_failed").with("error", page.error().message()));
      return pause();
    }
    for (const auto& id : page->damaged) {
      quarantine(load.destination, id, 0, queue::kNoShard, "its place in the queue does not verify");
    }
    on_thread([this, destination = load.destination, page = std::move(*page)] {
      scheduler_.loaded(destination, page.items, page.next_due);
    });
  });
}

void Dispatcher::begin(const step::Expire& expire) {
  for (const auto& item : expire.items) {
    fresh_.erase(item.key.id);
    net::asio::post(context_.workers, [this, destination = expire.destination, item] {
      expire_one(destination, item);
    });
  }
}

void Dispatcher::expire_one(const Destination& destination, const queue::Item& item) {
  auto loaded = load_attempt(context_.store, destination, item);
  if (!loaded)
    return quarantine(destination, item.key.id, item.size, queue::kNoShard, loaded.error().message());
  const auto limits = context_.limits.limits();
  const auto outcome = expired(*loaded, limits->retry.max_age);
  auto settlement = settle(*loaded, outcome, limits->retry, now().wall, 0, "");
  auto record =
    log::warning("failure")
      .with("queue_id", item.key.id.to_text())
      .with("sender", loaded->stored.envelope.reverse_path.to_text())
      .with("recipients", loaded->pending.size())
      .with("reply", outcome.recipients.empty() ? "" : outcome.recipients.front().reply.to_line());
  const auto recipients = loaded->pending.size();
  auto done = [this, attempt = std::move(*loaded), record = std::move(record),
               recipients](const Result<void>& result) {
    if (!result) return put_back(attempt, queue::kNoShard);
    auto& counters = context_.committer_counters;
    counters.add(Counter::recipients_failed, recipients);
    counters.add(Counter::messages_failed);
    admission_.remove_waiting(1, attempt.item.size);
    admission_.add_failed(1, attempt.item.size);
    context_.log.write(record);
    finished(attempt, queue::kNoShard, std::nullopt);
  };
  context_.committer.submit({std::move(settlement.operations), settlement.sync, std::move(done)});
}

void Dispatcher::quarantine(
  const Destination& destination, const QueueId& id, std::uint64_t size, std::size_t shard,
  const std::string& why
) {
  context_.log.write(
    log::error("quarantine")
      .with("queue_id", id.to_text())
      .with("reason", why)
      .with("message", "a record of this message does not verify: it is set aside and will not be sent")
  );
  net::asio::post(context_.workers, [this, destination, id, size, shard] {
    auto done = [this, destination, id, size, shard](const Result<void>& result) {
      if (!result) return;
      context_.committer_counters.add(Counter::spool_quarantined);
      admission_.remove_waiting(1, size);
      on_thread([this, destination, id, shard] { scheduler_.finished(destination, id, shard); });
    };
    context_.committer.submit({context_.store.quarantine(id), spool::Sync::yes, std::move(done)});
  });
}

Result<Attempt> load_attempt(
  const spool::Store& store, const Destination& destination, const queue::Item& item
) {
  auto stored = store.envelope(item.key.id);
  if (!stored) return tl::unexpected(stored.error());
  auto settled = store.results(item.key.id);
  if (!settled) return tl::unexpected(settled.error());
  Attempt attempt{item, destination, std::move(*stored), std::move(*settled), {}};
  attempt.pending = pending_recipients(attempt.stored, attempt.settled_before);
  return attempt;
}

}  // namespace relay::engine
