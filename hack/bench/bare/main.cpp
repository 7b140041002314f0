/// A relay without what makes it one, for hack/bench/run alone: no policy, no queue, no retries, no reports, no log, no limits,
/// content as it came, one record a message. What is left is a floor under ours: the same libraries, two shards, a sync of the
/// spool's own group commit before each 250, kept connections to the next hop, and commands in a group. Any refusal ends it.
///
///   bare-relay PORT NEXT_HOP_PORT FOLDER [CERTIFICATE KEY]
///
/// Both ports are on 127.0.0.1; the spool is made in FOLDER. With a certificate it takes STARTTLS, by the relay's own settings.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <deque>
#include <iostream>

#include "relay/net/tls_server.hpp"
#include "relay/spool/committer.hpp"

namespace {

namespace asio = boost::asio;
namespace spool = relay::spool;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, asio::io_context::executor_type>;
using Acceptor = asio::basic_socket_acceptor<Tcp, asio::io_context::executor_type>;

constexpr std::size_t kShards = 2;
constexpr std::size_t kHopsPerShard = 10;
constexpr std::size_t kReadAtOnce = 64U << 10U;

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "bare-relay: " << what << "\n";
  std::_Exit(1);
}

struct Message {
  std::string key;
  std::string commands;  // MAIL, RCPT and DATA, each with its CRLF
  std::string content;   // with its dots doubled and the one at its end
};

class Spool {
 public:
  explicit Spool(const std::string& folder) : counters_(1) {
    auto opened = spool::Store::open({folder, [](const relay::Error&) { return false; }, nullptr, nullptr});
    if (!opened) fail(opened.error().message());
    store_ = std::move(*opened);
    committer_.emplace(*store_, spool::Durable::yes, counters_.shard(0));
  }

  /// `done` runs on the committer's thread.
  void keep(Message& message, std::function<void()> done) {
    message.key = spool::id_key(store_->next_id());
    submit(
      spool::put_record(spool::Family::envelope, message.key, message.commands + message.content),
      spool::Sync::yes, std::move(done)
    );
  }
  void forget(const std::string& key) {
    submit(spool::remove(spool::Family::envelope, key), spool::Sync::soon, [] {});
  }

 private:
  void submit(spool::Operation operation, spool::Sync sync, std::function<void()> done) {
    committer_
      ->submit({{std::move(operation)}, sync, [done = std::move(done)](const relay::Result<void>& written) {
                  if (!written) fail(written.error().message());
                  done();
                }});
  }

  relay::metrics::Registry counters_;
  std::unique_ptr<spool::Store> store_;
  std::optional<spool::Committer> committer_;
};

/// Connections of one shard to the next hop.
class Hops {
 public:
  Hops(asio::io_context& context, std::uint16_t port, Spool& spool)
      : context_(context), next_hop_(asio::ip::address_v4::loopback(), port), spool_(spool) {}

  void send(Message message) {
    waiting_.push_back(std::move(message));
    if (!idle_.empty()) {
      auto hop = std::move(idle_.back());
      idle_.pop_back();
      start_next(std::move(hop));
    } else if (open_ < kHopsPerShard) {
      connect();
    }
  }

 private:
  struct Hop {
    explicit Hop(asio::io_context& context) : socket(context) {}
    Socket socket;
    std::string replies;
    std::array<char, 4096> input{};
    Message message;
  };
  using HopPtr = std::shared_ptr<Hop>;

  void connect() {
    ++open_;
    auto hop = std::make_shared<Hop>(context_);
    error_code ec;
    hop->socket.connect(next_hop_, ec);  // on this machine: at once
    if (ec) fail("next hop: " + ec.message());
    hop->socket.set_option(Tcp::no_delay(true));
    expect(hop, 1, [this, hop] {
      say(hop, "EHLO bare.bench.test\r\n");
      expect(hop, 1, [this, hop] { start_next(hop); });
    });
  }

  void start_next(HopPtr hop) {
    if (waiting_.empty()) return idle_.push_back(std::move(hop));
    hop->message = std::move(waiting_.front());
    waiting_.pop_front();
    say(hop, hop->message.commands);
    const auto commands = std::count(hop->message.commands.begin(), hop->message.commands.end(), '\n');
    expect(hop, commands, [this, hop] {
      say(hop, hop->message.content);
      expect(hop, 1, [this, hop] {
        spool_.forget(hop->message.key);
        start_next(hop);
      });
    });
  }

  static void say(const HopPtr& hop, const std::string& octets) {
    asio::async_write(hop->socket, asio::buffer(octets), [hop](const error_code& ec, std::size_t) {
      if (ec) fail("next hop: " + ec.message());
    });
  }

  /// Reads so many replies, of one line or several.
  void expect(const HopPtr& hop, std::ptrdiff_t count, std::function<void()> then) {
    for (std::size_t end = 0; count > 0 && (end = hop->replies.find('\n')) != std::string::npos;) {
      if (hop->replies.front() > '3') fail("refused by the next hop: " + hop->replies);
      if (hop->replies[3] == ' ') --count;
      hop->replies.erase(0, end + 1);
    }
    if (count == 0) return then();
    hop->socket.async_read_some(
      asio::buffer(hop->input),
      [this, hop, count, then = std::move(then)](const error_code& ec, std::size_t size) mutable {
        if (ec) fail("next hop: " + ec.message());
        hop->replies.append(hop->input.data(), size);
        expect(hop, count, std::move(then));
      }
    );
  }

