#include "relay/session/serve.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "relay/smtp/proxy_header.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
using net::Awaitable;
using net::Stream;
namespace step = smtp::server_step;
namespace event = smtp::server_event;

/// A client that reads nothing for this long is gone (RFC 5321 section 4.5.3.2 names no time for the server's
/// writes).
constexpr milliseconds kWriteTimeout = std::chrono::minutes{5};
/// For the last words of a session.
constexpr milliseconds kFarewellTimeout = std::chrono::seconds{10};
constexpr milliseconds kProxyHeaderTimeout = std::chrono::seconds{30};

struct Preamble {
  IpAddress client;
  std::string early_octets;  // what came behind the PROXY header
};

/// Reads the PROXY header of a load balancer.
Awaitable<Result<Preamble>> read_proxy_header(Stream& stream, IpAddress peer) {
  std::string received;
  const auto deadline = std::chrono::steady_clock::now() + kProxyHeaderTimeout;
  while (true) {
    const auto left = deadline - std::chrono::steady_clock::now();
    const auto timeout = std::max(std::chrono::duration_cast<milliseconds>(left), milliseconds{1});
    auto octets = co_await stream.receive(timeout);
    if (!octets) co_return tl::unexpected(std::move(octets.error()));
    received.append(*octets);
    auto header = smtp::parse_proxy_header(received);
    if (!header) co_return tl::unexpected(std::move(header.error()));
    if (!*header) continue;
    Preamble preamble;
    preamble.client = (*header)->client.value_or(peer);
    preamble.early_octets = received.substr((*header)->length);
    co_return preamble;
  }
}

/// What is known of the transaction, for log records of refusals.
struct Context {
  const RulesSource& source;
  Services services;
  IpAddress client;
  std::string sender;
};

event::Verdict judge_recipient(Context& context, const mail::Address& recipient) {
  const auto rules = context.source.rules();
  auto refusal = policy::refuse_client(rules->access, context.client);
  auto counter = Counter::recipients_refused_literal;
  if (refusal) {
    const bool is_hidden = policy::standing(rules->access, context.client) == policy::Standing::hidden;
    counter = is_hidden ? Counter::recipients_refused_hidden : Counter::recipients_refused_not_listed;
  } else {
    refusal = policy::refuse_recipient(recipient);
  }
  if (refusal) {
    context.services.counters.add(counter);
    context.services.log.write(log::info("rejection")
                                 .with("client", context.client.to_text())
                                 .with("sender", context.sender)
                                 .with("recipient", recipient.to_text())
                                 .with("reply", refusal->to_line()));
  }
  return {std::move(refusal)};
}

/// The session's events come from what its steps ask for; a step's answer is the next event.
class Driver {
 public:
  Driver(Stream& stream, smtp::ServerSession& session, Context context)
      : stream_(stream), session_(session), context_(std::move(context)) {}

  Awaitable<void> run(std::string early_octets) {
    early_octets_ = std::move(early_octets);
    smtp::ServerEvent event = event::Opened{};
    while (true) {
      auto step = session_.resume(event);
      if (auto* read = std::get_if<step::Read>(&step)) {
        const auto timeout = read->timeout;
        event = co_await read_within(timeout);
      } else if (auto* write = std::get_if<step::Write>(&step)) {
        event = co_await this->write(write->octets);
      } else if (auto* sender = std::get_if<step::AskSender>(&step)) {
        context_.sender = sender->reverse_path.to_text();
        event = event::Verdict{context_.services.gate.refuse_message()};
      } else if (auto* recipient = std::get_if<step::AskRecipient>(&step)) {
        event = judge_recipient(context_, recipient->recipient);
      } else if (auto* content = std::get_if<step::Content>(&step)) {
        auto chunk = std::move(content->chunk);
        event = co_await append(std::move(chunk));
      } else if (auto* commit = std::get_if<step::Commit>(&step)) {
        auto last = std::move(*commit);
        event = co_await this->commit(std::move(last));
      } else if (std::holds_alternative<step::Discard>(step)) {
        incoming_.reset();
        event = event::Discarded{};
      } else {
        co_return;
      }
    }
  }

 private:
  Awaitable<smtp::ServerEvent> read_within(milliseconds timeout) {
    if (!early_octets_.empty()) {
      // Kept until the next read: the event only points at it.
      last_early_octets_ = std::exchange(early_octets_, {});
      smtp::ServerEvent event = event::Received{last_early_octets_, milliseconds{0}};
      co_return event;
    }
    const auto begin = std::chrono::steady_clock::now();
    auto octets = co_await stream_.receive(timeout);
    const auto waited = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    smtp::ServerEvent event = event::Ended{};
    if (octets) event = event::Received{*octets, waited};
    else if (octets.error().code == Errc::timed_out) event = event::TimedOut{};
    else if (octets.error().code == Errc::cancelled) event = event::Stopping{};
    co_return event;
  }

