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

bool is_in(const std::vector<std::uint32_t>& ascending, std::uint32_t index) {
  return std::binary_search(ascending.begin(), ascending.end(), index);
}

/// Recipients that neither a rule holds nor the mode keeps in.
std::vector<std::uint32_t> not_held(const mail::Envelope& envelope) {
  std::vector<std::uint32_t> waiting;
  for (std::uint32_t index = 0; index < envelope.recipients.size(); ++index) {
    if (!is_in(envelope.held, index) && !is_in(envelope.captured, index)) waiting.push_back(index);
  }
  return waiting;
}

/// @param behind  how much later than `due` their keys are
std::vector<Place> places_on_hold(
  const route::RouteTable& routes, const mail::Envelope& envelope, const std::vector<std::uint32_t>& held,
  milliseconds behind, const QueueId& id, queue::Lane lane, WallTime due
) {
  if (held.empty()) return {};
  auto split = routes.split(envelope, held);
  const bool is_whole = split.size() == 1 && held.size() == envelope.recipients.size();
  return places_of(std::move(split), is_whole, lane, {{due + behind, id}, due, 0, envelope.size, due});
}

}  // namespace

std::vector<Place> new_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
) {
  const bool holds_some = !envelope.held.empty() || !envelope.captured.empty();
  auto split = holds_some ? routes.split(envelope, not_held(envelope)) : routes.split(envelope);
  const bool is_whole = split.size() == 1 && !holds_some;
  return places_of(std::move(split), is_whole, lane, {{due, id}, due, 0, envelope.size, due});
}

std::vector<Place> held_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
) {
  return places_on_hold(routes, envelope, envelope.held, milliseconds{1}, id, lane, due);
}

std::vector<Place> captured_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
) {
  return places_on_hold(routes, envelope, envelope.captured, milliseconds{2}, id, lane, due);
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

spool::Waiting waiting_at(const Place& place, std::string last) {
  const auto& item = place.item;
  return {item.arrival,           item.size, item.attempts,    std::move(last), item.scheduled, place.share,
          item.sender_was_warned, false,     place.is_released};
}

}  // namespace

spool::Operation put_place(const Place& place, std::string last) {
  return spool::put_record(Family::due, key_of(place), spool::to_payload(waiting_at(place, std::move(last))));
}

spool::Operation put_held(const Place& place) {
  return spool::put_record(Family::held, key_of(place), spool::to_payload(waiting_at(place, {})));
}

spool::Operation put_captured(const Place& place, std::string why) {
  auto waiting = waiting_at(place, std::move(why));
  waiting.is_captured = true;
  return spool::put_record(Family::held, key_of(place), spool::to_payload(waiting));
}

spool::Operations put_all_captured(const std::vector<Place>& places, const std::string& why) {
  spool::Operations operations;
  for (const auto& place : places) operations.push_back(put_captured(place, why));
  return operations;
}

std::optional<Place> with_free_held_key(const spool::Store& store, Place place) {
  while (true) {
    const auto there = store.place(Family::held, key_of(place));
    if (!there && there.error().code == Errc::storage_failed) return std::nullopt;
    if (!there && there.error().code == Errc::not_found) return place;
    place.item.key.due += milliseconds{1};
  }
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