  asio::io_context& context_;
  Tcp::endpoint next_hop_;
  Spool& spool_;
  std::deque<Message> waiting_;
  std::vector<HopPtr> idle_;
  std::size_t open_ = 0;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  /// @param tls  null without STARTTLS
  Session(Socket socket, asio::io_context& context, Spool& spool, Hops& hops, relay::net::TlsServer* tls)
      : socket_(std::move(socket)), context_(context), spool_(spool), hops_(hops), server_(tls) {}

  void start() { reply("220 bare.bench.test ESMTP\r\n"); }

 private:
  void read() {
    const auto had = input_.size();
    input_.resize(had + kReadAtOnce);
    const auto room = asio::buffer(input_.data() + had, kReadAtOnce);
    auto then = [self = shared_from_this(), had](const error_code& ec, std::size_t size) {
      if (ec) return;  // the client has gone
      self->input_.resize(had + size);
      self->go_on();
    };
    if (tls_) tls_->async_read_some(room, std::move(then));
    else socket_.async_read_some(room, std::move(then));
  }

  template <class Then>
  void write(std::string_view text, Then then) {
    if (tls_) asio::async_write(*tls_, asio::buffer(text), std::move(then));
    else asio::async_write(socket_, asio::buffer(text), std::move(then));
  }

  void start_tls() {
    write("220 go on\r\n", [self = shared_from_this()](const error_code& ec, std::size_t) {
      if (ec) return;
      self->tls_.emplace(self->socket_, self->server_->context());
      self->tls_->async_handshake(asio::ssl::stream_base::server, [self](const error_code& failed) {
        if (!failed) self->go_on();
      });
    });
  }

  void go_on() {
    if (is_content_) return take_content();
    const auto end = input_.find('\n');
    if (end == std::string::npos) return read();
    auto line = input_.substr(0, end + 1);
    input_.erase(0, end + 1);
    take_command(std::move(line));
  }

  void take_command(std::string line) {
    switch (line.front() & ~0x20) {
      case 'E':
        return reply(
          server_ != nullptr && !tls_ ? "250-bare.bench.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
                                      : "250-bare.bench.test\r\n250 PIPELINING\r\n"
        );
      case 'H': return reply("250 bare.bench.test\r\n");
      case 'M':
      case 'R': message_.commands += line; return reply("250 ok\r\n");
      case 'D':
        message_.commands += line;
        is_content_ = true;
        return reply("354 go on\r\n");
      case 'S':
        if (server_ != nullptr) return start_tls();
        fail("no certificate for STARTTLS");
      case 'Q': return write("221 bye\r\n", [self = shared_from_this()](const error_code&, std::size_t) {});
      default: fail("not known here: " + line);
    }
  }

  void take_content() {
    const auto end = input_.find(kEndOfData, searched_);
    if (end == std::string::npos) {
      searched_ = input_.size() - std::min(input_.size(), kEndOfData.size() - 1);
      return read();
    }
    message_.content.assign(input_, 0, end + kEndOfData.size());
    input_.erase(0, end + kEndOfData.size());
    searched_ = 0;
    is_content_ = false;
    spool_.keep(message_, [self = shared_from_this()] {
      asio::post(self->context_, [self] {
        self->hops_.send(std::exchange(self->message_, {}));
        self->reply("250 kept\r\n");
      });
    });
  }

  void reply(std::string_view text) {
    write(text, [self = shared_from_this()](const error_code& ec, std::size_t) {
      if (!ec) self->go_on();
    });
  }

  static constexpr std::string_view kEndOfData = "\r\n.\r\n";

  Socket socket_;
  asio::io_context& context_;
  Spool& spool_;
  Hops& hops_;
  relay::net::TlsServer* server_;
  std::optional<asio::ssl::stream<Socket&>> tls_;
  std::string input_;
  bool is_content_ = false;
  std::size_t searched_ = 0;
  Message message_;
};

class Shard {
 public:
  Shard(std::uint16_t port, std::uint16_t next_hop, Spool& spool, relay::net::TlsServer* tls)
      : acceptor_(context_), spool_(spool), hops_(context_, next_hop, spool), tls_(tls) {
    acceptor_.open(Tcp::v4());
    acceptor_.set_option(Acceptor::reuse_address(true));
    acceptor_.set_option(asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>(true));
    acceptor_.bind({asio::ip::address_v4::loopback(), port});
    acceptor_.listen();
    accept();
  }
  void run() { context_.run(); }

 private:
  void accept() {
    acceptor_.async_accept(context_, [this](const error_code& ec, Socket socket) {
      if (ec) fail("accept: " + ec.message());
      socket.set_option(Tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket), context_, spool_, hops_, tls_)->start();
      accept();
    });
  }

  asio::io_context context_{1};
  Acceptor acceptor_;
  Spool& spool_;
  Hops hops_;
  relay::net::TlsServer* tls_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 4 && count != 6) fail("give it PORT NEXT_HOP_PORT FOLDER [CERTIFICATE KEY]");
  const auto port = [](const char* text) { return static_cast<std::uint16_t>(std::atoi(text)); };
  Spool spool(arguments[3]);
  std::shared_ptr<relay::net::TlsServer> tls;
  if (count == 6) {
    auto made = relay::net::TlsServer::make({arguments[4], arguments[5]});
    if (!made) fail(made.error().message());
    tls = std::move(*made);
  }
  std::vector<std::unique_ptr<Shard>> shards;
  for (std::size_t index = 0; index < kShards; ++index)
    shards.push_back(std::make_unique<Shard>(port(arguments[1]), port(arguments[2]), spool, tls.get()));
  std::vector<std::jthread> threads;
  for (const auto& shard : shards) threads.emplace_back([&shard] { shard->run(); });
}
