/// What the store reads of many messages: its queues, and what is kept for people.

#include <set>

#include "relay/spool/store_database.hpp"

namespace relay::spool {
namespace {

/// The key behind every key that starts with `prefix`, which ends in NUL.
std::string behind_prefix(std::string prefix) {
  prefix.back() = '\x01';
  return prefix;
}

}  // namespace

Result<std::vector<std::string>> Store::queues() const {
  std::vector<std::string> queues;
  std::string from;
  while (true) {
    std::optional<DueKey> found;
    const auto status =
      for_each_key(database_->open, Family::due, from, [&](std::string_view key, std::string_view) {
        found = parse_due_key(key);
        return !found;
      });
    if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queues")));
    if (!found) return queues;
    queues.push_back(found->queue);
    from = behind_prefix(due_prefix(found->queue));
  }
}

Result<DuePage> Store::due(
  const std::string& queue, const std::optional<queue::ItemKey>& after, WallTime until, std::size_t limit
) const {
  DuePage page;
  const auto from = after ? due_key(queue, after->due, after->id) : due_prefix(queue);
  const auto status =
    for_each_key(database_->open, Family::due, from, [&](std::string_view raw, std::string_view value) {
      const auto key = parse_due_key(raw);
      if (!key || key->queue != queue) return false;
      if (after && key->due == after->due && key->id == after->id) return true;
      if (key->due > until || page.items.size() + page.damaged.size() >= limit) {
        page.next_due = key->due;
        return false;
      }
      page.through = {key->due, key->id};
      const auto waiting = open_record(Family::due, raw, value).and_then([](std::string_view payload) {
        return parse_waiting(payload);
      });
      if (waiting)
        page.items.push_back(
          {{key->due, key->id},
           waiting->arrival,
           waiting->attempts,
           waiting->size,
           waiting->at,
           waiting->sender_was_warned}
        );
      else page.damaged.push_back(key->id);
      return true;
    });
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  return page;
}

Usage Store::usage() const {
  Usage usage;
  std::set<QueueId> divided;  // messages with several places count once
  for (const auto family : {Family::due, Family::held}) {
    (void)for_each_key(database_->open, family, "", [&](std::string_view raw, std::string_view value) {
      const auto key = parse_due_key(raw);
      if (key && family == Family::due) ++usage.by_queue[key->queue];
      const auto waiting = open_record(family, raw, value).and_then([](std::string_view payload) {
        return parse_waiting(payload);
      });
      const bool is_divided = key && waiting && !waiting->share.empty();
      if (is_divided && !divided.insert(key->id).second) return true;
      ++usage.messages;
      usage.octets += waiting ? waiting->size : 0;
      return true;
    });
  }
  (void)for_each_key(database_->open, Family::failed, "", [&](std::string_view key, std::string_view value) {
    const auto failed = open_record(Family::failed, key, value).and_then([](std::string_view payload) {
      return parse_failed(payload);
    });
    ++usage.failed;
    usage.failed_octets += failed ? failed->size : 0;
    return true;
  });
  return usage;
}

Result<std::vector<WaitingMessage>> Store::list_places(
  Family family, const std::string& after, std::size_t limit
) const {
  std::vector<WaitingMessage> list;
  const auto status =
    for_each_key(database_->open, family, after, [&](std::string_view raw, std::string_view value) {
      const auto key = parse_due_key(raw);
      const auto waiting = open_record(family, raw, value).and_then([](std::string_view payload) {
        return parse_waiting(payload);
      });
      if (raw != after && key && waiting) list.push_back({*key, *waiting});
      return list.size() < limit;
    });
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  return list;
}

Result<std::vector<std::string>> Store::places_of(Family family, const QueueId& id, const std::string& queue)
  const {
  std::vector<std::string> keys;
  const auto prefix = queue.empty() ? std::string() : due_prefix(queue);
  const auto status =
    for_each_key(database_->open, family, prefix, [&](std::string_view raw, std::string_view) {
      if (!raw.starts_with(prefix)) return false;
      const auto key = parse_due_key(raw);
      if (key && key->id == id) keys.emplace_back(raw);
      return true;
    });
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  return keys;
}

Result<std::vector<std::pair<QueueId, Failed>>> Store::list_failed(
  const std::optional<QueueId>& after, std::size_t limit
) const {
  std::vector<std::pair<QueueId, Failed>> list;
  const auto status = for_each_key(
    database_->open, Family::failed, after ? id_key(*after) : "",
    [&](std::string_view raw, std::string_view value) {
      const auto id = parse_id_key(raw);
      const auto failed = open_record(Family::failed, raw, value).and_then([](std::string_view payload) {
        return parse_failed(payload);
      });
      if (id && failed && id != after) list.emplace_back(*id, *failed);
      return list.size() < limit;
    }
  );
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read dead letters")));
  return list;
}

}  // namespace relay::spool
