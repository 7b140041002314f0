#include "operator/kube/watch_decoder.hpp"

#include <array>

#include "relay/base/text.hpp"

namespace op::kube {
namespace {

using relay::Errc;

struct Word {
  std::string_view text;
  WatchEvent::Type type;
};
constexpr std::array kWords{
  Word{"ADDED", WatchEvent::Type::added}, Word{"MODIFIED", WatchEvent::Type::modified},
  Word{"DELETED", WatchEvent::Type::deleted}, Word{"BOOKMARK", WatchEvent::Type::bookmark},
  Word{"ERROR", WatchEvent::Type::error}
};

/// What is told of an object names it; a bookmark is of none, and an error is a Status.
bool may_be(WatchEvent::Type type, const Json& object) {
  if (!object.is_object()) return false;
  if (type == WatchEvent::Type::bookmark || type == WatchEvent::Type::error) return true;
  return is_named(object);
}

relay::Result<WatchEvent> parse_event(std::string_view line) {
  auto parsed = Json::parse(line, nullptr, false);
  const auto type = parsed.is_object() ? text_at(parsed, "/type") : std::string();
  for (const auto& word : kWords) {
    if (word.text == type && parsed.contains("object") && may_be(word.type, parsed["object"]))
      return WatchEvent{word.type, std::move(parsed["object"])};
  }
  // Not the line itself: it may be a Secret's.
  return relay::transient(
    Errc::protocol_error, "a line of " + std::to_string(line.size()) + " octets is no watch event"
  );
}

}  // namespace

relay::Result<std::vector<WatchEvent>> WatchDecoder::feed(std::string_view octets) {
  std::vector<WatchEvent> events;
  while (!octets.empty()) {
    const auto end = octets.find('\n');
    line_.append(octets.substr(0, end));
    if (line_.size() > kMaxWatchLine) return relay::transient(Errc::too_large, "a watch event is too long");
    if (end == std::string_view::npos) break;
    octets.remove_prefix(end + 1);
    if (!relay::trimmed(line_).empty()) {
      auto event = parse_event(line_);
      if (!event) return tl::unexpected(event.error());
      events.push_back(std::move(*event));
    }
    line_.clear();
  }
  return events;
}

bool ends_initial_events(const WatchEvent& event) {
  static const auto kMark = Json::json_pointer("/metadata/annotations") / "k8s.io/initial-events-end";
  return event.type == WatchEvent::Type::bookmark && event.object.contains(kMark) &&
         event.object.at(kMark) == "true";
}

Failure failure_of(const WatchEvent& error) {
  const auto wait = number_at(error.object, "/details/retryAfterSeconds");
  return refused(
    "watch", static_cast<unsigned>(number_at(error.object, "/code")), error.object.dump(),
    wait > 0 ? std::optional(static_cast<std::uint64_t>(wait)) : std::nullopt
  );
}

}  // namespace op::kube
