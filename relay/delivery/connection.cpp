#include "relay/delivery/connection.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <openssl/rand.h>

#include "relay/base/text.hpp"
#include "relay/smtp/data_decoder.hpp"

namespace relay::delivery {
namespace {

using net::Awaitable;
using net::Stream;
namespace step = smtp::client_step;
namespace event = smtp::client_event;

constexpr std::size_t kMaxEarlyReply = 4096;
/// A connection to a host that is not the first ends then, so that the first is tried again.
constexpr std::chrono::minutes kStandIn{2};
/// Of each family: a host that names a hundred dead ones would hold its mail for an hour. Their order is by chance,
/// so the next attempt tries others.
constexpr std::size_t kMaxAddressesAHost = 4;

smtp::HopFailure failure_at(smtp::Stage stage, Error error) {
  return {stage, std::move(error), std::nullopt, false};
}

/// `TLSv1.3 TLS_AES_256_GCM_SHA384 verified`, with how when it was not by authorities.
std::string describe(const net::TlsInfo& info) {
  const bool is_by_dane = info.how == net::VerifiedBy::dane_ta || info.how == net::VerifiedBy::dane_ee;
  const auto how = is_by_dane ? " " + std::string(net::name(info.how)) : std::string();
  return info.version + " " + info.cipher + how + (info.is_verified ? " verified" : " unverified");
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

/// What SCRAM needs of chance (RFC 5802 section 5.1), as base64: it holds no comma. Empty when there is none.
std::string make_nonce() {
  std::array<unsigned char, 18> octets{};
  if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) return {};
  return base64({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

std::vector<IpAddress> addresses_to_try(const Target& target) {
  std::vector<IpAddress> chosen;
  std::size_t of_v4 = 0;
  std::size_t of_v6 = 0;
  for (const auto& address : target.addresses) {
    auto& count = address.is_v4() ? of_v4 : of_v6;
    if (count++ < kMaxAddressesAHost) chosen.push_back(address);
  }
  return chosen;
}

/// Connects to one address after the other.
Awaitable<Result<Stream>> connect(const Target& target, const Host& host, Peer& peer) {
  Result<Stream> stream = transient(Errc::connection_failed, "no address to connect to");
  const auto addresses = addresses_to_try(target);
  for (const auto& address : addresses) {
    peer.address = address.to_text();
    stream =
      co_await Stream::connect(address, host.next_hop.endpoint.port, host.connect_timeout, target.source);
    if (stream) break;
  }
  co_return std::move(stream);
}

/// Two entries of the settings may name one host.
std::string key_of(const Host& host) { return host.name + "/" + host.next_hop.endpoint.to_text(); }

/// One connection to one host. Steps of a smtp::ClientSession become reads and writes; their results are its
/// events.
class Driver {
 public:
  /// @param was_ready  set once it is ready for mail; outlives it
  Driver(
    Pool& pool, std::shared_ptr<const Route> route, std::size_t host, const Tried& tried, bool& was_ready
  )
      : pool_(pool), route_(std::move(route)), host_(host), tried_(tried), was_ready_(was_ready) {
    peer_.name = this->host().next_hop.endpoint.to_text();
  }
  /// An exception has ended it in the middle: what it had was not answered. Not its destructor's to do: at the end of
  /// the process its frame may outlive the pool.
  void return_job() {
    if (job_) pool_.give_back(std::move(*job_), tried_);
    job_.reset();
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// How the connection ended: a failure, or nothing.
  /// @param without_tls  the host offers TLS and cannot do it, and nothing demands it
  Awaitable<std::optional<smtp::HopFailure>> run(bool without_tls) {
    auto& routes = pool_.services().routes;
    auto target = co_await routes.resolve(route_, host_);
    if (!target) {
      verdict_ = std::move(target.error().verdict);
      co_return failure_at(smtp::Stage::connect, std::move(target.error().error));
    }
    target_ = std::move(*target);
    // What the domain demands may be known by now, and was not a moment ago.
    if (without_tls && target_.policy.tls == smtp::TlsMode::opportunistic)
      target_.policy.tls = smtp::TlsMode::none;
    if (target_.policy.credentials) target_.policy.nonce = make_nonce();
    peer_.source = target_.source_name;
    auto stream = co_await connect(target_, host(), peer_);
    if (!stream) co_return failure_at(smtp::Stage::connect, std::move(stream.error()));
    stream_.emplace(std::move(*stream));
    std::erase_if(target_.addresses, [this](const auto& one) { return one.to_text() != peer_.address; });
    const net::TaskGroup::Membership membership(pool_.services().tasks, stream_->handle());
    event::Opened opened;
    if (target_.policy.tls == smtp::TlsMode::implicit) {
      auto info = co_await start_tls(target_.policy.timeouts.command, true);
      if (!info) co_return failure_at(smtp::Stage::starttls, std::move(info.error()));
      opened.tls_is_active = true;
      opened.tls_is_verified = info->is_verified;
    }
    session_.emplace(target_.policy);
    smtp::ClientEvent event = opened;
    while (true) {
      auto step = session_->resume(event);
      if (auto* close = std::get_if<step::Close>(&step)) {
        note_missing_tls(close->failure);
        co_return std::move(close->failure);
      }
      event = co_await perform(step);
    }
  }

  [[nodiscard]] bool was_of_use() const { return was_of_use_; }
  [[nodiscard]] const Peer& peer() const { return peer_; }
  [[nodiscard]] const Target& target() const { return target_; }
  /// Why nobody at this host takes mail, for good.
  [[nodiscard]] const std::optional<mail::Reply>& verdict() const { return verdict_; }
  /// Opportunistic TLS that a server offers and cannot do must not keep mail from it (RFC 7435): a second
  /// connection goes without.
  [[nodiscard]] bool may_go_without_tls(const std::optional<smtp::HopFailure>& failure) const {
    return failure && !was_ready_ && failure->error.code == Errc::tls_failed &&
           target_.policy.tls == smtp::TlsMode::opportunistic && !target_.policy.needs_tls();
  }

 private:
  [[nodiscard]] const Host& host() const { return route_->hosts[host_]; }

  /// TLS that is tested and not even offered: reports say so, although the mail goes.
  void note_untested_tls() {
    const bool is_missing = target_.policy.tls == smtp::TlsMode::opportunistic && !has_tried_tls_;
    if (!is_missing || !target_.demand.is_tested) return;
    const net::TlsFault fault{net::TlsFailure::starttls_not_supported, "STARTTLS is not offered", {}, {}};
    pool_.services().routes.tls_tried(*route_, host_, target_, fault);
  }

  /// TLS that was demanded and not even offered.
  void note_missing_tls(const std::optional<smtp::HopFailure>& failure) {
    if (!failure || has_tried_tls_ || failure->error.code != Errc::tls_failed) return;
    const net::TlsFault fault{net::TlsFailure::starttls_not_supported, failure->error.context, {}, {}};
    pool_.services().routes.tls_tried(*route_, host_, target_, fault);
  }

  Awaitable<smtp::ClientEvent> perform(smtp::ClientStep& step) {
    smtp::ClientEvent event = event::Written{};
    if (auto* read = std::get_if<step::Read>(&step)) {
      if (!read->goes_on) reply_due_ = steady_clock::now() + read->timeout;
      event = co_await this->read();
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
      event = co_await end_content(end->timeout);
    } else if (auto* report = std::get_if<step::Report>(&step)) {
      report_outcome(std::move(report->outcome));
      event = event::Reported{};
    }
    co_return event;
  }

  [[nodiscard]] milliseconds until_reply_is_due() const {
    const auto left = std::chrono::duration_cast<milliseconds>(reply_due_ - steady_clock::now());
    return std::max(left, milliseconds{1});
  }

  Awaitable<smtp::ClientEvent> read() {
    auto octets = co_await stream_->receive(until_reply_is_due());
    // An interruption (the relay stops) ends no exchange: the message under way is finished, and no other
    // begun.
    while (!octets && octets.error().code == Errc::cancelled)
      octets = co_await stream_->receive(until_reply_is_due());
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

  void report_outcome(smtp::MessageOutcome outcome) {
    auto job = std::move(*job_);
    job_.reset();
    if (!was_of_use_ && judged_any(outcome)) {
      was_of_use_ = true;
      pool_.services().routes.credentials_accepted(*route_, host_);
    }
    const auto sending = steady_clock::now() - begun_;
    pool_.attempted(std::move(job), std::move(outcome), peer_, sending, *route_, key_of(host()), tried_);
    ++peer_.messages_before;
    peer_.connecting = {};
  }

  Awaitable<Result<net::TlsInfo>> start_tls(milliseconds timeout, bool must_verify) {
    auto demand = target_.demand;
    if (must_verify) demand.is_tested = false;
    else if (!demand.is_tested) demand.verify = net::Verify::none;
    const bool is_tested = demand.is_tested;
    has_tried_tls_ = true;
    auto info = co_await stream_->start_tls(host().tls, std::move(demand), timeout);
    if (info) peer_.tls = describe(*info);
    const bool has_fault = !info || is_tested;
    pool_.services().routes.tls_tried(
      *route_, host_, target_, has_fault ? stream_->last_tls_failure() : std::nullopt
    );
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
      peer_.connecting = steady_clock::now() - begun_;
      note_untested_tls();
      pool_.connection_ready(tried_);
      pool_.services().reporter.connection_ready(peer_);
    }
    smtp::ClientEvent event = event::Quit{};
    const bool stands_in = host_ > 0 && tried_.empty();
    const bool has_stood_in = stands_in && steady_clock::now() - connected_ > kStandIn;
    if (messages_ >= host().messages_per_connection || has_stood_in) co_return event;
    job_ = co_await pool_.next_job(*route_, tried_);
    if (!job_) co_return event;
    // Next time by another source: what this one may send today is sent.
    if (!pool_.services().routes.may_send(target_)) {
      pool_.give_back(std::move(*job_), tried_);
      job_.reset();
      co_return event;
    }
    ++messages_;
    begun_ = steady_clock::now();
    content_ = job_->open_content();
    stuffer_ = {};
    event = event::Message{job_->message};
    co_return event;
  }

  /// All but the last piece, which goes together with the dot: most messages have one.
  Awaitable<smtp::ClientEvent> send_content(milliseconds timeout) {
    unsent_.clear();
    while (true) {
      auto piece = co_await content_->next();
      if (!piece) {
        smtp::ClientEvent unreadable = event::ContentUnreadable{std::move(piece.error())};
        co_return unreadable;
      }
      if (piece->empty()) break;
      if (!unsent_.empty()) {
        auto written = co_await stream_->write_all(unsent_, timeout);
        if (!written) co_return lost_or_timed_out(std::move(written.error()));
        unsent_.clear();
      }
      stuffer_.feed(*piece, unsent_);
    }
    smtp::ClientEvent event = event::ContentSent{};
    co_return event;
  }

  Awaitable<smtp::ClientEvent> end_content(milliseconds timeout) {
    auto octets = std::exchange(unsent_, {});
    octets += stuffer_.terminator();
    auto event = co_await write(octets, timeout);
    co_return event;
  }

  smtp::ClientEvent listen() {
    auto octets = stream_->read_available(kMaxEarlyReply);
    if (!octets) return event::Lost{std::move(octets.error())};
    heard_ = std::move(*octets);
    return event::Received{heard_};
  }

  using steady_clock = std::chrono::steady_clock;

  Pool& pool_;
  std::shared_ptr<const Route> route_;
  std::size_t host_;
  const Tried& tried_;
  bool& was_ready_;
  Target target_;
  std::optional<mail::Reply> verdict_;
  std::optional<smtp::ClientSession> session_;
  std::optional<Stream> stream_;
  smtp::DotStuffer stuffer_;
  std::string unsent_;  // stuffed
  std::string heard_;
  std::optional<Job> job_;
  std::unique_ptr<ContentSource> content_;  // of job_
  Peer peer_;
  steady_clock::time_point begun_ = steady_clock::now();  // the connection, then each message
  steady_clock::time_point connected_ = begun_;
  steady_clock::time_point reply_due_;
  std::uint64_t messages_ = 0;
  bool has_tried_tls_ = false;
  bool was_of_use_ = false;  // a message was judged
};

/// Indices of the route's hosts that were not tried: those that failed a moment ago behind all others.
std::vector<std::size_t> hosts_to_try(const Pool& pool, const Route& route, const Tried& tried) {
  std::vector<std::size_t> hosts;
  for (std::size_t i = 0; i < route.hosts.size(); ++i) {
    if (!tried.contains(key_of(route.hosts[i]))) hosts.push_back(i);
  }
  std::stable_partition(hosts.begin(), hosts.end(), [&](std::size_t i) {
    return !pool.is_avoided(key_of(route.hosts[i]));
  });
  return hosts;
}

/// What one connection came to, over all hosts that it was tried with.
struct Ending {
  std::optional<smtp::HopFailure> failure;
  std::optional<mail::Reply> verdict;  ///< of every host
  Peer peer;
  bool was_ready = false;
  bool was_of_use = false;
};

Awaitable<std::optional<smtp::HopFailure>> run(Driver& driver, bool without_tls) {
  std::optional<smtp::HopFailure> failure;
  try {
    failure = co_await driver.run(without_tls);
  } catch (...) {
    driver.return_job();
    throw;
  }
  co_return failure;
}

Awaitable<void> connect_and_send(
  Pool& pool, std::shared_ptr<const Route> route, const Tried& tried, Ending& ending
) {
  bool has_verdict = !route->has_more_hosts;
  for (const auto host : hosts_to_try(pool, *route, tried)) {
    auto driver = std::make_unique<Driver>(pool, route, host, tried, ending.was_ready);
    auto failure = co_await run(*driver, false);
    if (driver->may_go_without_tls(failure)) {
      pool.services().reporter.host_failed(*failure, driver->peer());  // why its mail goes in the clear
      driver = std::make_unique<Driver>(pool, route, host, tried, ending.was_ready);
      failure = co_await run(*driver, true);
    }
    ending.failure = std::move(failure);
    ending.verdict = driver->verdict();
    ending.peer = driver->peer();
    ending.was_of_use = driver->was_of_use();
    has_verdict = has_verdict && ending.verdict;
    if (ending.failure && ending.failure->credentials_refused)
      pool.services().routes.credentials_refused(*route, host, driver->target());
    if (ending.was_ready || !ending.failure) break;
    pool.avoid(key_of(route->hosts[host]));
    if (route->hosts.size() > 1) pool.services().reporter.host_failed(*ending.failure, ending.peer);
  }
  if (!has_verdict) ending.verdict.reset();
}

Awaitable<void> find_and_send(Pool& pool, const Tried& tried, Ending& ending) {
  auto& routes = pool.services().routes;
  const auto destination = pool.destination();
  auto route = co_await routes.find(destination);
  if (!route) {
    ending.verdict = std::move(route.error().verdict);
    ending.failure = failure_at(smtp::Stage::connect, std::move(route.error().error));
    co_return;
  }
  const auto found = *route;
  co_await connect_and_send(pool, found, tried, ending);
}

}  // namespace

Awaitable<void> run_connection(Pool& pool, Tried tried) {
  Ending ending;
  std::exception_ptr thrown;
  try {
    co_await find_and_send(pool, tried, ending);
  } catch (const std::exception& error) {
    thrown = std::current_exception();
    ending.failure = failure_at(smtp::Stage::connect, {Errc::unavailable, Fate::transient, error.what()});
  }
  if (ending.was_ready) pool.services().reporter.connection_closed();
  // That no other host takes what one has deferred says nothing of the destination.
  if (ending.verdict && tried.empty()) pool.judge_all(*ending.verdict);
  else if (ending.failure && tried.empty())
    pool.services().reporter.hop_failed(*ending.failure, ending.peer, ending.was_of_use);
  pool.connection_ended(tried, !ending.was_ready);
  if (thrown) std::rethrow_exception(thrown);  // for the log
}

}  // namespace relay::delivery
