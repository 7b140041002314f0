#include "relay/delivery/connection.hpp"

#include <algorithm>

#include "relay/smtp/data_decoder.hpp"

namespace relay::delivery {
namespace {

using net::Awaitable;
using net::Stream;
namespace step = smtp::client_step;
namespace event = smtp::client_event;

constexpr std::size_t kMaxEarlyReply = 4096;

smtp::HopFailure failure_at(smtp::Stage stage, Error error) {
  return {stage, std::move(error), std::nullopt, false};
}

std::string describe(const net::TlsInfo& info) {
  return info.version + " " + info.cipher + (info.is_verified ? " verified" : " unverified");
}

bool judged_any(const smtp::MessageOutcome& outcome) {
  return std::any_of(outcome.recipients.begin(), outcome.recipients.end(), [](const auto& recipient) {
    return recipient.disposition != smtp::Disposition::untried;
  });
}

smtp::ClientEvent lost_or_timed_out(Error error) {
  if (error.code == Errc::timed_out) return event::TimedOut{};
  return event::Lost{std::move(error)};
}

/// Connects to one address after the other.
Awaitable<Result<Stream>> connect(net::Resolver& resolver, const Hop& hop, Peer& peer) {
  const auto& endpoint = hop.next_hop.endpoint;
  auto addresses = co_await resolver.lookup(endpoint.host, hop.connect_timeout);
  if (!addresses) co_return tl::unexpected(std::move(addresses.error()));
  Result<Stream> stream = transient(Errc::connection_failed, "no address to connect to");
  for (const auto& address : *addresses) {
    peer.address = address.to_text();
    stream = co_await Stream::connect(address, endpoint.port, hop.connect_timeout);
    if (stream) break;
  }
  co_return std::move(stream);
}

/// Steps of a smtp::ClientSession become reads and writes; their results are its events.
class Driver {
 public:
  Driver(Pool& pool, std::shared_ptr<const Hop> hop, smtp::TlsMode tls)
      : pool_(pool), hop_(std::move(hop)), policy_(with_tls(hop_->next_hop.policy, tls)), session_(policy_) {
    peer_.name = hop_->next_hop.endpoint.to_text();
  }

  /// How the connection ended: a failure, or nothing.
  Awaitable<std::optional<smtp::HopFailure>> run() {
    auto stream = co_await connect(pool_.services().resolver, *hop_, peer_);
    if (!stream) co_return failure_at(smtp::Stage::connect, std::move(stream.error()));
    stream_.emplace(std::move(*stream));
    const net::TaskGroup::Membership membership(pool_.services().tasks, stream_->handle());
    event::Opened opened;
    if (policy_.tls == smtp::TlsMode::implicit) {
      auto info = co_await start_tls(policy_.timeouts.command, true);
      if (!info) co_return failure_at(smtp::Stage::starttls, std::move(info.error()));
      opened.tls_is_active = true;
      opened.tls_is_verified = info->is_verified;
    }
    smtp::ClientEvent event = opened;
    while (true) {
      auto step = session_.resume(event);
      if (auto* close = std::get_if<step::Close>(&step)) co_return std::move(close->failure);
      event = co_await perform(step);
    }
  }

  [[nodiscard]] bool was_ready() const { return was_ready_; }
  [[nodiscard]] bool was_of_use() const { return was_of_use_; }
  [[nodiscard]] const Peer& peer() const { return peer_; }

 private:
  static smtp::HopPolicy with_tls(smtp::HopPolicy policy, smtp::TlsMode tls) {
    policy.tls = tls;
    return policy;
  }

  Awaitable<smtp::ClientEvent> perform(smtp::ClientStep& step) {
    smtp::ClientEvent event = event::Written{};
    if (auto* read = std::get_if<step::Read>(&step)) {
      const auto timeout = read->timeout;
      event = co_await this->read(timeout);
    } else if (auto* write = std::get_if<step::Write>(&step)) {
      event = co_await this->write(write->octets, write->timeout);
    } else if (auto* tls = std::get_if<step::StartTls>(&step)) {
      event = co_await secure(tls->timeout, tls->must_verify);
    } else if (std::holds_alternative<step::AwaitMessage>(step)) {
      event = co_await await_message();
    } else if (auto* content = std::get_if<step::SendContent>(&step)) {
      event = co_await send_content(content->timeout);
    } else if (std::holds_alternative<step::Listen>(step)) {
      event = listen();
    } else if (auto* end = std::get_if<step::EndContent>(&step)) {
      event = co_await this->write(stuffer_.terminator(), end->timeout);
    } else if (auto* report = std::get_if<step::Report>(&step)) {
      auto job = std::move(*job_);
      job_.reset();
      was_of_use_ = was_of_use_ || judged_any(report->outcome);
      pool_.services().reporter.attempted(std::move(job), std::move(report->outcome), peer_);
      event = event::Reported{};
    }
    co_return event;
  }

