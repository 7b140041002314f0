/// What the store does about damage.

#include "relay/spool/marks.hpp"
#include "relay/spool/store_database.hpp"

namespace relay::spool {
namespace {

void set_aside(Family family, std::string_view key, std::string_view value, Operations& operations) {
  operations.push_back(
    put(Family::quarantine, std::string(name(family)) + '\0' + std::string(key), std::string(value))
  );
  operations.push_back(remove(family, std::string(key)));
}

}  // namespace

/// Whatever is not a full disk ends our use of the database. Damaged tables are left for the next start to
/// repair.
Error Store::beyond_repair_here(Error error) const {
  if (error.code == Errc::storage_full) return error;
  if (error.code == Errc::corrupt) leave_mark(options_.path, repair_mark(options_.path));
  return Error{Errc::storage_failed, Fate::terminal, std::move(error.context)};
}

/// Without the index nobody knows what is due: the next start rebuilds it.
Error Store::damaged_index(Error error) const {
  if (error.code == Errc::corrupt) leave_mark(options_.path, repair_mark(options_.path));
  return error;
}

Result<Operations> Store::quarantine_unqueued(const QueueId& id) const {
  Operations operations;
  for (const auto family :
       {Family::envelope, Family::content, Family::result, Family::failed, Family::signature}) {
    const auto status =
      for_each_key(database_->open, family, id_key(id), [&](std::string_view key, std::string_view value) {
        if (!key.starts_with(id_key(id))) return false;
        set_aside(family, key, value, operations);
        return true;
      });
    if (status.ok() || status.IsCorruption()) continue;
    return tl::unexpected(to_read_error(status, "read a damaged message"));
  }
  return operations;
}

Result<Operations> Store::quarantine(const QueueId& id) const {
  auto operations = quarantine_unqueued(id);
  if (!operations) return operations;
  // The due key holds a time that nobody else knows: found by a search, which only damage pays for.
  for (const auto family : {Family::due, Family::held}) {
    const auto status =
      for_each_key(database_->open, family, "", [&](std::string_view key, std::string_view value) {
        const auto parsed = parse_due_key(key);
        if (parsed && parsed->id == id) set_aside(family, key, value, *operations);
        return true;
      });
    if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  }
  return operations;
}

}  // namespace relay::spool
