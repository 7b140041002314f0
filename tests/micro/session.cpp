/// session::serve over a pair of sockets: all that a shard does to receive a message, but for its spool.

#include <boost/asio/detached.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/session/serve.hpp"
#include "relay/smtp/data_decoder.hpp"
#include "tests/micro/message.hpp"

namespace relay::micro {
namespace {

/// Takes every message and keeps none.
class Sink : public session::MessageSink {
 public:
  std::unique_ptr<session::IncomingMessage> begin() override { return std::make_unique<Incoming>(*this); }
  std::uint64_t messages = 0;

 private:
  class Incoming : public session::IncomingMessage {
   public:
    explicit Incoming(Sink& sink) : sink_(sink) {}
    [[nodiscard]] QueueId id() const override { return {7, 0}; }
    void expect_header() override {}
    void set_header(std::string) override {}
    void note_named(mail::Parties) override {}
    net::Awaitable<Result<std::string>> appended(std::uint32_t) override { co_return std::string(); }
    net::Awaitable<Result<void>> append(std::string) override {
      Result<void> taken;
      co_return taken;
    }
    net::Awaitable<Result<QueueId>> commit(mail::Envelope, std::string) override {
      co_return QueueId{7, ++sink_.messages};
    }

   private:
    Sink& sink_;
  };
};

class NoLog : public log::Sink {
  void write(const log::Record&) override {}
};

/// A shard that is run by hand, with one client: no other thread, and no network whose timing would count.
class Shard : public session::RulesSource, public session::RecipientGate {
 public:
  Shard() {
    rules_->hostname = kHostname;
    rules_->access.allowed = {*Cidr::parse("10.0.0.0/8")};
    smtp::DotStuffer stuffer;
    stuffer.feed(message_content(), content_);
    content_ += stuffer.terminator();

    int ends[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
    client_ = ends[0];
    net::Socket socket(context_);
    socket.assign(net::tcp::v4(), ends[1]);
    net::Stream stream(std::move(socket), *IpAddress::parse("10.1.40.70"));
    const session::Services services{*this,      sink_,          log_,         metrics_.shard(0),
                                     clients_,   refusals_,      turned_away_, sightings_,
                                     passwords_, failed_logins_, rate_limits_, resolver_,
                                     tasks_};
    net::asio::co_spawn(context_, session::serve(std::move(stream), *this, services), net::asio::detached);
    exchange("", "220 ");
    exchange("EHLO app-7d9f.example.com\r\n", "250-");
  }
  ~Shard() override {
    ::close(client_);
    context_.poll();
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  void receive() {
    exchange(
      "MAIL FROM:<office@app.example.com> SIZE=4096\r\nRCPT TO:<tenant@example.net>\r\nDATA\r\n", "250 "
    );
    exchange(content_, "250 2.0.0 OK queued as");
  }

  std::shared_ptr<const session::Rules> rules() const override { return rules_; }
  std::optional<mail::Reply> refuse_message() override { return std::nullopt; }

 private:
  void exchange(std::string_view octets, std::string_view answer) {
    const auto size = static_cast<ssize_t>(octets.size());
    require(
      octets.empty() || ::send(client_, octets.data(), octets.size(), MSG_NOSIGNAL) == size, "a request"
    );
    context_.poll();
    char buffer[2048];
    const auto count = ::recv(client_, buffer, sizeof buffer, MSG_DONTWAIT);
    require(count > 0, "an answer");
    require(
      std::string_view(buffer, static_cast<std::size_t>(count)).starts_with(answer), "the right answer"
    );
  }

  std::shared_ptr<session::Rules> rules_ = std::make_shared<session::Rules>();
  Sink sink_;
  NoLog log_;
  metrics::Registry metrics_{1};
  session::ClientCounts clients_;
  session::RefusalLog refusals_{log_};
  session::SourceSightings sightings_;
  session::PasswordChecks passwords_;
  session::FailedLogins failed_logins_;
  session::RateLimits rate_limits_;
  net::asio::io_context context_{1};
  net::Resolver resolver_{context_, {}};
  net::TaskGroup tasks_{context_.get_executor(), [](const std::string&) {}};
  session::TurnedAway turned_away_{context_.get_executor(), [](const std::string& what) {
                                     require(false, what.c_str());
                                   }};
  std::string content_;
  int client_ = -1;
};

Operation receive_message() {
  return [shard = std::make_shared<Shard>()] { shard->receive(); };
}

}  // namespace

std::vector<Path> session_paths() { return {{"session/receive_message", 100, receive_message}}; }

}  // namespace relay::micro
