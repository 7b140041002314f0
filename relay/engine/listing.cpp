#include "relay/engine/listing.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "relay/base/text.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;

// A cursor is the last key of the page before: base64 of a due key behind `w:`, or a queue id behind `f:`.
constexpr std::string_view kWaiting = "w:";
constexpr std::string_view kFailed = "f:";

ordered_json recipients_of(const spool::Store& store, const QueueId& id, const mail::Envelope& envelope) {
  const auto results = store.results(id);
  auto recipients = ordered_json::array();
  for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) {
    ordered_json recipient{
      {"address", envelope.recipients[i].to_text()}, {"state", "waiting"}, {"reply", ""}
    };
    if (results && results->contains(i)) {
      const auto& settled = results->at(i);
      recipient["state"] = settled.is_delivered ? "delivered" : "failed";
      recipient["reply"] = settled.reply;
    }
    recipients.push_back(std::move(recipient));
  }
  return recipients;
}

/// Adds what the envelope knows; a message whose envelope is gone was settled meanwhile.
void add_message(const spool::Store& store, const QueueId& id, ordered_json message, ordered_json& messages) {
  const auto stored = store.envelope(id);
  if (!stored) return;
  message["sender"] = stored->envelope.reverse_path.to_text();
  message["recipients"] = recipients_of(store, id, stored->envelope);
  messages.push_back(std::move(message));
}

/// Waiting messages behind `after`; the cursor of what comes next.
std::string add_waiting(
  const spool::Store& store, const std::string& after, std::size_t limit, ordered_json& messages
) {
  const auto page = store.list_waiting(after, limit);
  for (const auto& [key, waiting] : page) {
    add_message(
      store, key.id,
      {{"queue_id", key.id.to_text()},
       {"state", "waiting"},
       {"destination", key.destination},
       {"size", waiting.size},
       {"arrival", to_rfc3339(waiting.arrival)},
       {"due", to_rfc3339(key.due)},
       {"attempts", waiting.attempts},
       {"last", waiting.last}},
      messages
    );
  }
  if (page.size() < limit) return std::string(kFailed);
  const auto& last = page.back().key;
  return std::string(kWaiting) + base64(spool::due_key(last.destination, last.due, last.id));
}

std::string add_failed(
  const spool::Store& store, const std::optional<QueueId>& after, std::size_t limit, ordered_json& messages
) {
  const auto page = store.list_failed(after, limit);
  for (const auto& [id, failed] : page) {
    add_message(
      store, id,
      {{"queue_id", id.to_text()},
       {"state", "failed"},
       {"size", failed.size},
       {"arrival", to_rfc3339(failed.arrival)},
       {"failed_at", to_rfc3339(failed.at)}},
      messages
    );
  }
  return page.size() < limit ? "" : std::string(kFailed) + page.back().first.to_text();
}

}  // namespace

ordered_json list_queue(const spool::Store& store, const std::string& cursor, std::size_t limit) {
  auto messages = ordered_json::array();
  limit = std::clamp<std::size_t>(limit, 1, 1000);
  std::string next = cursor.empty() ? std::string(kWaiting) : cursor;
  if (next.starts_with(kWaiting)) {
    next = add_waiting(
      store, parse_base64(std::string_view(next).substr(kWaiting.size())).value_or(""), limit, messages
    );
  }
  if (next.starts_with(kFailed) && messages.size() < limit) {
    const auto after = QueueId::parse(std::string_view(next).substr(kFailed.size()));
    next = add_failed(store, after ? std::optional(*after) : std::nullopt, limit - messages.size(), messages);
  }
  return {{"messages", std::move(messages)}, {"next", next}};
}

}  // namespace relay::engine
