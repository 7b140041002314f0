#include "relay/session/filtering.hpp"

#include <atomic>
#include <gmock/gmock.h>
#include <map>
#include <thread>

#include "tests/support/live_session.hpp"

namespace relay::session {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using metrics::Counter;
using test::LiveSession;
using testing::ElementsAre;
using testing::HasSubstr;

std::string packet(char command, std::string_view data = {}) {
  return milter::big_endian(static_cast<std::uint32_t>(data.size() + 1)) + command + std::string(data);
}

/// A filter on loopback, one connection at a time: answers each command as it was told, `c` where nothing was said.
class Filter {
 public:
  explicit Filter(std::map<char, std::string> answers = {}, std::uint32_t options = 0)
      : answers_(std::move(answers)), options_(options) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = test::Peer::loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Filter() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  /// What it was told, macros left out.
  std::string told() {
    const std::scoped_lock lock(mutex_);
    return told_;
  }
  std::uint16_t port = 0;
  std::atomic<int> connections{0};

 private:
  void serve() {
    while (true) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections;
      converse(fd);
      ::close(fd);
    }
  }
  void converse(int fd) {
    milter::PacketReader reader;
    char buffer[4096];
    while (true) {
      const auto count = ::recv(fd, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      reader.feed({buffer, static_cast<std::size_t>(count)});
      while (true) {
        const auto next = reader.next();
        if (!next || !*next) break;
        const auto answer = answer_to(**next);
        if (answer == "close") return;
        if (!answer.empty()) (void)::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
  }
  std::string answer_to(const milter::Packet& heard) {
    if (heard.command == 'D' || heard.command == 'Q') return {};
    {
      const std::scoped_lock lock(mutex_);
      told_ += heard.command + heard.data + "\n";
    }
    const auto found = answers_.find(heard.command);
    if (found != answers_.end()) return found->second == "nothing" ? "" : found->second;
    if (heard.command == 'O') return packet('O', milter::to_data({6, milter::action::kOffered, options_}));
    return packet('c');
  }

  std::map<char, std::string> answers_;
  std::uint32_t options_;
  int listener_ = -1;
  std::mutex mutex_;
  std::string told_;
  std::thread thread_;
};

Milter at(std::uint16_t port, OnFailure on_failure = OnFailure::defer) {
  Milter milter;
  milter.name = "filter";
  milter.address = {"127.0.0.1", port};
  milter.connect_timeout = 2s;
  milter.timeouts = {1s, 2s};
  milter.on_failure = on_failure;
  return milter;
}
session::Rules with(Milters milters) {
  auto rules = LiveSession::allowing_loopback();
  rules.milters = std::make_shared<const Milters>(std::move(milters));
  return rules;
}
/// The reply to the end of data.
std::string send(
  LiveSession& relay, const std::string& content = "Subject: s\r\n\r\nbody\r\n",
  const std::vector<std::string>& recipients = {"b@b.test"}
) {
  auto client = relay.client();
  std::string all = "EHLO app\r\nMAIL FROM:<a@a.test>\r\n";
  for (const auto& recipient : recipients) all += "RCPT TO:<" + recipient + ">\r\n";
  client.send(all + "DATA\r\n");
  for (std::size_t i = 0; i < recipients.size() + 4; ++i) client.reply();
  client.send(content + ".\r\n");
  return client.reply();
}
std::vector<std::string> recipients_of(const test::StoredMessage& message) {
  std::vector<std::string> all;
  for (const auto& recipient : message.envelope.recipients) all.push_back(recipient.to_text());
  return all;
}

TEST(Filtering, ShowsTheMessageAndStoresItAsItWas) {
  Filter filter;
  LiveSession relay(with({at(filter.port)}));
  EXPECT_THAT(send(relay), HasSubstr("250 2.0.0 OK queued"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_EQ(relay.messages()[0].content, "Subject: s\r\n\r\nbody\r\n");
  const auto told = filter.told();
  for (const auto& part :
       {"C[127.0.0.1]\0004\0\000127.0.0.1\0\n"s, "Happ\0\n"s, "M<a@a.test>\0SIZE=20\0\n"s,
        "R<b@b.test>\0\nT\nLSubject\0s\0\nN\nBbody\r\n\nE\n"s})
    EXPECT_THAT(told, HasSubstr(part));
  EXPECT_EQ(relay.metrics.total(Counter::milter_passed), 1U);
}

TEST(Filtering, ChangesHeaderAndEnvelopeAsItIsTold) {
  Filter filter(
    {{'E', packet('i', "\0\0\0\0X-Top\0t\0"s) + packet('h', "X-End\0e\0"s) +
             packet('m', "\0\0\0\1Subject\0new\0"s) + packet('+', "<d@d.test>\0"s) +
             packet('-', "<B@b.test>\0"s) + packet('e', "<new@a.test>\0"s) + packet('c')}}
  );
  LiveSession relay(with({at(filter.port)}));
  EXPECT_THAT(
    send(relay, "Subject: s\r\n\r\nbody\r\n", {"b@b.test", "c@b.test"}), HasSubstr("250 2.0.0 OK queued")
  );
  ASSERT_EQ(relay.messages().size(), 1U);
  const auto message = relay.messages()[0];
  EXPECT_EQ(message.content, "X-Top: t\r\nSubject: new\r\nX-End: e\r\n\r\nbody\r\n");
  EXPECT_EQ(message.envelope.size, message.content.size());
  EXPECT_EQ(message.envelope.reverse_path.to_text(), "new@a.test");
  EXPECT_THAT(recipients_of(message), ElementsAre("c@b.test", "d@d.test"));
  EXPECT_TRUE(message.envelope.held.empty());
  ASSERT_TRUE(message.named);
  EXPECT_EQ(message.named->sender.to_text(), "a@a.test");
  ASSERT_EQ(message.named->recipients.size(), 2U);
  EXPECT_EQ(message.named->recipients[0].to_text(), "b@b.test");
  const auto records = relay.log.records("milter");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["action"], "change");
  EXPECT_EQ(records[0]["changes"], 6);
  EXPECT_EQ(relay.metrics.total(Counter::milter_changed), 1U);
}

TEST(Filtering, ShowsEachFilterWhatTheOthersMade) {
  Filter first({{'E', packet('h', "X-First\0 1\0"s) + packet('a')}});
  Filter second;
  LiveSession relay(with({at(first.port), at(second.port)}));
  EXPECT_THAT(send(relay), HasSubstr("250"));
  EXPECT_THAT(second.told(), HasSubstr("LX-First\0001\0"s));
}

TEST(Filtering, PassesALargeMessageInPiecesAndKeepsItsHeaderApart) {
  std::string body;
  for (int i = 0; i < 4000; ++i) body += "line " + std::to_string(i) + std::string(40, 'x') + "\r\n";
  Filter filter(
    {{'B', "nothing"}, {'E', packet('h', "X-End\0e\0"s) + packet('c')}}, milter::option::kSilentBody
  );
  LiveSession relay(with({at(filter.port)}));
  EXPECT_THAT(send(relay, "Subject: s\r\n\r\n" + body), HasSubstr("250 2.0.0 OK queued"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_EQ(relay.messages()[0].content, "Subject: s\r\nX-End: e\r\n\r\n" + body);
  auto told = filter.told();
  for (std::size_t at = 0; (at = told.find("\nB", at)) != std::string::npos;) told.erase(at, 2);
  EXPECT_THAT(told.substr(told.find("line 0")), HasSubstr("line 3999"));
}

TEST(Filtering, HoldsWhatIsQuarantined) {
  Filter filter({{'E', packet('q', "looks bad\0"s) + packet('c')}});
  LiveSession relay(with({at(filter.port)}));
  EXPECT_THAT(send(relay, "A: b\r\n\r\n", {"b@b.test", "c@b.test"}), HasSubstr("250"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_THAT(relay.messages()[0].envelope.held, ElementsAre(0U, 1U));
  EXPECT_EQ(relay.log.records("milter").at(0)["reason"], "looks bad");
}

TEST(Filtering, RefusesAndThrowsAwayWhatItIsTold) {
  for (const auto& [command, answer, reply] : std::vector<std::tuple<char, std::string, std::string>>{
         {'E', packet('y', "554 5.7.1 Spam\0"s), "554 5.7.1 Spam"},
         {'R', packet('r'), "550 5.7.1 Refused by a content filter"},
         {'C', packet('t'), "451 4.7.1 Refused by a content filter for now, try again later"},
         {'L', packet('d'), "250 2.0.0 OK"},
         {'E', packet('-', "b@b.test\0"s) + packet('c'), "250 2.0.0 OK"},
       }) {
    Filter filter({{command, answer}});
    LiveSession relay(with({at(filter.port, OnFailure::accept)}));
    EXPECT_EQ(send(relay), reply);
    EXPECT_TRUE(relay.messages().empty());
    EXPECT_EQ(relay.log.records("milter").size(), 1U);
    EXPECT_EQ(relay.log.records("milter_failed").size(), 0U);
  }
}

TEST(Filtering, SaysWhatBecomesOfMailWhenTheFilterIsDown) {
  std::uint16_t nobody = 0;
  { nobody = Filter().port; }
  LiveSession relay(with({at(nobody)}));
  EXPECT_EQ(send(relay), "451 4.7.1 A content filter is not available, try again later");
  EXPECT_TRUE(relay.messages().empty());
  relay.change(with({at(nobody, OnFailure::reject)}));
  EXPECT_EQ(send(relay), "550 5.7.1 A content filter is not available");
  EXPECT_TRUE(relay.messages().empty());
  relay.change(with({at(nobody, OnFailure::accept)}));
  EXPECT_THAT(send(relay), HasSubstr("250 2.0.0 OK queued"));
  EXPECT_EQ(relay.messages().at(0).content, "Subject: s\r\n\r\nbody\r\n");
  EXPECT_EQ(relay.metrics.total(Counter::milter_failed), 3U);
  EXPECT_EQ(relay.log.records("milter_failed").size(), 3U);
}

TEST(Filtering, AsksAFilterThatIsDownOnlyNowAndThen) {
  Filter filter({{'O', "close"}});
  LiveSession relay(with({at(filter.port)}));
  for (int i = 0; i < 8; ++i) EXPECT_THAT(send(relay), HasSubstr("451 4.7.1"));
  EXPECT_LE(filter.connections, 4);
  EXPECT_GE(relay.metrics.total(Counter::milter_skipped), 4U);
}

TEST(Filtering, GivesUpOnAFilterThatSaysNothing) {
  for (const char command : {'O', 'C', 'E'}) {
    Filter filter({{command, "nothing"}});
    LiveSession relay(with({at(filter.port)}));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THAT(send(relay), HasSubstr("451 4.7.1"));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
    EXPECT_THAT(relay.log.records("milter_failed").at(0)["error"], HasSubstr("timed"));
  }
}

TEST(Filtering, FollowsNothingOfAnAnswerThatAsksForWhatCannotBe) {
  for (const auto& edit :
       {packet('+', "no address\0"s), packet('+', "<a@[10.0.0.1]>\0"s), packet('e', "<x@>\0"s),
        packet('b', "body"), packet('+', "<\xC3\xA9@b.test>\0"s)}) {
    Filter filter({{'E', packet('h', "X\0y\0"s) + edit + packet('c')}});
    LiveSession relay(with({at(filter.port)}));
    EXPECT_THAT(send(relay), HasSubstr("451 4.7.1"));
    relay.change(with({at(filter.port, OnFailure::accept)}));
    EXPECT_THAT(send(relay), HasSubstr("250"));
    EXPECT_EQ(relay.messages().at(0).content, "Subject: s\r\n\r\nbody\r\n") << "unchanged";
  }
}

TEST(Filtering, RefusesAHeaderThatItCannotHold) {
  Filter filter;
  LiveSession relay(with({at(filter.port)}));
  std::string header;
  while (header.size() <= Filtering::kMaxHeader) header += "X: " + std::string(900, 'x') + "\r\n";
  EXPECT_EQ(send(relay, header + "\r\nbody\r\n"), "552 5.3.4 Header too large");
  EXPECT_TRUE(relay.messages().empty());
  EXPECT_EQ(filter.connections, 0);
}

TEST(Filtering, LeavesRecipientsThatAFilterAddsToTheRules) {
  Filter filter({{'E', packet('+', "<d@d.test>\0"s) + packet('c')}});
  auto rules = with({at(filter.port)});
  policy::Rule rule;
  rule.name = "captured";
  rule.action = policy::Action::redirect;
  rule.redirect_to = *mail::Address::parse("all@capture.test");
  rules.policies = std::make_shared<const policy::Rules>(policy::Rules{rule});
  LiveSession relay(std::move(rules));
  EXPECT_THAT(send(relay), HasSubstr("250"));
  EXPECT_THAT(recipients_of(relay.messages().at(0)), ElementsAre("all@capture.test"));
  ASSERT_TRUE(relay.messages()[0].named);
  const auto named = relay.messages()[0].named->recipients;
  ASSERT_EQ(named.size(), 1U) << "whom the client named, not whom the filter added";
  EXPECT_EQ(named[0].to_text(), "b@b.test");
}

}  // namespace
}  // namespace relay::session
