#include "relay/session/milter_client.hpp"

#include <algorithm>

namespace relay::session {
namespace {

using net::Awaitable;
using net::Stream;
using std::chrono::steady_clock;
namespace step = milter::step;
namespace event = milter::event;

/// For the last word, which nobody answers.
constexpr milliseconds kFarewellTimeout = std::chrono::seconds{1};

milliseconds until(steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
  return std::max(left, milliseconds{1});
}

/// To one address after the other, each with its share of the time that is left.
Awaitable<Result<Stream>> connect(const Milter& milter, net::Resolver& resolver) {
  const auto deadline = steady_clock::now() + milter.connect_timeout;
  auto addresses = co_await resolver.lookup(milter.address.host, milter.connect_timeout);
  if (!addresses) co_return tl::unexpected(std::move(addresses.error()));
  Result<Stream> stream = transient(Errc::connection_failed, "no address to connect to");
  auto untried = static_cast<milliseconds::rep>(addresses->size());
  for (const auto& address : *addresses) {
    const auto share = std::max(until(deadline) / untried--, milliseconds{1});
    stream = co_await Stream::connect(address, milter.address.port, share);
    if (stream) break;
  }
  co_return std::move(stream);
}

/// Steps of the conversation become reads and writes; their results are its events.
class Talk {
 public:
  Talk(Stream& stream, milter::Conversation conversation, BodyReader& body, const milter::Timeouts& timeouts)
      : stream_(stream),
        conversation_(std::move(conversation)),
        body_(body),
        timeouts_(timeouts),
        deadline_(steady_clock::now() + timeouts.message) {}

  Awaitable<Result<milter::Outcome>> run() {
    milter::Event event = event::Opened{};
    while (true) {
      auto next = conversation_.resume(event);
      if (auto* done = std::get_if<step::Done>(&next)) {
        const auto farewell = milter::to_wire(milter::Command::quit);
        auto written = co_await stream_.write_all(farewell, kFarewellTimeout);
        (void)written;
        co_return std::move(done->outcome);
      }
      if (auto* failed = std::get_if<step::Failed>(&next)) co_return tl::unexpected(std::move(failed->error));
      auto done = co_await perform(next);
      if (!done) co_return tl::unexpected(std::move(done.error()));
      event = std::move(*done);
    }
  }

 private:
  Awaitable<Result<milter::Event>> perform(milter::Step& step) {
    Result<milter::Event> event = event::Written{};
    if (auto* read = std::get_if<step::Read>(&step)) {
      event = co_await receive(std::min(read->timeout, until(deadline_)));
    } else if (auto* write = std::get_if<step::Write>(&step)) {
      const auto timeout = std::min(timeouts_.command, until(deadline_));
      auto written = co_await stream_.write_all(write->octets, timeout);
      if (!written) event = tl::unexpected(std::move(written.error()));
    } else {
      auto piece = co_await body_.next();
      if (piece) event = event::Body{std::move(*piece)};
      else event = tl::unexpected(std::move(piece.error()));
    }
    if (event && steady_clock::now() >= deadline_) event = transient(Errc::timed_out, "its time is over");
    co_return event;
  }

  Awaitable<Result<milter::Event>> receive(milliseconds timeout) {
    const auto until_then = steady_clock::now() + timeout;
    auto octets = co_await stream_.receive(timeout);
    // An interruption (the relay stops) ends no message: it is finished, and none other begun.
    while (!octets && octets.error().code == Errc::cancelled)
      octets = co_await stream_.receive(until(until_then));
    if (!octets) co_return tl::unexpected(std::move(octets.error()));
    Result<milter::Event> event = event::Received{*octets};
    co_return event;
  }

  Stream& stream_;
  milter::Conversation conversation_;
  BodyReader& body_;
  milter::Timeouts timeouts_;
  steady_clock::time_point deadline_;
};

}  // namespace

Awaitable<Result<std::string>> BodyReader::next() {
  if (is_last_read_) co_return std::string();
  auto piece = co_await stored_.appended(next_++);
  if (!piece) {
    failure_ = piece.error();
    co_return piece;
  }
  if (!piece->empty()) co_return piece;
  is_last_read_ = true;
  co_return last_;
}

Awaitable<Result<milter::Outcome>> ask_milter(
  const Milter& milter, milter::Message message, BodyReader& body, net::Resolver& resolver,
  net::TaskGroup& tasks
) {
  auto stream = co_await connect(milter, resolver);
  if (!stream) co_return tl::unexpected(std::move(stream.error()));
  const net::TaskGroup::Membership membership(tasks, stream->handle());
  milter::Conversation conversation(std::move(message), milter.timeouts);
  Talk talk(*stream, std::move(conversation), body, milter.timeouts);
  auto outcome = co_await talk.run();
  co_return outcome;
}

}  // namespace relay::session
