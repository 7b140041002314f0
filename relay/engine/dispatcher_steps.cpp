#include "relay/engine/dispatcher.hpp"

/// What else the schedule asks for: lookups of providers, reading a queue, and outcomes that nobody tried for.

#include <utility>

#include "relay/engine/records.hpp"

namespace relay::engine {

using route::Destination;
namespace step = queue::schedule_step;

namespace {

/// How many places a message has beside one, waiting or held: it counts once, whatever their number.
Result<std::size_t> other_places(const spool::Store& store, const QueueId& id) {
  std::size_t count = 0;
  for (const auto family : {spool::Family::due, spool::Family::held}) {
    const auto found = store.places_of(family, id);
    if (!found) return tl::unexpected(found.error());
    count += found->size();
  }
  return count > 0 ? count - 1 : 0;
}

}  // namespace

void Dispatcher::begin(const step::Resolve& resolve) { tasks_.spawn(resolve_provider(resolve.destination)); }

net::Awaitable<void> Dispatcher::resolve_provider(Destination destination) {
  delivery::ProviderSource::Answer answer{"", kMoment};
  try {
    answer = co_await providers_.provider(destination);
  } catch (const std::exception& error) {
    // Without an answer nothing of it would ever start again.
    context_.log.write(log::error("exception").with("in", "provider lookup").with("error", error.what()));
  }
  scheduler_.resolved(destination, answer.provider, now().steady + answer.valid_for);
  plan();
}

void Dispatcher::begin(const step::Load& load) {
  net::asio::post(context_.workers, [this, load] { read_queue(load); });
}

/// Reads on behind a page that holds nothing but damaged places: it would be asked for again and again.
void Dispatcher::read_queue(const step::Load& load) {
  const auto& [after, until, limit] = load.what;
  auto from = after;
  while (true) {
    auto page = context_.store.due(load.queue.to_key(), from, until, limit);
    if (!page) {
      index_unreadable(page.error());
      if (page.error().fate == Fate::transient) in_a_moment([this, load] { begin(load); });
      return;
    }
    for (const auto& id : page->damaged)
      quarantine({load.queue, {{{}, id}, {}, 0, 0, {}}}, "its place in the queue does not verify");
    const bool has_more = page->next_due && *page->next_due <= until;
    from = page->through;
    if (page->items.empty() && has_more) continue;
    return on_thread([this, queue = load.queue, page = std::move(*page)] {
      scheduler_.loaded(queue, page.items, page.next_due);
    });
  }
}

void Dispatcher::begin(const step::Expire& expire) {
  settle_untried(
    expire.queue, expire.items,
    [this, destination = expire.queue.destination](const Attempt& attempt) {
      return expired(attempt, context_.shapes.shape(destination, attempt.provider).retry.max_age);
    }
  );
}

void Dispatcher::begin(const step::Warn& warn) {
  const auto state = scheduler_.state(warn.queue.destination, now());
  settle_untried(
    warn.queue, warn.items,
    [obstacle = state ? state->last_failure : std::string()](const Attempt& attempt) {
      return late(attempt, obstacle);
    }
  );
}

/// What nobody tries now has this outcome.
void Dispatcher::settle_untried(
  const queue::QueueName& queue, const std::vector<queue::Item>& items, Outcome outcome
) {
  const auto provider = provider_of(queue.destination);
  for (const auto& item : items) {
    forget_fresh(queue, item.key.id);
    net::asio::post(context_.workers, [this, queue, item, provider, outcome] {
      settle_one(queue, item, provider, outcome);
    });
  }
}

/// On a worker.
void Dispatcher::settle_one(
  const queue::QueueName& queue, const queue::Item& item, const std::string& provider, const Outcome& outcome
) {
  auto loaded = load_attempt(context_.store, queue, item);
  if (!loaded) return unreadable({queue, item, queue::kNoShard}, loaded.error());
  if (loaded->pending.empty()) return conclude(*loaded, queue::kNoShard);
  loaded->provider = provider;
  auto settled = outcome(*loaded);
  shippers_.front()->settle(std::move(*loaded), std::move(settled));
}

/// All of its recipients are settled: a repair of the spool has brought back its place in the queue, and nothing else.
void Dispatcher::conclude(const Attempt& attempt, std::size_t shard) {
  auto conclude_now = [this, attempt, shard] {
    const auto others =
      attempt.is_divided() ? other_places(context_.store, attempt.id()) : Result<std::size_t>(0);
    if (!others) {
      leave(attempt);
      index_unreadable(others.error());
      return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    }
    auto done = [this, attempt, shard, is_last = *others == 0](const Result<void>& result) {
      leave(attempt);
      if (!result) return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
      if (is_last) admission_.remove_waiting(1, attempt.place.item.size);
      finished(attempt, shard, std::nullopt);
    };
    context_.committer.submit(
      {{spool::remove(spool::Family::due, key_of(attempt.place))}, spool::Sync::yes, std::move(done)}
    );
  };
  if (!attempt.is_divided()) return conclude_now();
  shares_.enter(attempt.id(), [this, conclude_now = std::move(conclude_now)] {
    net::asio::post(context_.workers, conclude_now);
  });
}

}  // namespace relay::engine
