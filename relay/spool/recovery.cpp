#include "relay/spool/recovery.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "relay/route/next_hop.hpp"

namespace relay::spool {
namespace {

constexpr std::size_t kBatch = 1000;  // operations of one write, more or less

constexpr std::array kFamiliesById{
  Family::incoming, Family::content, Family::envelope, Family::result, Family::failed
};

/// The number of the greatest id among keys that start with `prefix`, which ends in the spool's part.
Result<std::uint64_t> greatest_number(
  const OpenDatabase& database, Family family, const std::string& prefix
) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(database.db->NewIterator(options, database.family(family)));
  at->SeekForPrev(prefix + std::string(16, '\xff'));
  if (!at->status().ok()) return tl::unexpected(to_read_error(at->status(), "look for the last id"));
  if (!at->Valid() || !at->key().starts_with(prefix) || at->key().size() < prefix.size() + 8) return 0;
  return parse_big_endian(at->key().ToStringView().substr(prefix.size(), 8));
}

/// Calls `visit` with the id of every due key, also of quarantined ones.
template <class Visit>
Result<void> for_each_due_id(const OpenDatabase& database, Visit visit) {
  const auto quarantined = std::string(name(Family::due)) + '\0';
  auto status = for_each_key(database, Family::due, "", [&](std::string_view key, std::string_view) {
    if (const auto parsed = parse_due_key(key)) visit(parsed->id);
    return true;
  });
  if (status.ok()) {
    status =
      for_each_key(database, Family::quarantine, quarantined, [&](std::string_view key, std::string_view) {
        if (!key.starts_with(quarantined)) return false;
        if (const auto parsed = parse_due_key(key.substr(quarantined.size()))) visit(parsed->id);
        return true;
      });
  }
  if (!status.ok()) return tl::unexpected(to_read_error(status, "read the queue"));
  return {};
}

}  // namespace

Result<std::uint64_t> highest_start(const OpenDatabase& database, std::uint32_t spool, bool is_thorough) {
  const auto of_spool = big_endian(spool, 4);
  std::uint64_t highest = 0;
  for (const auto family : kFamiliesById) {
    const auto own = greatest_number(database, family, of_spool);
    if (!own) return own;
    const auto set_aside =
      greatest_number(database, Family::quarantine, std::string(name(family)) + '\0' + of_spool);
    if (!set_aside) return set_aside;
    highest = std::max({highest, *own, *set_aside});
  }
  if (is_thorough) {
    const auto read = for_each_due_id(database, [&](const QueueId& id) {
      if (id.spool == spool) highest = std::max(highest, id.number);
    });
    if (!read) return tl::unexpected(read.error());
  }
  return highest >> kSequenceBits;
}

namespace {

/// One walk over all envelopes.
class Walk {
 public:
  Walk(Store& store, const OpenDatabase& database, WallTime now)
      : store_(store), database_(database), now_(now) {}

  Result<Recovered> run() {
    if (auto listed = list_queued(); !listed) return tl::unexpected(listed.error());
    Result<void> visited;
    const auto status =
      for_each_key(database_, Family::envelope, "", [&](std::string_view key, std::string_view value) {
        visited = visit(key, value);
        if (visited && operations_.size() >= kBatch) visited = write(Sync::no);
        return visited.has_value();
      });
    if (!status.ok()) return tl::unexpected(to_read_error(status, "walk the envelopes"));
    if (visited) visited = write(Sync::yes);
    if (!visited) return tl::unexpected(visited.error());
    return recovered_;
  }

 private:
  Result<void> list_queued() {
    for (const auto family : {Family::due, Family::held}) {
      const auto status =
        for_each_key(database_, family, "", [&](std::string_view key, std::string_view value) {
          if (const auto parsed = parse_due_key(key)) note_place(family, key, value, parsed->id);
          return true;
        });
      if (!status.ok()) return tl::unexpected(to_read_error(status, "read the queue"));
    }
    std::sort(queued_.begin(), queued_.end());
    return {};
  }

  /// A place for some of the recipients says nothing of the others. One that does not verify counts as for all: it
  /// is quarantined when its turn comes, and the message with it.
  void note_place(Family family, std::string_view key, std::string_view value, const QueueId& id) {
    const auto waiting = open_record(family, key, value).and_then([](std::string_view payload) {
      return parse_waiting(payload);
    });
    if (waiting && !waiting->share.empty()) shares_[id].insert(waiting->share.begin(), waiting->share.end());
    else queued_.push_back(id);
  }

