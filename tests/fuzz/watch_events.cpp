/// kube::WatchDecoder, and what is read of each event. Input: a line of piece sizes, then the octets of a watch.

#include <string>
#include <vector>

#include "operator/kube/watch_decoder.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using op::kube::WatchEvent;
using relay::fuzz::require;

struct Decoded {
  std::vector<WatchEvent> events;
  std::string error;  // empty: none
};

Decoded decode(std::string_view octets, std::string_view cuts) {
  op::kube::WatchDecoder decoder;
  Decoded decoded;
  relay::fuzz::in_pieces(octets, cuts, [&](std::string_view piece) {
    if (!decoded.error.empty()) return;  // the watch is of no more use
    auto events = decoder.feed(piece);
    if (!events) {
      require(events.error().fate == relay::Fate::transient, "a watch can be begun anew");
      require(events.error().code == relay::Errc::protocol_error, "what is no event breaks the protocol");
      decoded.error = events.error().context;
      return;
    }
    for (auto& event : *events) decoded.events.push_back(std::move(event));
  });
  return decoded;
}

void check_error(const std::string& context) {
  constexpr std::string_view kBegin = "a line of ";
  constexpr std::string_view kEnd = " octets is no watch event";
  require(context.starts_with(kBegin) && context.ends_with(kEnd), "an error does not quote a Secret");
  const auto count = context.substr(kBegin.size(), context.size() - kBegin.size() - kEnd.size());
  require(relay::parse_number(count).value_or(0) > 0, "an error says how long the line was");
}

void check(const WatchEvent& event) {
  require(event.object.is_object(), "an event has an object");
  const auto key = op::kube::key_of(event.object);
  require(key.to_text() == key.name_space + "/" + key.name, "a key has a text");
  (void)op::kube::resource_version_of(event.object);
  (void)op::kube::is_being_deleted(event.object);
  (void)op::kube::controller_of(event.object);
  require(
    !op::kube::ends_initial_events(event) || event.type == WatchEvent::Type::bookmark,
    "a bookmark alone ends the first list"
  );
  if (event.type != WatchEvent::Type::error) return;
  const auto failure = op::kube::failure_of(event);
  require(failure.error.context.starts_with("watch: "), "a failure says what was asked");
  if (failure.retry_after) {
    require(*failure.retry_after > relay::seconds{0}, "a wait is a wait");
    require(*failure.retry_after <= relay::seconds{300}, "a server is waited for five minutes at most");
  }
}

bool is_same(const WatchEvent& a, const WatchEvent& b) { return a.type == b.type && a.object == b.object; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  relay::fuzz::InputView input(data, size);
  const auto cuts = input.line();
  const auto octets = input.rest();
  const auto decoded = decode(octets, cuts);
  if (!decoded.error.empty()) check_error(decoded.error);
  for (const auto& event : decoded.events) check(event);

  const auto otherwise = decode(octets, "");
  require(otherwise.error == decoded.error, "wherever it is cut, it has the same fault");
  require(
    decoded.error.empty() ? otherwise.events.size() == decoded.events.size()
                          : otherwise.events.size() >= decoded.events.size(),
    "and the same events; those before a fault in its piece are lost with it"
  );
  for (std::size_t i = 0; i < decoded.events.size(); ++i)
    require(is_same(decoded.events[i], otherwise.events[i]), "in the same order");
  return 0;
}
