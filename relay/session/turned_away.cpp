#include "relay/session/turned_away.hpp"

#include <chrono>
#include <utility>

#include "relay/smtp/reply.hpp"

namespace relay::session {
namespace {

/// A reply fits into the empty buffer of a new socket.
constexpr milliseconds kWriteTimeout = std::chrono::seconds{10};

net::Awaitable<void> tell(net::Stream stream, std::string words, bool lingers) {
  auto written = co_await stream.write_all(words, kWriteTimeout);
  if (written && lingers) co_await stream.close_gently();
}

}  // namespace

void TurnedAway::add(net::Stream stream, const std::string& hostname, mail::Reply refusal) {
  refusal.text = hostname + " " + refusal.text;
  const bool lingers = lingering_.count() < kMaxLingering;
  (lingers ? lingering_ : leaving_).spawn(tell(std::move(stream), smtp::to_wire(refusal), lingers));
}

}  // namespace relay::session
