#include "relay/engine/places.hpp"

#include <algorithm>

namespace relay::engine {

using spool::Family;

namespace {

using Split = std::map<route::Destination, std::vector<std::uint32_t>>;

std::vector<Place> places_of(Split split, bool is_whole, queue::Lane lane, const queue::Item& item) {
  std::vector<Place> places;
  for (auto& [destination, recipients] : split) {
    places.push_back({{destination, lane}, item, {}});
    if (!is_whole) places.back().share = std::move(recipients);
  }
  return places;
}

/// Recipients that no rule holds.
std::vector<std::uint32_t> not_held(const mail::Envelope& envelope) {
  std::vector<std::uint32_t> waiting;
  for (std::uint32_t index = 0; index < envelope.recipients.size(); ++index) {
    if (!std::binary_search(envelope.held.begin(), envelope.held.end(), index)) waiting.push_back(index);
  }
  return waiting;
}

}  // namespace

std::vector<Place> new_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
) {
  const bool holds_some = !envelope.held.empty();
  auto split = holds_some ? routes.split(envelope, not_held(envelope)) : routes.split(envelope);
  const bool is_whole = split.size() == 1 && !holds_some;
  return places_of(std::move(split), is_whole, lane, {{due, id}, due, 0, envelope.size, due});
}

std::vector<Place> held_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
) {
  if (envelope.held.empty()) return {};
  auto split = routes.split(envelope, envelope.held);
  const bool is_whole = split.size() == 1 && envelope.held.size() == envelope.recipients.size();
  const auto key = due + milliseconds{1};
  return places_of(std::move(split), is_whole, lane, {{key, id}, due, 0, envelope.size, due});
}

route::Destination routed_anew(
  const route::RouteTable& routes, const mail::Envelope& envelope, std::uint32_t recipient,
  const route::Destination& at
) {
  auto routed = routes.route(envelope, recipient);
  return route::is_report_destination(at) ? route::report_destination(std::move(routed)) : routed;
}

std::map<route::Destination, std::vector<std::uint32_t>> split_anew(
  const route::RouteTable& routes, const mail::Envelope& envelope,
  const std::vector<std::uint32_t>& recipients, const route::Destination& at
) {
  std::map<route::Destination, std::vector<std::uint32_t>> split;
  for (const auto index : recipients) split[routed_anew(routes, envelope, index, at)].push_back(index);
  return split;
}

std::string due_key(const queue::QueueName& queue, const queue::ItemKey& key) {
  return spool::due_key(queue.to_key(), key.due, key.id);
}
std::string key_of(const Place& place) { return due_key(place.queue, place.item.key); }

namespace {

std::string payload_of(const Place& place, std::string last) {
  const auto& item = place.item;
  const spool::Waiting waiting{item.arrival,   item.size,   item.attempts,         std::move(last),
                               item.scheduled, place.share, item.sender_was_warned};
  return spool::to_payload(waiting);
}

}  // namespace

spool::Operation put_place(const Place& place, std::string last) {
  return spool::put_record(Family::due, key_of(place), payload_of(place, std::move(last)));
}

spool::Operation put_held(const Place& place) {
  return spool::put_record(Family::held, key_of(place), payload_of(place, {}));
}

spool::Operations accept_operations(
  const QueueId& id, const spool::StoredEnvelope& stored, const std::vector<Place>& places,
  const std::vector<Place>& held
) {
  spool::Operations operations{
    spool::put_record(Family::envelope, spool::id_key(id), spool::to_payload(stored))
  };
  for (const auto& place : places) operations.push_back(put_place(place));
  for (const auto& place : held) operations.push_back(put_held(place));
  return operations;
}

}  // namespace relay::engine
