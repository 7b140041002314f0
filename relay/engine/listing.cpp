#include "relay/engine/listing.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "relay/base/text.hpp"
#include "relay/queue/queue_name.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;
using spool::Family;

constexpr std::size_t kMaxPage = 1000;
constexpr std::size_t kMaxVisits = 10'000;

/// Where messages are listed from, in this order. A cursor is the part's mark and the last key of the page before,
/// as base64.
struct Part {
  std::string_view mark;
  std::string_view state;
  Family family;
};
constexpr std::array kParts{
  Part{"w:", "waiting", Family::due}, Part{"h:", "held", Family::held}, Part{"f:", "failed", Family::failed}
};

bool matches_address(const std::string& wanted, const mail::Address& address) {
  if (wanted.empty()) return true;
  const bool is_whole = wanted.find('@') != std::string::npos || wanted == "<>";
  if (wanted == "<>") return address.is_null();
  return equals_ignoring_case(wanted, is_whole ? address.to_text() : address.domain());
}

ordered_json recipients_of(
  const spool::Store& store, const QueueId& id, const mail::Envelope& envelope,
  const std::vector<std::uint32_t>& share
) {
  const auto results = store.results(id);
  auto recipients = ordered_json::array();
  for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) {
    const bool is_elsewhere = !share.empty() && std::find(share.begin(), share.end(), i) == share.end();
    if (is_elsewhere) continue;
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

/// One page under way.
class Page {
 public:
  Page(const spool::Store& store, const Selection& selection, std::size_t limit)
      : store_(store), selection_(selection), limit_(limit) {}

  /// From `after` on; the cursor of what comes next, or nothing when the part is at its end.
  Result<std::optional<std::string>> add(const Part& part, std::string after) {
    while (messages_.size() < limit_ && visits_ < kMaxVisits) {
      const auto count = part.family == Family::failed ? add_failed(after) : add_places(part, after);
      if (!count) return tl::unexpected(count.error());
      if (*count == 0) return std::optional<std::string>{};
    }
    return std::optional(std::string(part.mark) + base64(after));
  }

  [[nodiscard]] bool is_full() const { return messages_.size() >= limit_ || visits_ >= kMaxVisits; }
  ordered_json take() { return std::move(messages_); }

 private:
  [[nodiscard]] std::size_t step() const {
    return selection_.selects_all() && !selection_.is_for_captured() ? limit_ - messages_.size() : kMaxPage;
  }

  Result<std::size_t> add_places(const Part& part, std::string& after) {
    const auto page = store_.list_places(part.family, after, step());
    if (!page) return tl::unexpected(page.error());
    for (const auto& [key, waiting] : *page) {
      if (messages_.size() >= limit_) break;
      after = spool::due_key(key.queue, key.due, key.id);
      ++visits_;
      const auto queue = queue::QueueName::parse(key.queue);
      const auto destination = queue ? queue->destination.name : key.queue;
      if (selection_.is_for_captured() && !waiting.is_captured) continue;
      if (!selection_.destination.empty() && selection_.destination != destination) continue;
      ordered_json message{
        {"queue_id", key.id.to_text()},
        {"place", std::string(part.mark) + base64(after)},
        {"state", part.state},
        {"destination", destination},
        {"lane", queue && queue->lane == queue::Lane::bulk ? "bulk" : "normal"},
        {"size", waiting.size},
        {"arrival", to_rfc3339(waiting.arrival)},
        {"due", to_rfc3339(key.due)},
        {"attempts", waiting.attempts},
        {"last", waiting.last}
      };
      if (waiting.is_captured) message["captured"] = true;
      add_message(key.id, std::move(message), waiting.share);
    }
    return page->size();
  }

  Result<std::size_t> add_failed(std::string& after) {
    const auto page = store_.list_failed(spool::parse_id_key(after), step());
    if (!page) return tl::unexpected(page.error());
    for (const auto& [id, failed] : *page) {
      if (messages_.size() >= limit_) break;
      after = spool::id_key(id);
      ++visits_;
      if (!selection_.destination.empty()) continue;
      ordered_json message{
        {"queue_id", id.to_text()},
        {"place", std::string(kParts.back().mark) + base64(after)},
        {"state", "failed"},
        {"size", failed.size},
        {"arrival", to_rfc3339(failed.arrival)},
        {"failed_at", to_rfc3339(failed.at)}
      };
      add_message(id, std::move(message), {});
    }
    return page->size();
  }

  /// Adds what the envelope knows; a message whose envelope is gone was settled meanwhile.
  void add_message(const QueueId& id, ordered_json message, const std::vector<std::uint32_t>& share) {
    if (selection_.id && *selection_.id != id) return;
    const auto stored = store_.envelope(id);
    if (!stored || !selects(selection_, id, stored->envelope)) return;
    message["sender"] = stored->envelope.reverse_path.to_text();
    message["recipients"] = recipients_of(store_, id, stored->envelope, share);
    messages_.push_back(std::move(message));
  }

  const spool::Store& store_;
  const Selection& selection_;
  std::size_t limit_;
  std::size_t visits_ = 0;
  ordered_json messages_ = ordered_json::array();
};

}  // namespace

bool selects(const Selection& selection, const QueueId& id, const mail::Envelope& envelope) {
  if (selection.id && *selection.id != id) return false;
  if (!matches_address(selection.sender, envelope.reverse_path)) return false;
  return std::any_of(envelope.recipients.begin(), envelope.recipients.end(), [&](const auto& recipient) {
    return matches_address(selection.recipient, recipient);
  });
}

Result<ordered_json> list_queue(
  const spool::Store& store, const Selection& selection, const std::string& cursor, std::size_t limit
) {
  Page page(store, selection, std::clamp<std::size_t>(limit, 1, kMaxPage));
  std::string after = cursor.size() > 2 ? parse_base64(std::string_view(cursor).substr(2)).value_or("") : "";
  const auto first = std::find_if(kParts.begin(), kParts.end(), [&](const Part& part) {
    return cursor.starts_with(part.mark);
  });
  for (auto part = first == kParts.end() ? kParts.begin() : first; part != kParts.end(); ++part) {
    const bool is_wanted = selection.may_select(part->state);
    std::optional<std::string> next;
    if (is_wanted) {
      auto added = page.add(*part, std::exchange(after, {}));
      if (!added) return tl::unexpected(std::move(added.error()));
      next = std::move(*added);
    }
    const bool ends_here = std::next(part) == kParts.end();
    if (!next && page.is_full() && !ends_here) next = std::string(std::next(part)->mark);
    if (next) return ordered_json{{"messages", page.take()}, {"next", *next}};
  }
  return ordered_json{{"messages", page.take()}, {"next", ""}};
}

}  // namespace relay::engine
