#include "relay/engine/dispatcher.hpp"

/// Messages that cannot be read: they wait, or are set aside.

#include <utility>

#include "relay/engine/records.hpp"

namespace relay::engine {

using metrics::Counter;

void Dispatcher::unreadable(const InFlight& message, const Error& error) {
  if (error.code == Errc::corrupt || error.code == Errc::not_found)
    return quarantine(message, error.message());
  context_.log.write(log::error("spool_unreadable")
                       .with("queue_id", message.item.key.id.to_text())
                       .with("error", error.message())
                       .with("message", "the message waits; no other is accepted for a while"));
  admission_.note_read_failure(error);
  on_thread([this, message] { scheduler_.release(message.queue.destination, message.shard); });
  in_a_moment([this, message] { put_back(InFlight{message.queue, message.item, queue::kNoShard}); });
}

/// The index itself: what is damaged stays so until the next start repairs it, and all else is tried again by
/// whoever met it.
void Dispatcher::index_unreadable(const Error& error) {
  const bool is_damaged = error.code == Errc::corrupt;
  context_.log.write(log::error("spool_failed")
                       .with("error", error.message())
                       .with(
                         "message",
                         is_damaged
                           ? "the queue is damaged: nothing is accepted or delivered until the next start, "
                             "which repairs it"
                           : "the queue could not be read: nothing is accepted until it can"
                       ));
  if (!is_damaged) return admission_.note_read_failure(error);
  admission_.note_read_failure({Errc::storage_failed, Fate::terminal, error.context});
  pause();
}

void Dispatcher::quarantine(const InFlight& message, const std::string& why) {
  on_thread([this, message, why] {
    const auto& id = message.item.key.id;
    // A damaged place in the queue is met again while it is being set aside.
    if (!in_quarantine_.insert(id).second) return scheduler_.finished(message.queue, id, message.shard);
    context_.log.write(
      log::error("quarantine")
        .with("queue_id", id.to_text())
        .with("reason", why)
        .with("message", "a record of this message does not verify: it is set aside and will not be sent")
    );
    scheduler_.release(message.queue.destination, message.shard);
    set_aside({message.queue, message.item, queue::kNoShard});
  });
}

/// Behind what is being settled of others of its recipients.
void Dispatcher::set_aside(const InFlight& message) {
  shares_.enter(message.item.key.id, [this, message] {
    net::asio::post(context_.workers, [this, message] { set_aside_now(message); });
  });
}

void Dispatcher::set_aside_now(InFlight message) {
  const auto& id = message.item.key.id;
  if (message.item.size == 0) {  // its place in the queue was damaged: the envelope may know
    if (const auto stored = context_.store.envelope(id)) message.item.size = stored->envelope.size;
  }
  auto operations = context_.store.quarantine(id);
  if (!operations) {
    shares_.leave(id);
    index_unreadable(operations.error());
    return quarantine_failed(message, operations.error());
  }
  if (operations->empty()) {
    shares_.leave(id);
    // Its other place was set aside, and this one with it. One without a size was met twice while that was going on.
    if (message.item.size > 0) depths_.remove(message.queue);
    return forget(message);
  }
  auto done = [this, message](const Result<void>& result) {
    shares_.leave(message.item.key.id);
    if (!result) return quarantine_failed(message, result.error());
    context_.committer_counters.add(Counter::spool_quarantined);
    admission_.remove_waiting(1, message.item.size);
    depths_.remove(message.queue);
    forget(message);
  };
  context_.committer.submit({std::move(*operations), spool::Sync::yes, std::move(done)});
}

/// It stays in flight until it is recorded; what fails until restart is found again then.
void Dispatcher::quarantine_failed(const InFlight& message, const Error& error) {
  if (error.fate == Fate::transient) in_a_moment([this, message] { set_aside(message); });
}

void Dispatcher::forget(const InFlight& message) {
  on_thread([this, message] {
    in_quarantine_.erase(message.item.key.id);
    wishes_.erase(message.item.key.id);
    forget_fresh(message.queue, message.item.key.id);
    scheduler_.finished(message.queue, message.item.key.id, message.shard);
  });
}

}  // namespace relay::engine