  Awaitable<smtp::ServerEvent> write(std::string_view octets) {
    auto written = co_await stream_.write_all(octets, kWriteTimeout);
    smtp::ServerEvent event = event::Written{};
    if (!written) {
      is_deaf_ = true;
      note_possible_duplicate();
      event = event::WriteFailed{};
    }
    last_committed_.reset();
    co_return event;
  }

  Awaitable<smtp::ServerEvent> append(std::string chunk) {
    if (!incoming_) incoming_ = context_.services.sink.begin();
    auto stored = co_await incoming_->append(std::move(chunk));
    smtp::ServerEvent event = event::Stored{std::move(stored)};
    co_return event;
  }

  Awaitable<smtp::ServerEvent> commit(step::Commit last) {
    if (!incoming_) incoming_ = context_.services.sink.begin();
    auto id = co_await incoming_->commit(std::move(last.envelope), std::move(last.last_chunk));
    incoming_.reset();
    if (id) last_committed_ = *id;
    else context_.services.counters.add(Counter::messages_refused_storage);
    if (is_deaf_) note_possible_duplicate();
    smtp::ServerEvent event = event::Committed{std::move(id)};
    co_return event;
  }

  /// The message is stored and its sender does not know (RFC 1047): it may come again.
  void note_possible_duplicate() {
    if (!last_committed_) return;
    context_.services.counters.add(Counter::possible_duplicates_in);
    context_.services.log.write(
      log::warning("possible_duplicate")
        .with("queue_id", last_committed_->to_text())
        .with("client", context_.client.to_text())
        .with("message", "the client left before it was told that the message is stored")
    );
  }

  Stream& stream_;
  smtp::ServerSession& session_;
  Context context_;
  std::string early_octets_;
  std::string last_early_octets_;
  std::unique_ptr<IncomingMessage> incoming_;
  std::optional<QueueId> last_committed_;  // its client has not been told yet
  bool is_deaf_ = false;                   // the client is gone, as far as writing tells
};

/// Who the client is, once the load balancer has said so.
Awaitable<Result<Preamble>> identify(Stream& stream, const Rules& rules) {
  Preamble preamble;
  preamble.client = stream.peer();
  if (!contains(rules.proxy_trusted, preamble.client)) co_return preamble;
  auto read = co_await read_proxy_header(stream, preamble.client);
  co_return read;
}

smtp::Client client_of(const Rules& rules, const IpAddress& address) {
  smtp::Client client{address, smtp::Grammar::strict, std::nullopt};
  const auto standing = policy::standing(rules.access, address);
  if (standing == policy::Standing::allowed) client.grammar = smtp::Grammar::lenient;
  if (standing == policy::Standing::hidden) client.explanation = policy::refuse_client(rules.access, address);
  return client;
}

Awaitable<void> refuse_proxy(Stream& stream, Services services, Error error) {
  services.counters.add(Counter::connections_refused_proxy_header);
  services.log.write(
    log::warning("proxy_header_refused").with("peer", stream.peer().to_text()).with("error", error.message())
  );
  if (error.code == Errc::protocol_error) {
    const auto words =
      smtp::to_wire(smtp::reply(550, {5, 7, 1}, "This peer must send a PROXY protocol header"));
    auto written = co_await stream.write_all(words, kFarewellTimeout);
    if (written) co_await stream.close_gently();
  }
}

}  // namespace

Awaitable<void> serve(Stream stream, const RulesSource& source, Services services) {
  const auto rules = source.rules();
  auto preamble = co_await identify(stream, *rules);
  if (!preamble) {
    co_await refuse_proxy(stream, services, preamble.error());
    co_return;
  }
  auto limits = rules->limits;
  limits.bulk_headers = {rules, &rules->bulk_headers};
  smtp::ServerSession session(rules->hostname, client_of(*rules, preamble->client), limits);
  Driver driver(stream, session, Context{source, services, preamble->client, {}});
  co_await driver.run(std::move(preamble->early_octets));
  services.counters.add(Counter::refusals, session.refusals());
  co_await stream.close_gently();
}

Awaitable<void> turn_away(Stream stream, std::string hostname, mail::Reply refusal) {
  refusal.text = hostname + " " + refusal.text;
  const auto words = smtp::to_wire(refusal);
  auto written = co_await stream.write_all(words, kFarewellTimeout);
  if (written) co_await stream.close_gently();
}

}  // namespace relay::session