  Result<void> visit(std::string_view key, std::string_view value) {
    const auto id = parse_id_key(key);
    // What stands in the queue is verified when its turn comes.
    if (!id || std::binary_search(queued_.begin(), queued_.end(), *id)) return {};
    const auto stored = open_record(Family::envelope, key, value).and_then([](std::string_view payload) {
      return parse_envelope(payload);
    });
    if (!stored) return quarantine(*id, stored.error());
    const auto failed = store_.failed(*id);
    if (failed) return {};
    if (failed.error().code != Errc::not_found) return quarantine(*id, failed.error());
    const auto results = store_.results(*id);
    if (!results) return quarantine(*id, results.error());
    const auto share = shares_.find(*id);
    if (share == shares_.end()) give_place(*id, *stored, *results);
    else give_rest_a_place(*id, *stored, *results, share->second);
    return {};
  }

  /// Recipients that neither wait anywhere nor have a result.
  void give_rest_a_place(
    const QueueId& id, const StoredEnvelope& stored, const std::map<std::uint32_t, Settled>& results,
    const std::set<std::uint32_t>& placed
  ) {
    std::vector<std::uint32_t> rest;
    for (std::uint32_t i = 0; i < stored.envelope.recipients.size(); ++i) {
      if (!results.contains(i) && !placed.contains(i)) rest.push_back(i);
    }
    if (!rest.empty()) queue(id, stored, std::move(rest));
  }

  /// In a queue that may be the wrong one: its next attempt sends it where it belongs.
  void queue(const QueueId& id, const StoredEnvelope& stored, std::vector<std::uint32_t> share) {
    ++recovered_.queued;
    Waiting waiting;
    waiting.arrival = stored.envelope.arrival;
    waiting.size = stored.envelope.size;
    waiting.last = "its place in the queue was lost by damage";
    waiting.at = now_;
    waiting.share = std::move(share);
    const auto key = due_key(route::kUnroutedDestination, now_, id);
    operations_.push_back(put_record(Family::due, key, to_payload(waiting)));
  }

  void give_place(
    const QueueId& id, const StoredEnvelope& stored, const std::map<std::uint32_t, Settled>& results
  ) {
    const auto& envelope = stored.envelope;
    const auto failures = std::count_if(results.begin(), results.end(), [](const auto& entry) {
      return !entry.second.is_delivered && !entry.second.is_closed;
    });
    if (results.size() < envelope.recipients.size()) {
      queue(id, stored, {});
    } else if (failures > 0) {
      ++recovered_.failed;
      const Failed failed{envelope.arrival, envelope.size, now_, static_cast<std::uint32_t>(failures)};
      operations_.push_back(put_record(Family::failed, id_key(id), to_payload(failed)));
    } else {
      ++recovered_.removed;
      operations_.push_back(remove(Family::envelope, id_key(id)));
      for (std::uint32_t chunk = 0; chunk < stored.chunks; ++chunk)
        operations_.push_back(remove(Family::content, indexed_key(id, chunk)));
      for (const auto& [recipient, result] : results)
        operations_.push_back(remove(Family::result, indexed_key(id, recipient)));
      if (store_.signature(id)) operations_.push_back(remove(Family::signature, id_key(id)));
    }
  }

  Result<void> quarantine(const QueueId& id, const Error& why) {
    if (why.code != Errc::corrupt) return tl::unexpected(why);
    const auto aside = store_.quarantine_unqueued(id);
    if (!aside) return tl::unexpected(aside.error());
    ++recovered_.quarantined;
    operations_.insert(operations_.end(), aside->begin(), aside->end());
    return {};
  }

  Result<void> write(Sync sync) {
    auto written = store_.write(operations_, sync);
    operations_.clear();
    return written;
  }

  Store& store_;
  const OpenDatabase& database_;
  WallTime now_;
  std::vector<QueueId> queued_;                        // for all of their recipients; sorted
  std::map<QueueId, std::set<std::uint32_t>> shares_;  // of those that wait in several places
  Operations operations_;
  Recovered recovered_;
};

}  // namespace

Result<Recovered> give_places(Store& store, const OpenDatabase& database, WallTime now) {
  return Walk(store, database, now).run();
}

}  // namespace relay::spool