  Awaitable<smtp::ClientEvent> read(milliseconds timeout) {
    auto octets = co_await stream_->receive(timeout);
    // An interruption (the relay stops) ends no exchange: the message under way is finished, and no other
    // begun.
    while (!octets && octets.error().code == Errc::cancelled) octets = co_await stream_->receive(timeout);
    if (!octets) co_return lost_or_timed_out(std::move(octets.error()));
    smtp::ClientEvent event = event::Received{*octets};
    co_return event;
  }

  Awaitable<smtp::ClientEvent> write(std::string_view octets, milliseconds timeout) {
    auto written = co_await stream_->write_all(octets, timeout);
    if (!written) co_return lost_or_timed_out(std::move(written.error()));
    smtp::ClientEvent event = event::Written{};
    co_return event;
  }

  Awaitable<Result<net::TlsInfo>> start_tls(milliseconds timeout, bool must_verify) {
    net::TlsDemand demand;
    demand.server_name = hop_->next_hop.endpoint.host;
    demand.verify = must_verify ? net::Verify::certificate : net::Verify::none;
    auto info = co_await stream_->start_tls(hop_->tls, std::move(demand), timeout);
    if (info) peer_.tls = describe(*info);
    co_return info;
  }

  Awaitable<smtp::ClientEvent> secure(milliseconds timeout, bool must_verify) {
    auto info = co_await start_tls(timeout, must_verify);
    if (!info) co_return lost_or_timed_out(std::move(info.error()));
    smtp::ClientEvent event = event::TlsReady{info->is_verified};
    co_return event;
  }

  Awaitable<smtp::ClientEvent> await_message() {
    if (!std::exchange(was_ready_, true)) {
      pool_.connection_ready();
      pool_.services().reporter.connection_ready(peer_);
    }
    smtp::ClientEvent event = event::Quit{};
    if (messages_ >= hop_->messages_per_connection) co_return event;
    job_ = co_await pool_.next_job(*hop_);
    if (!job_) co_return event;
    ++messages_;
    stuffer_ = {};
    event = event::Message{job_->message};
    co_return event;
  }

  Awaitable<smtp::ClientEvent> send_content(milliseconds timeout) {
    std::string stuffed;
    while (true) {
      auto piece = co_await job_->content->next();
      if (!piece) {
        smtp::ClientEvent unreadable = event::ContentUnreadable{std::move(piece.error())};
        co_return unreadable;
      }
      if (piece->empty()) break;
      stuffed.clear();
      stuffer_.feed(*piece, stuffed);
      auto written = co_await stream_->write_all(stuffed, timeout);
      if (!written) co_return lost_or_timed_out(std::move(written.error()));
    }
    smtp::ClientEvent event = event::ContentSent{};
    co_return event;
  }

  smtp::ClientEvent listen() {
    auto octets = stream_->read_available(kMaxEarlyReply);
    if (!octets) return event::Lost{std::move(octets.error())};
    heard_ = std::move(*octets);
    return event::Received{heard_};
  }

  Pool& pool_;
  std::shared_ptr<const Hop> hop_;
  smtp::HopPolicy policy_;
  smtp::ClientSession session_;
  std::optional<Stream> stream_;
  smtp::DotStuffer stuffer_;
  std::string heard_;
  std::optional<Job> job_;
  Peer peer_;
  std::uint64_t messages_ = 0;
  bool was_ready_ = false;
  bool was_of_use_ = false;  // a message was judged
};

/// Opportunistic TLS that a server offers and cannot do must not keep mail from it (RFC 7435): a second
/// connection goes without.
bool may_try_without_tls(const Hop& hop, const std::optional<smtp::HopFailure>& failure, bool was_ready) {
  return failure && !was_ready && failure->error.code == Errc::tls_failed &&
         hop.next_hop.policy.tls == smtp::TlsMode::opportunistic && !hop.next_hop.policy.needs_verified_tls();
}

}  // namespace

Awaitable<void> run_connection(Pool& pool, std::shared_ptr<const Hop> hop) {
  auto driver = std::make_unique<Driver>(pool, hop, hop->next_hop.policy.tls);
  auto failure = co_await driver->run();
  if (may_try_without_tls(*hop, failure, driver->was_ready())) {
    driver = std::make_unique<Driver>(pool, hop, smtp::TlsMode::none);
    failure = co_await driver->run();
  }
  const bool was_ready = driver->was_ready();
  if (was_ready) pool.services().reporter.connection_closed();
  if (failure) pool.services().reporter.hop_failed(*failure, driver->peer(), driver->was_of_use());
  pool.connection_ended(!was_ready);
}

}  // namespace relay::delivery
