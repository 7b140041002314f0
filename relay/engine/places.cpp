#include "relay/engine/places.hpp"

namespace relay::engine {

using spool::Family;

std::vector<Place> new_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
) {
  auto split = routes.split(envelope);
  const bool is_whole = split.size() == 1;
  std::vector<Place> places;
  for (auto& [destination, recipients] : split) {
    queue::Item item{{due, id}, due, 0, envelope.size, due};
    places.push_back({{destination, lane}, item, {}});
    if (!is_whole) places.back().share = std::move(recipients);
  }
  return places;
}

route::Destination routed_anew(
  const route::RouteTable& routes, const mail::Envelope& envelope, std::uint32_t recipient,
  const route::Destination& at
) {
  auto routed = routes.route(envelope.reverse_path, envelope.recipients[recipient]);
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

spool::Operation put_place(const Place& place, std::string last) {
  const auto& item = place.item;
  const spool::Waiting waiting{item.arrival,   item.size,   item.attempts,         std::move(last),
                               item.scheduled, place.share, item.sender_was_warned};
  return spool::put_record(Family::due, key_of(place), spool::to_payload(waiting));
}

spool::Operations accept_operations(
  const QueueId& id, const spool::StoredEnvelope& stored, const std::vector<Place>& places
) {
  spool::Operations operations{
    spool::put_record(Family::envelope, spool::id_key(id), spool::to_payload(stored))
  };
  for (const auto& place : places) operations.push_back(put_place(place));
  return operations;
}

}  // namespace relay::engine
