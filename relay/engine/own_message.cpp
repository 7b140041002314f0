#include "relay/engine/own_message.hpp"

namespace relay::engine {
namespace {

using spool::Family;

constexpr std::size_t kChunk = 32U << 10U;

}  // namespace

OwnMessage own_message(
  const Context& context, const QueueId& id, mail::Envelope envelope, std::string content, WallTime due,
  Way way
) {
  OwnMessage made;
  envelope.size = content.size();
  spool::StoredEnvelope stored{std::move(envelope), 0};
  for (std::size_t at = 0; at < content.size(); at += kChunk) {
    made.operations.push_back(spool::put_record(
      Family::content, spool::indexed_key(id, stored.chunks++), std::string_view(content).substr(at, kChunk)
    ));
  }
  auto places = new_places(*context.limits.limits()->routes, stored.envelope, id, queue::Lane::normal, due);
  for (auto& place : places) {
    auto& destination = place.queue.destination;
    if (way == Way::report) destination = route::report_destination(std::move(destination));
  }
  auto accepted = accept_operations(id, stored, places);
  std::move(accepted.begin(), accepted.end(), std::back_inserter(made.operations));
  made.message = {id, std::move(places), {std::move(stored), nullptr}};
  return made;
}

}  // namespace relay::engine
