#include "relay/engine/trace.hpp"

#include <nlohmann/json.hpp>

#include "relay/mail/header_scan.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;
using spool::Family;

constexpr std::size_t kMaxStories = 100;
constexpr std::size_t kMaxVisits = 1000;
/// The cursor behind the first page: nothing was walked yet.
constexpr const char* kWalk = "walk";

ordered_json recipients_of(
  const mail::Envelope& envelope, const std::map<std::uint32_t, spool::Settled>& settled
) {
  auto recipients = ordered_json::array();
  for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) {
    ordered_json recipient{{"address", envelope.recipients[i].to_text()}, {"state", "waiting"}};
    if (const auto found = settled.find(i); found != settled.end()) {
      recipient["state"] = found->second.is_delivered ? "delivered" : "failed";
      recipient["reply"] = found->second.reply;
      recipient["hop"] = found->second.hop;
      recipient["at"] = to_rfc3339(found->second.at);
      if (!found->second.is_delivered) recipient["sender_is_told"] = found->second.is_closed;
    }
    recipients.push_back(std::move(recipient));
  }
  return recipients;
}

/// What stands under its id; false when it is gone.
bool add_message(const spool::Store& store, const QueueId& id, ordered_json& message) {
  const auto stored = store.envelope(id);
  if (!stored) {
    if (stored.error().code != Errc::not_found) message["error"] = stored.error().message();
    return stored.error().code != Errc::not_found;
  }
  const auto& envelope = stored->envelope;
  const auto settled = store.results(id);
  message["sender"] = envelope.reverse_path.to_text();
  message["recipients"] =
    recipients_of(envelope, settled ? *settled : std::map<std::uint32_t, spool::Settled>{});
  message["message_id"] = stored_message_id(store, id);
  message["size"] = envelope.size;
  message["arrival"] = to_rfc3339(envelope.arrival);
  message["client"] = envelope.origin.client;
  message["helo"] = envelope.origin.helo;
  message["is_signed"] = store.signature(id).has_value();
  return true;
}

void add_standing(const Standing& standing, ordered_json& message) {
  message["state"] = state_of(standing);
  if (standing.family == Family::failed) {
    message["failed_at"] = to_rfc3339(standing.failed.at);
    return;
  }
  const auto& place = standing.place;
  message["places"].push_back(
    {{"place", name_of(standing)},
     {"state", state_of(standing)},
     {"destination", place.queue.destination.name},
     {"lane", place.queue.lane == queue::Lane::bulk ? "bulk" : "normal"},
     {"due", to_rfc3339(place.item.key.due)},
     {"attempts", place.item.attempts},
     {"last", standing.waiting.last},
     {"sender_was_warned", standing.waiting.sender_was_warned},
     {"recipients", place.share}}
  );
}

ordered_json of_story(const spool::Store& store, const Journal::Story& story) {
  ordered_json message{{"queue_id", story.queue_id}, {"state", "gone"}};
  const auto id = QueueId::parse(story.queue_id);
  if (id && add_message(store, *id, message)) message["state"] = store.failed(*id) ? "failed" : "waiting";
  message["events"] = story.events;
  return message;
}

/// Nothing when nobody has heard of it.
std::optional<ordered_json> of_id(
  const spool::Store& store, const route::RouteTable& routes, const QueueId& id,
  const std::vector<Journal::Story>& stories
) {
  ordered_json message{{"queue_id", id.to_text()}, {"state", "gone"}};
  const bool is_stored = add_message(store, id, message);
  if (!is_stored && stories.empty()) return std::nullopt;
  if (is_stored) {
    if (const auto failed = read_standing(store, Family::failed, spool::id_key(id)))
      add_standing(*failed, message);
    else if (const auto places = all_places(store, routes, id); !places) {
      message["state"] = "waiting";  // or held; anything but gone
      message["error"] = places.error().message();
    } else {
      for (const auto& place : *places) add_standing(place, message);
    }
  }
  if (!stories.empty()) message["events"] = stories.front().events;
  return message;
}

}  // namespace

std::string stored_message_id(const spool::Store& store, const QueueId& id) {
  const auto chunk = store.chunk(id, 0);
  if (!chunk) return {};
  mail::HeaderScan scan("");
  std::string ignored;
  scan.feed(*chunk, ignored);
  scan.finish(ignored);
  return scan.message_id();
}

Result<ordered_json> trace(
  const spool::Store& store, const route::RouteTable& routes, const Journal* journal, const TraceQuery& query,
  const std::string& cursor
) {
  auto messages = ordered_json::array();
  if (cursor.empty()) {
    const auto stories =
      journal != nullptr ? journal->find(query, kMaxStories) : std::vector<Journal::Story>{};
    if (query.id) {
      if (auto message = of_id(store, routes, *query.id, stories)) messages.push_back(std::move(*message));
      return ordered_json{{"messages", std::move(messages)}, {"next", ""}};
    }
    for (const auto& story : stories) messages.push_back(of_story(store, story));
    return ordered_json{{"messages", std::move(messages)}, {"next", kWalk}};
  }
  Selection selection;
  selection.recipient = query.recipient;
  const auto page = find_standing(
    store, selection, {Family::due, Family::held, Family::failed}, cursor == kWalk ? "" : cursor, kMaxVisits
  );
  if (!page) return tl::unexpected(page.error());
  for (const auto& standing : page->found) {
    const bool is_wanted = query.message_id.empty() || bare_message_id(stored_message_id(store, standing.id)
                                                       ) == bare_message_id(query.message_id);
    ordered_json message{{"queue_id", standing.id.to_text()}, {"state", state_of(standing)}};
    if (!is_wanted || !add_message(store, standing.id, message)) continue;
    add_standing(standing, message);
    messages.push_back(std::move(message));
  }
  return ordered_json{{"messages", std::move(messages)}, {"next", page->next}};
}

}  // namespace relay::engine
