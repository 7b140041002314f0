#include "relay/engine/journal.hpp"

#include <algorithm>
#include <set>

#include "relay/base/text.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMaxRecipients = 20;
/// A line longer than this is not kept: nothing that the relay writes of one message is.
constexpr std::size_t kMaxLine = 16U << 10U;

/// The record without what would fill the journal.
std::string line_of(const log::Record& record, WallTime now) {
  const auto text = record.raw("recipients");
  if (static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')) < kMaxRecipients)
    return record.to_line(now);
  const auto recipients = ordered_json::parse(text);
  if (recipients.size() <= kMaxRecipients) return record.to_line(now);
  const ordered_json first(ordered_json::array_t(recipients.begin(), recipients.begin() + kMaxRecipients));
  auto shortened = record;
  return shortened.with("recipients", first).with("recipients_in_all", recipients.size()).to_line(now);
}

std::string text_at(const ordered_json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_address(const std::string& wanted, const ordered_json& value) {
  if (!value.is_string()) return false;
  const auto text = value.get<std::string>();
  if (wanted.find('@') != std::string::npos) return equals_ignoring_case(text, wanted);
  const auto at = text.rfind('@');
  return at != std::string::npos && equals_ignoring_case(std::string_view(text).substr(at + 1), wanted);
}

bool matches(const TraceQuery& query, const ordered_json& event) {
  if (!query.message_id.empty())
    return bare_message_id(text_at(event, "message_id")) == bare_message_id(query.message_id);
  const auto recipients = event.find("recipients");
  return recipients != event.end() && recipients->is_array() &&
         std::any_of(recipients->begin(), recipients->end(), [&](const ordered_json& recipient) {
           return is_address(query.recipient, recipient);
         });
}

}  // namespace

std::string_view bare_message_id(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text.front() == '<' && text.back() == '>') text = text.substr(1, text.size() - 2);
  return text;
}

void Journal::write(const log::Record& record) {
  next_.write(record);
  // The text of an id needs no escapes: between its quotes it stands as it is.
  const auto id = record.raw("queue_id");
  if (id.size() < 2 || id.front() != '"') return;
  Event event{std::string(id.substr(1, id.size() - 2)), line_of(record, clock_.wall())};
  if (event.line.size() > kMaxLine) return;
  const std::scoped_lock lock(mutex_);
  octets_ += event.line.size();
  events_.push_back(std::move(event));
  while (events_.size() > limits_.events || octets_ > limits_.octets) {
    octets_ -= events_.front().line.size();
    events_.pop_front();
  }
}

/// Of messages that an event matches; under mutex_.
std::vector<std::string> Journal::ids_of(const TraceQuery& query) const {
  if (query.id) return {query.id->to_text()};
  std::vector<std::string> ids;
  std::set<std::string> seen;
  const auto wanted =
    lower(query.message_id.empty() ? std::string_view(query.recipient) : bare_message_id(query.message_id));
  if (wanted.empty()) return ids;
  for (const auto& event : events_) {
    if (seen.contains(event.queue_id) || lower(event.line).find(wanted) == std::string::npos) continue;
    if (!matches(query, ordered_json::parse(event.line, nullptr, false))) continue;
    seen.insert(event.queue_id);
    ids.push_back(event.queue_id);
  }
  return ids;
}

std::vector<Journal::Story> Journal::find(const TraceQuery& query, std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  auto ids = ids_of(query);
  if (ids.size() > limit) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(limit));
  std::vector<Story> stories;
  for (auto& id : ids) stories.push_back({std::move(id), {}});
  for (const auto& event : events_) {
    const auto story = std::find_if(stories.begin(), stories.end(), [&](const Story& one) {
      return one.queue_id == event.queue_id;
    });
    if (story == stories.end()) continue;
    auto parsed = ordered_json::parse(event.line, nullptr, false);
    // A delivery that begins at once may be told of before the reception is.
    const bool is_first = text_at(parsed, "event") == "reception";
    story->events.insert(is_first ? story->events.begin() : story->events.end(), std::move(parsed));
  }
  std::erase_if(stories, [](const Story& story) { return story.events.empty(); });
  return stories;
}

std::size_t Journal::events() const {
  const std::scoped_lock lock(mutex_);
  return events_.size();
}

std::size_t Journal::octets() const {
  const std::scoped_lock lock(mutex_);
  return octets_;
}

}  // namespace relay::engine
