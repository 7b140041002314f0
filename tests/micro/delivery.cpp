/// delivery::Pool and its driver over loopback: all that a shard does to send a message, but for its spool and its log.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/delivery/pool.hpp"
#include "relay/engine/content.hpp"
#include "tests/micro/message.hpp"

namespace relay::micro {
namespace {

using namespace delivery;

/// Counts deliveries. Nothing else may happen.
class Outcomes : public Reporter {
 public:
  bool may_begin() const override { return true; }
  bool still_wants(const Job&) override { return true; }
  void attempted(Job, smtp::MessageOutcome outcome, Peer, std::chrono::nanoseconds) override {
    require(outcome.recipients.at(0).disposition == smtp::Disposition::delivered, "a delivery");
    ++delivered;
  }
  void untried(Job) override { require(is_over, "a job that was taken"); }
  void connection_ready(const Peer&) override {}
  void connection_closed() override { require(is_over, "a connection that is kept"); }
  void host_failed(const smtp::HopFailure&, const Peer&) override { require(is_over, "a host that works"); }
  void hop_failed(const smtp::HopFailure&, const Peer&, bool) override {
    require(is_over, "a hop that works");
  }

  unsigned delivered = 0;
  bool is_over = false;
};

/// A next hop that is run by hand; takes everything.
class Hop {
 public:
  Hop() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);  // as the system wants it
    require(::bind(listener_, generic, size) == 0 && ::listen(listener_, 1) == 0, "a port");
    require(::getsockname(listener_, generic, &size) == 0, "its number");
    port_ = ntohs(address.sin_port);
  }
  ~Hop() {
    ::close(connection_);
    ::close(listener_);
  }
  Hop(const Hop&) = delete;
  Hop& operator=(const Hop&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Answers what has come.
  void turn() {
    if (connection_ < 0) {
      connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (connection_ >= 0) say("220 mx.example.net ESMTP\r\n");
      return;
    }
    char buffer[8192];
    const auto count = ::recv(connection_, buffer, sizeof buffer, 0);
    if (count <= 0) return;
    received_.append(buffer, static_cast<std::size_t>(count));
    if (is_in_content_ ? received_.ends_with("\r\n.\r\n") : received_.ends_with("\r\n")) answer();
  }

 private:
  void answer() {
    std::string replies;
    if (std::exchange(is_in_content_, false)) {
      replies = "250 2.0.0 Ok: queued as 4bX7\r\n";
    } else if (received_.starts_with("EHLO")) {
      replies = "250-mx.example.net\r\n250-SIZE 52428800\r\n250 PIPELINING\r\n";
    } else {
      require(received_.ends_with("DATA\r\n"), "MAIL, RCPT and DATA in one group");
      replies = "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go ahead\r\n";
      is_in_content_ = true;
    }
    received_.clear();
    say(replies);
  }
  void say(std::string_view octets) {
    const auto sent = ::send(connection_, octets.data(), octets.size(), MSG_NOSIGNAL);
    require(sent == static_cast<ssize_t>(octets.size()), "a reply");
  }

  int listener_;
  int connection_ = -1;
  std::uint16_t port_ = 0;
  std::string received_;
  bool is_in_content_ = false;
};

/// A shard that is run by hand, with one destination.
class Shard : public RouteSource {
 public:
  Shard() {
    Host host;
    host.name = "smtp.example.net";
    host.next_hop.endpoint = {"127.0.0.1", hop_.port()};
    host.connect_timeout = std::chrono::seconds{5};
    host.messages_per_connection = ~0ULL;
    auto route = std::make_shared<Route>();
    route->hosts = {std::move(host)};
    route->idle_time = std::chrono::hours{1};
    route_ = std::move(route);
    target_.addresses = {*IpAddress::parse("127.0.0.1")};
    target_.policy.helo_name = kHostname;
    target_.policy.tls = smtp::TlsMode::none;
  }
  ~Shard() override {
    outcomes_.is_over = true;
    pool_.stop();
    tasks_.close_all();
    while (tasks_.count() > 0) context_.run_one();
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  void send() {
    Job job;
    job.id = {7, 1};
    job.message.reverse_path = envelope_.reverse_path;
    job.message.recipients = envelope_.recipients;
    job.message.size = content_->front().size();
    job.open_content = [content = content_] {
      return engine::content_in_memory("Received: by node1.example\r\n", content, {});
    };
    std::vector<Job> jobs;
    jobs.push_back(std::move(job));
    const auto before = outcomes_.delivered;
    pool_.start(std::move(jobs), 1);
    while (outcomes_.delivered == before) {
      context_.poll();
      hop_.turn();
    }
  }

  net::Awaitable<Found> find(route::Destination) override {
    Found found = route_;
    co_return found;
  }
  net::Awaitable<Resolved> resolve(std::shared_ptr<const Route>, std::size_t) override {
    Resolved resolved = target_;
    co_return resolved;
  }
  std::uint64_t generation(const route::Destination&) const override { return 0; }
  void credentials_refused(const Route&, std::size_t, const Target&) override {}
  void credentials_accepted(const Route&, std::size_t) override {}
  bool may_send(const Target&) override { return true; }
  void tls_tried(const Route&, std::size_t, const Target&, const std::optional<net::TlsFault>&) override {}

 private:
  Hop hop_;
  std::shared_ptr<const Route> route_;
  Target target_;
  mail::Envelope envelope_ = message_envelope();
  std::shared_ptr<const engine::Chunks> content_ =
    std::make_shared<const engine::Chunks>(1, message_content());
  Outcomes outcomes_;
  net::asio::io_context context_{1};
  net::TaskGroup tasks_{context_.get_executor(), [](const std::string&) {
                          require(false, "a connection that throws nothing");
                        }};
  Pool pool_{context_, {"smarthost/default"}, {tasks_, *this, outcomes_}};
};

Operation send_message() {
  return [shard = std::make_shared<Shard>()] { shard->send(); };
}

}  // namespace

std::vector<Path> delivery_paths() { return {{"delivery/send_message", 100, send_message}}; }

}  // namespace relay::micro
