#pragma once
/// session::serve() behind a real listening socket on loopback, with a sink that keeps what was committed.

#include <functional>
#include <mutex>

#include "relay/net/listener.hpp"
#include "relay/net/task_group.hpp"
#include "relay/session/serve.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::test {

class LiveSession : public session::RulesSource, public session::RecipientGate, public session::MessageSink {
 public:
  /// @param derive  as PasswordChecks has it
  explicit LiveSession(
    session::Rules rules = allowing_loopback(), session::PasswordChecks::Derive derive = {}
  )
      : passwords(std::move(derive)), rules_(std::make_shared<session::Rules>(std::move(rules))) {
    listener_ = std::move(*net::Listener::open(loop.thread.context(), {{"127.0.0.1", 0}}));
    net::ask(loop.thread, [this] {
      listener_->start([this](net::Stream stream) { tasks_->spawn(serve_one(std::move(stream))); });
    });
  }
  ~LiveSession() override {
    net::ask(loop.thread, [this] {
      listener_->close();
      tasks_->close_all();
    });
    eventually([this] { return sessions() == 0; }, "the end of all sessions");
    loop.thread.stop();
  }

  static session::Rules allowing_loopback() {
    session::Rules rules;
    rules.hostname = "node1.example";
    rules.access.allowed = {*Cidr::parse("127.0.0.0/8")};
    return rules;
  }

  Peer client() { return Peer::connect(listener_->endpoints().front().port); }
  std::vector<StoredMessage> messages() {
    const std::scoped_lock lock(mutex_);
    return messages_;
  }
  std::size_t sessions() {
    return net::ask(loop.thread, [this] { return tasks_->count(); });
  }
  /// In force for what asks from now on.
  void change(session::Rules rules) {
    const std::scoped_lock lock(mutex_);
    rules_ = std::make_shared<session::Rules>(std::move(rules));
  }
  void stop() {
    net::ask(loop.thread, [this] { tasks_->interrupt_all(); });
  }

  std::optional<mail::Reply> refusal;  ///< of the gate; set before clients come
  /// Hears `append` and `commit` before the sink does it, and may throw; likewise.
  std::function<void(std::string_view)> before_storing = [](std::string_view) {};
  QuietLog log;
  metrics::Registry metrics{1};
  session::ClientCounts clients;
  session::RefusalLog refusals{log};
  session::SourceSightings sightings;
  session::FailedLogins failed_logins;
  session::RateLimits rate_limits;
  Loop loop;
  session::PasswordChecks passwords;
  net::Resolver resolver{loop.thread.context(), {}};
  session::TurnedAway turned_away{loop.thread.executor(), [](const std::string& what) {
                                    ADD_FAILURE() << "a refusal threw " << what;
                                  }};

  std::shared_ptr<const session::Rules> rules() const override {
    const std::scoped_lock lock(mutex_);
    return rules_;
  }
  std::optional<mail::Reply> refuse_message() override { return refusal; }
  std::unique_ptr<session::IncomingMessage> begin() override { return std::make_unique<Incoming>(*this); }

 private:
  class Incoming : public session::IncomingMessage {
   public:
    explicit Incoming(LiveSession& owner) : owner_(owner) {}
    [[nodiscard]] QueueId id() const override { return {1, 0}; }
    void expect_header() override {}
    void set_header(std::string header) override { header_ = std::move(header); }
    void note_named(mail::Parties named) override { named_ = std::move(named); }
    net::Awaitable<Result<std::string>> appended(std::uint32_t index) override {
      Result<std::string> chunk = index < chunks_.size() ? chunks_[index] : std::string();
      co_return chunk;
    }
    net::Awaitable<Result<void>> append(std::string chunk) override {
      owner_.before_storing("append");
      content_ += chunk;
      chunks_.push_back(std::move(chunk));
      Result<void> stored;
      co_return stored;
    }
    net::Awaitable<Result<QueueId>> commit(mail::Envelope envelope, std::string last_chunk) override {
      owner_.before_storing("commit");
      const std::scoped_lock lock(owner_.mutex_);
      owner_.messages_.push_back({std::move(envelope), header_ + content_ + last_chunk, std::move(named_)});
      co_return QueueId{1, owner_.messages_.size()};
    }

   private:
    LiveSession& owner_;
    std::string header_;
    std::optional<mail::Parties> named_;
    std::string content_;
    std::vector<std::string> chunks_;
  };

  net::Awaitable<void> serve_one(net::Stream stream) {
    const net::TaskGroup::Membership membership(*tasks_, stream.handle());
    const session::Services services{*this,       *this,       log,       metrics.shard(0), clients,
                                     refusals,    turned_away, sightings, passwords,        failed_logins,
                                     rate_limits, resolver,    *tasks_};
    co_await session::serve(std::move(stream), *this, services);
  }

  std::shared_ptr<const session::Rules> rules_;
  std::unique_ptr<net::TaskGroup> tasks_ = std::make_unique<net::TaskGroup>(
    loop.thread.executor(), [](const std::string& what) { ADD_FAILURE() << "a session threw " << what; }
  );
  std::unique_ptr<net::Listener> listener_;
  mutable std::mutex mutex_;
  std::vector<StoredMessage> messages_;
};

}  // namespace relay::test
