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
  const auto limits = context.limits.limits();
  envelope.size = content.size();
  envelope.received += policy::original_to_fields(policy::apply(limits->guard, envelope));
  spool::StoredEnvelope stored{std::move(envelope), 0};
  for (std::size_t at = 0; at < content.size(); at += kChunk) {
    made.operations.push_back(spool::put_record(
      Family::content, spool::indexed_key(id, stored.chunks++), std::string_view(content).substr(at, kChunk)
    ));
  }
  auto places = new_places(*limits->routes, stored.envelope, id, queue::Lane::normal, due);
  auto captured = captured_places(*limits->routes, stored.envelope, id, queue::Lane::normal, due);
  for (auto* some : {&places, &captured}) {
    for (auto& place : *some) {
      auto& destination = place.queue.destination;
      if (way == Way::report) destination = route::report_destination(std::move(destination));
    }
  }
  auto accepted = accept_operations(id, stored, places);
  auto kept_in = put_all_captured(captured, policy::why_captured(limits->guard));
  for (auto* operations : {&accepted, &kept_in})
    std::move(operations->begin(), operations->end(), std::back_inserter(made.operations));
  made.message = {id, std::move(places), {std::move(stored), nullptr}, context.clock.now()};
  return made;
}

}  // namespace relay::engine
