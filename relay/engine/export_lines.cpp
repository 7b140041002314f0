#include <nlohmann/json.hpp>

#include "relay/base/text.hpp"
#include "relay/engine/transfer.hpp"
#include "relay/engine/transfer_lines.hpp"

namespace relay::engine {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using spool::Family;

constexpr std::uint32_t kChunksAPage = 24;

std::string line_of(const ordered_json& line) {
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

/// A record's payload as JSON: they hold text and numbers alone.
json to_json(const std::string& payload) { return json::from_cbor(payload, true, false); }

/// Of the places that this one's message has on hold: those that are named, or all.
Result<std::vector<Standing>> held_places_of(
  const spool::Store& store, const Standing& standing, const std::optional<std::vector<std::string>>& names
) {
  std::vector<Standing> found;
  const auto add = [&](Result<Standing> one) -> Result<void> {
    if (!one && one.error().code == Errc::not_found) return {};  // it was released meanwhile
    if (!one) return tl::unexpected(std::move(one.error()));
    if (one->family == Family::held && one->id == standing.id) found.push_back(std::move(*one));
    return {};
  };
  if (names) {
    for (const auto& name : *names) {
      if (auto added = add(read_standing(store, name)); !added) return tl::unexpected(added.error());
    }
    return found;
  }
  // Others of its recipients stand elsewhere only where this place has a share.
  if (standing.place.share.empty()) {
    if (auto added = add(standing); !added) return tl::unexpected(added.error());
    return found;
  }
  const auto keys = store.places_of(Family::held, standing.id);
  if (!keys) return tl::unexpected(keys.error());
  for (const auto& key : *keys) {
    if (auto added = add(read_standing(store, Family::held, key)); !added)
      return tl::unexpected(added.error());
  }
  return found;
}

Result<std::string> head_of(
  const spool::Store& store, const Standing& standing, const std::optional<std::vector<std::string>>& names
) {
  const auto stored = store.envelope(standing.id);
  if (!stored) return tl::unexpected(stored.error());
  const auto settled = store.results(standing.id);
  if (!settled) return tl::unexpected(settled.error());
  auto results = ordered_json::object();
  for (const auto& [recipient, result] : *settled)
    results[std::to_string(recipient)] = to_json(spool::to_payload(result));
  const auto places = held_places_of(store, standing, names);
  if (!places) return tl::unexpected(places.error());
  std::set<std::uint32_t> held;
  for (const auto& place : *places) {
    const auto pending = pending_recipients(*stored, place.place.share, *settled);
    held.insert(pending.begin(), pending.end());
  }
  const bool is_bulk = standing.place.queue.lane == queue::Lane::bulk;
  ordered_json head{
    {"queue_id", standing.id.to_text()},
    {"state", state_of(standing)},
    {"lane", is_bulk ? "bulk" : "normal"},
    {"envelope", to_json(spool::to_payload(*stored))},
    {"results", std::move(results)}
  };
  if (!held.empty()) head["held"] = held;
  return line_of({{"message", std::move(head)}});
}

}  // namespace

Result<ExportPage> export_page(
  const spool::Store& store, const std::string& place, std::uint32_t from,
  const std::optional<std::vector<std::string>>& held
) {
  const auto standing = read_standing(store, place);
  if (!standing) return tl::unexpected(standing.error());
  const auto stored = store.envelope(standing->id);
  if (!stored) return tl::unexpected(stored.error());
  ExportPage page;
  if (from == 0) {
    auto head = head_of(store, *standing, held);
    if (!head) return tl::unexpected(std::move(head.error()));
    page.lines = std::move(*head);
  }
  const auto end = std::min(stored->chunks, from + kChunksAPage);
  for (auto index = from; index < end; ++index) {
    const auto octets = store.chunk(standing->id, index);
    if (!octets) return tl::unexpected(octets.error());
    page.lines += line_of({{"chunk", index}, {"crc32", crc32(*octets)}, {"octets", base64(*octets)}});
  }
  if (end < stored->chunks) page.next = end;
  else page.lines += line_of({{"end", standing->id.to_text()}});
  return page;
}

}  // namespace relay::engine
