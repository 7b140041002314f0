/// Records, and the work that the committer's thread has with one message. RocksDB's own threads are not counted.

#include "relay/engine/places.hpp"
#include "relay/spool/store.hpp"
#include "tests/micro/message.hpp"
#include "tests/support/folder.hpp"

namespace relay::micro {
namespace {

using namespace spool;

StoredEnvelope stored_envelope() {
  StoredEnvelope stored{message_envelope(), 1};
  stored.envelope.received =
    "Received: from app-7d9f.example.com ([10.1.40.70])\r\n\tby node1.example;\r\n"
    "\tSat, 31 Jan 2026 08:15:30 +0000\r\n";
  return stored;
}

Operation seal_envelope() {
  return [stored = stored_envelope(), key = id_key({7, 1})] {
    require(seal(Family::envelope, key, to_payload(stored)).size() > 200, "a record");
  };
}

Operation open_envelope() {
  const auto key = id_key({7, 1});
  return [key, record = seal(Family::envelope, key, to_payload(stored_envelope()))] {
    const auto payload = open_record(Family::envelope, key, record);
    require(payload && parse_envelope(*payload), "an envelope");
  };
}

class Spool {
 public:
  Spool() {
    auto opened = Store::open({folder_.path("spool"), [](const Error&) { return false; }, nullptr, nullptr});
    require(opened.has_value(), "a spool");
    store_ = std::move(*opened);
  }

  /// What the end of data leads to: content, envelope and place in one synced batch.
  QueueId commit() {
    const auto id = store_->next_id();
    Operations operations{put_record(Family::content, indexed_key(id, 0), content_)};
    auto others = engine::accept_operations(id, stored_, {place_of(id)});
    std::move(others.begin(), others.end(), std::back_inserter(operations));
    require(store_->write(operations, Sync::yes).has_value(), "a commit");
    return id;
  }
  /// What its delivery leads to.
  void remove(const QueueId& id) {
    const Operations operations{
      spool::remove(Family::due, engine::key_of(place_of(id))), spool::remove(Family::envelope, id_key(id)),
      spool::remove(Family::content, indexed_key(id, 0))
    };
    require(store_->write(operations, Sync::no).has_value(), "a removal");
  }
  /// What an attempt reads of a message that is no longer in memory.
  void read(const QueueId& id) const {
    require(store_->envelope(id) && store_->results(id), "an envelope");
    require(store_->chunk(id, 0)->size() == content_.size(), "its content");
  }

 private:
  [[nodiscard]] engine::Place place_of(const QueueId& id) const {
    const auto arrival = stored_.envelope.arrival;
    return {{{"smarthost/default"}, queue::Lane::normal}, {{arrival, id}, arrival, 0, 4096, arrival}, {}};
  }

  test::Folder folder_;
  std::unique_ptr<Store> store_;
  std::string content_ = message_content();
  StoredEnvelope stored_ = stored_envelope();
};

Operation commit_message() {
  return [spool = std::make_shared<Spool>()] { (void)spool->commit(); };
}
Operation commit_and_remove() {
  return [spool = std::make_shared<Spool>()] { spool->remove(spool->commit()); };
}
Operation read_message() {
  auto spool = std::make_shared<Spool>();
  return [spool, id = spool->commit()] { spool->read(id); };
}

}  // namespace

std::vector<Path> spool_paths() {
  return {
    {"spool/seal_envelope", 200, seal_envelope},         {"spool/open_envelope", 200, open_envelope},
    {"spool/commit_message", 200, commit_message},       {"spool/read_message", 200, read_message},
    {"spool/commit_and_remove", 200, commit_and_remove},
  };
}

}  // namespace relay::micro
