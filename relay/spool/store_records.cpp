/// What the store reads of one message.

#include "relay/spool/store_database.hpp"

namespace relay::spool {

Result<std::optional<std::string>> Store::read_meta(const std::string& key) const {
  std::string value;
  const auto status = database_->open.db->Get({}, database_->open.family(Family::meta), key, &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return tl::unexpected(beyond_repair_here(to_error(status, "read " + key)));
  return value;
}

Result<std::string> Store::read_record(Family family, const std::string& key) const {
  std::string value;
  const auto status = database_->open.db->Get({}, database_->open.family(family), key, &value);
  if (!status.ok()) return tl::unexpected(to_read_error(status, "read " + std::string(name(family))));
  const auto payload = open_record(family, key, value);
  if (!payload) return tl::unexpected(payload.error());
  return std::string(*payload);
}

Result<StoredEnvelope> Store::envelope(const QueueId& id) const {
  return read_record(Family::envelope, id_key(id)).and_then([](const std::string& payload) {
    return parse_envelope(payload);
  });
}

Result<std::string> Store::chunk(const QueueId& id, std::uint32_t index) const {
  return read_record(Family::content, indexed_key(id, index));
}

Result<Failed> Store::failed(const QueueId& id) const {
  return read_record(Family::failed, id_key(id)).and_then([](const std::string& payload) {
    return parse_failed(payload);
  });
}

Result<Waiting> Store::place(Family family, const std::string& key) const {
  return read_record(family, key).and_then([](const std::string& payload) { return parse_waiting(payload); });
}

Result<std::string> Store::signature(const QueueId& id) const {
  return read_record(Family::signature, id_key(id));
}

Result<std::map<std::uint32_t, Settled>> Store::results(const QueueId& id) const {
  Result<std::map<std::uint32_t, Settled>> results{std::map<std::uint32_t, Settled>{}};
  const auto status = for_each_key(
    database_->open, Family::result, id_key(id),
    [&](std::string_view key, std::string_view value) {
      const auto parsed = parse_indexed_key(key);
      if (!parsed || parsed->first != id) return false;
      auto settled = open_record(Family::result, key, value).and_then([](std::string_view payload) {
        return parse_settled(payload);
      });
      if (settled) results->emplace(parsed->second, std::move(*settled));
      else results = tl::unexpected(settled.error());
      return results.has_value();
    }
  );
  if (!status.ok()) return tl::unexpected(to_read_error(status, "read results"));
  return results;
}

}  // namespace relay::spool
