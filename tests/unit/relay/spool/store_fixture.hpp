#pragma once
/// A spool in a folder of its own, opened and opened again.

#include <fstream>
#include <gtest/gtest.h>

#include "relay/spool/store.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::spool {

inline const std::string kQueue = "smarthost/default";
inline WallTime at(std::int64_t ms) { return WallTime{milliseconds{ms}}; }
/// Behind every time.
inline constexpr WallTime kEver{milliseconds{4'000'000'000'000}};

inline Waiting waiting_of(WallTime arrival, std::uint64_t size) {
  Waiting waiting;
  waiting.arrival = arrival;
  waiting.size = size;
  return waiting;
}

class StoreTest : public ::testing::Test {
 protected:
  test::Folder folder;
  test::QuietLog log;
  metrics::Registry metrics{1};

  std::unique_ptr<Store> open() {
    auto store = Store::open({folder.path("spool"), [](const Error&) { return false; }, &log, &metrics});
    EXPECT_TRUE(store) << store.error().message();
    return std::move(*store);
  }

  /// As behind damage that was found while the spool was in use.
  std::unique_ptr<Store> open_repaired() {
    std::ofstream(folder.path("spool/repair-wanted")).put('\n');
    auto store = open();
    EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 1U);
    return store;
  }
  static void write(Store& store, const Operations& operations) {
    EXPECT_TRUE(store.write(operations, Sync::yes));
  }
  /// A whole message of three recipients with a place for each of these shares, in queues a, b, ...
  static QueueId accept_divided(
    Store& store, WallTime due, const std::vector<std::vector<std::uint32_t>>& shares
  ) {
    const auto id = store.next_id();
    StoredEnvelope stored;
    for (const auto* to : {"b@example.net", "c@example.net", "d@example.net"})
      stored.envelope.recipients.push_back(*mail::Address::parse(to));
    stored.chunks = 1;
    stored.envelope.size = 1000;
    Operations operations{
      put_record(Family::content, indexed_key(id, 0), std::string(1000, 'a')),
      put_record(Family::envelope, id_key(id), to_payload(stored))
    };
    std::string queue = "a";
    for (const auto& share : shares) {
      operations.push_back(place_of(Family::due, queue, due, id, share));
      ++queue.front();
    }
    write(store, operations);
    return id;
  }
  static Operation place_of(
    Family family, const std::string& queue, WallTime due, const QueueId& id, std::vector<std::uint32_t> share
  ) {
    auto waiting = waiting_of(due, 1000);
    waiting.share = std::move(share);
    return put_record(family, due_key(queue, due, id), to_payload(waiting));
  }
  /// Takes its place in the queue from a message.
  static void unqueue(Store& store, const QueueId& id, WallTime due) {
    EXPECT_TRUE(store.write({remove(Family::due, due_key(kQueue, due, id))}, Sync::yes));
  }
  static Operation result_of(
    const QueueId& id, bool is_delivered, std::uint32_t recipient = 0, bool is_closed = false
  ) {
    const Settled settled{is_delivered, "reply", "hop", at(5), is_closed};
    return put_record(Family::result, indexed_key(id, recipient), to_payload(settled));
  }

  /// A whole message with this many chunks of 1,000 octets.
  static QueueId accept(Store& store, WallTime due, std::uint32_t chunks = 1) {
    const auto id = store.next_id();
    StoredEnvelope stored;
    stored.envelope.reverse_path = *mail::Address::parse("a@example.com");
    stored.envelope.recipients = {*mail::Address::parse("b@example.net")};
    stored.chunks = chunks;
    stored.envelope.size = chunks * 1000;
    Operations operations;
    for (std::uint32_t i = 0; i < chunks; ++i) {
      operations.push_back(
        put_record(Family::content, indexed_key(id, i), std::string(1000, static_cast<char>('a' + i)))
      );
    }
    operations.push_back(put_record(Family::envelope, id_key(id), to_payload(stored)));
    operations.push_back(
      put_record(Family::due, due_key(kQueue, due, id), to_payload(waiting_of(due, stored.envelope.size)))
    );
    EXPECT_TRUE(store.write(operations, Sync::yes));
    return id;
  }

  static std::vector<QueueId> waiting(const Store& store) {
    std::vector<QueueId> ids;
    const auto page = store.due(kQueue, std::nullopt, at(1'000'000), 1000);
    for (const auto& item : page->items) ids.push_back(item.key.id);
    return ids;
  }
};

}  // namespace relay::spool
