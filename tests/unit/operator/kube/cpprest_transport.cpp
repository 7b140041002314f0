#include "operator/kube/cpprest_transport.hpp"

#include <atomic>
#include <gmock/gmock.h>
#include <latch>
#include <openssl/crypto.h>
#include <pplx/pplxtasks.h>

#include "tests/unit/operator/kube/scripted_peer.hpp"

namespace op::kube {
namespace {

using relay::Errc;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;

class StandingClock : public relay::Clock {
 public:
  [[nodiscard]] relay::WallTime wall() const override { return {}; }
  [[nodiscard]] relay::SteadyTime steady() const override { return {}; }
};

/// A transport to a peer.
template <class Peer>
struct LinkTo {
  explicit LinkTo(auto&& to_do, milliseconds idle = seconds{10})
      : peer(std::forward<decltype(to_do)>(to_do)),
        credentials({peer.url(), "", {}, {}, {}, {"sesame", ""}}, clock),
        transport(std::in_place, credentials, CpprestOptions{idle, "test/1"}) {}

  relay::Result<Response> get(milliseconds deadline = seconds{10}, std::stop_token stop = {}) {
    Request request;
    request.target = "/x?a=b%2Cc";
    request.deadline = deadline;
    return transport->send(request, stop);
  }
  relay::Result<Response> put(const std::string& body) {
    Request request{Method::put, "/x", body, "application/json"};
    request.deadline = seconds{10};
    return transport->send(request, {});
  }
  relay::Result<Response> stream(const OnBytes& on_bytes, std::stop_token stop = {}) {
    Request request;
    request.target = "/w";
    request.deadline = seconds{10};
    return transport->stream(request, on_bytes, stop);
  }

  StandingClock clock;
  Peer peer;
  Credentials credentials;
  std::optional<CpprestTransport> transport;
};

struct Link : LinkTo<ScriptedPeer> {
  explicit Link(std::vector<Conversation> conversations, milliseconds idle = seconds{10})
      : LinkTo(std::move(conversations), idle) {}
};

/// cpprestsdk gives a connection back to its pool a moment behind the answer; a request before that opens another. So one
/// asks until a connection has been used again.
using LinkOfMany = LinkTo<CountingPeer>;
constexpr int kManyRequests = 10'000;

constexpr int kThreads = 2;

/// Has all of cpprestsdk's threads wait until it is opened: they finish nothing meanwhile.
class Gate {
 public:
  Gate() {
    for (int i = 0; i < kThreads; ++i) {
      pplx::create_task([all = all_] {
        all->here.count_down();
        all->open.wait();
      });
    }
    all_->here.wait();
  }
  void open() { all_->open.count_down(); }

 private:
  struct All {
    std::latch here{kThreads};
    std::latch open{1};
  };
  std::shared_ptr<All> all_ = std::make_shared<All>();
};

/// How long the transport of `link` takes to end.
std::chrono::steady_clock::duration time_to_end(auto& link) {
  const auto began = steady_clock::now();
  link.transport.reset();
  return steady_clock::now() - began;
}

/// Whether the transport of `link`, told to end while `gate` is shut, ends only when that opens.
bool ends_behind(Gate& gate, auto& link) {
  std::atomic<bool> is_open{false};
  const std::jthread soon([&] {
    std::this_thread::sleep_for(milliseconds{200});
    is_open = true;
    gate.open();
  });
  link.transport.reset();
  return is_open;
}

/// A moment after a request to `url` has begun, it is told to stop. @return  the time that the transport takes to end
std::chrono::steady_clock::duration time_to_end_of_a_request_to(const std::string& url) {
  StandingClock clock;
  Credentials credentials({url, "", {}, {}, {}, {}}, clock);
  struct {
    std::optional<CpprestTransport> transport;
  } link;
  link.transport.emplace(credentials, CpprestOptions{seconds{20}, "test/1"});
  Request request;
  request.target = "/";
  request.deadline = seconds{20};
  std::stop_source stop;
  const std::jthread soon([&] {
    std::this_thread::sleep_for(milliseconds{200});
    stop.request_stop();
  });
  EXPECT_EQ(link.transport->send(request, stop.get_token()).error().code, Errc::cancelled);
  return time_to_end(link);
}

/// Less than a transport waits at most for what does not end.
constexpr milliseconds kAtOnce{1500};

class CpprestTransportTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { prepare_cpprest(kThreads, {}); }
  /// cpprestsdk's threads end behind the check for leaks, and with them what OpenSSL keeps for each thread.
  static void TearDownTestSuite() {
    const auto here = std::make_shared<std::latch>(kThreads);
    const auto done = std::make_shared<std::latch>(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      pplx::create_task([here, done] {
        here->arrive_and_wait();
        OPENSSL_thread_stop();
        done->count_down();
      });
    }
    done->wait();
  }
};

TEST_F(CpprestTransportTest, SendsARequestWithItsCredentialsAndReturnsTheAnswer) {
  Link link({{peer::TakeRequest{}, peer::Send{http_answer(200, "{}")}}});
  const auto answer = link.get();
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->body, "{}");
  const auto request = link.peer.requests().at(0);
  EXPECT_THAT(request, HasSubstr("GET /x?a=b%2Cc HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("Authorization:Bearer sesame\r\n"));
  EXPECT_THAT(request, HasSubstr("User-Agent:test/1\r\n"));
  EXPECT_THAT(request, HasSubstr("Accept:application/json\r\n"));
}

TEST_F(CpprestTransportTest, SendsABodyOfKnownLength) {
  Link link({{peer::TakeRequest{}, peer::Send{http_answer(201, "{}")}}});
  ASSERT_TRUE(link.put(R"({"a":1})"));
  const auto request = link.peer.requests().at(0);
  EXPECT_THAT(request, HasSubstr("Content-Length:7\r\n"));
  EXPECT_THAT(request, HasSubstr("Content-Type:application/json\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\n\r\n{\"a\":1}"));
}

TEST_F(CpprestTransportTest, PassesOnRefusalsWithTheTimeToWait) {
  Link link({{peer::TakeRequest{}, peer::Send{http_answer(429, "slow", "Retry-After: 7\r\n")}}});
  const auto answer = link.get();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 429U);
  EXPECT_EQ(answer->retry_after, 7U);
}

TEST_F(CpprestTransportTest, UsesAConnectionAgain) {
  LinkOfMany link(0);
  std::string answer;
  for (int i = 0; i < kManyRequests && answer != "2"; ++i) answer = link.get()->body;
  EXPECT_EQ(answer, "2");
}

TEST_F(CpprestTransportTest, RepeatsAReadWhoseConnectionWasClosedMeanwhile) {
  LinkOfMany link(2);
  for (int i = 0; i < kManyRequests && link.peer.cuts() == 0; ++i) {
    const auto answer = link.get();
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(answer->body, "1");
  }
  EXPECT_GT(link.peer.cuts(), 0);
}

TEST_F(CpprestTransportTest, NeverRepeatsAWriteByItself) {
  LinkOfMany link(2);
  int sent = 0;
  while (sent < kManyRequests) {
    ++sent;
    const auto answer = link.put("{}");
    if (link.peer.cuts() == 0) continue;
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::connection_lost);
    break;
  }
  EXPECT_EQ(link.peer.cuts(), 1);
  EXPECT_EQ(link.peer.requests(), sent);
}

TEST_F(CpprestTransportTest, GivesUpAtTheDeadlineHoweverSlowThePeer) {
  Link link(
    {{peer::TakeRequest{}, peer::Send{"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n12"}, peer::AwaitClose{}}}
  );
  const auto began = steady_clock::now();
  const auto answer = link.get(milliseconds{200});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::timed_out);
  EXPECT_LT(steady_clock::now() - began, seconds{5});
}

TEST_F(CpprestTransportTest, EndsAtOnceWhenToldToStop) {
  Link link({{peer::TakeRequest{}, peer::AwaitClose{}}});
  std::stop_source stop;
  std::jthread soon([&] {
    const auto end = steady_clock::now() + seconds{10};
    while (link.peer.requests().empty() && steady_clock::now() < end)
      std::this_thread::sleep_for(milliseconds{1});
    stop.request_stop();
  });
  const auto answer = link.get(seconds{30}, stop.get_token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::cancelled);
}

TEST_F(CpprestTransportTest, SendsNothingWhenAlreadyStopped) {
  Link link({});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(link.get(seconds{1}, stop.get_token()).error().code, Errc::cancelled);
}

TEST_F(CpprestTransportTest, TellsARefusedConnectionFromALostOne) {
  StandingClock clock;
  // A port that was free a moment ago.
  std::string url;
  { url = ScriptedPeer({}).url(); }
  Credentials credentials({url, "", {}, {}, {}, {}}, clock);
  CpprestTransport transport(credentials, {seconds{5}, "test/1"});
  Request request;
  request.target = "/";
  request.deadline = seconds{5};
  EXPECT_EQ(transport.send(request, {}).error().code, Errc::connection_failed);
  Link link({{peer::TakeRequest{}}});
  EXPECT_EQ(link.get().error().code, Errc::connection_lost);
}

TEST_F(CpprestTransportTest, TakesGarbageForALostConnection) {
  const std::string octets("\0\0\r\n\r\n", 6);
  for (const auto& garbage :
       {std::string("SSH-2.0-x\r\n\r\n"), std::string("HTTP/1.1 many\r\n\r\n"), octets}) {
    Link link({{peer::TakeRequest{}, peer::Send{garbage}}});
    EXPECT_FALSE(link.get());
  }
}

TEST_F(CpprestTransportTest, StreamsPiecesAsTheyCome) {
  std::atomic<bool> has_one{false};
  std::atomic<bool> has_part{false};
  Link link(
    {{peer::TakeRequest{}, peer::Send{kStreamHead + chunk("one\n")}, peer::AwaitGo{&has_one},
      peer::Send{chunk("tw")}, peer::AwaitGo{&has_part}, peer::Send{chunk("o\n") + "0\r\n\r\n"}}}
  );
  std::string all;
  // Each piece comes only when the one before it has been handed on.
  const auto ended = link.stream([&](std::string_view octets) {
    all += octets;
    has_one = has_one || all == "one\n";
    has_part = has_part || all == "one\ntw";
    return true;
  });
  ASSERT_TRUE(ended) << ended.error().context;
  EXPECT_EQ(ended->status, 200U);
  EXPECT_EQ(all, "one\ntwo\n");
}

TEST_F(CpprestTransportTest, GivesTheSameStreamHoweverItIsCut) {
  const std::string wire = kStreamHead + chunk("alpha\n") + chunk("beta\ngamma\n") + "0\r\n\r\n";
  for (std::size_t cut = 1; cut < wire.size(); cut += 3) {
    Link link(
      {{peer::TakeRequest{}, peer::Send{wire.substr(0, cut)}, peer::Pause{milliseconds{2}},
        peer::Send{wire.substr(cut)}}}
    );
    std::string all;
    ASSERT_TRUE(link.stream([&](std::string_view octets) { return all += octets, true; })) << cut;
    EXPECT_EQ(all, "alpha\nbeta\ngamma\n") << cut;
  }
}

TEST_F(CpprestTransportTest, LosesAStreamThatIsCutOff) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead + chunk("one\n")}}});
  std::string all;
  const auto ended = link.stream([&](std::string_view octets) { return all += octets, true; });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Errc::connection_lost);
  EXPECT_EQ(all, "one\n");
}

TEST_F(CpprestTransportTest, LosesAStreamThatStaysSilent) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead}, peer::AwaitClose{}}}, milliseconds{300});
  const auto ended = link.stream([](std::string_view) { return true; });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Errc::timed_out);
}

TEST_F(CpprestTransportTest, LosesAStreamWhoseChunksMakeNoSense) {
  Link link(
    {{peer::TakeRequest{}, peer::Send{kStreamHead + "zz\r\nabc\r\n"}, peer::AwaitClose{}}}, seconds{2}
  );
  EXPECT_FALSE(link.stream([](std::string_view) { return true; }));
}

TEST_F(CpprestTransportTest, EndsAStreamThatIsToldToStop) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead + chunk("one\n")}, peer::AwaitClose{}}});
  std::stop_source stop;
  const auto ended =
    link.stream([&](std::string_view) { return stop.request_stop(), true; }, stop.get_token());
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Errc::cancelled);
}

TEST_F(CpprestTransportTest, EndsAStreamOfWhichNoMoreIsWanted) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead + chunk("one\n")}, peer::AwaitClose{}}});
  const auto ended = link.stream([](std::string_view octets) { return octets.empty(); });
  ASSERT_TRUE(ended);
}

TEST_F(CpprestTransportTest, TellsOfAStreamsHeadersBeforeAnyOctetHasCome) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead}, peer::AwaitClose{}}});
  std::vector<std::string> told;
  const auto ended = link.stream([&](std::string_view octets) {
    told.emplace_back(octets);
    return false;
  });
  ASSERT_TRUE(ended);
  EXPECT_EQ(told, std::vector<std::string>{""});
}

TEST_F(CpprestTransportTest, ReturnsTheBodyOfARefusedStream) {
  Link link({{peer::TakeRequest{}, peer::Send{http_answer(410, R"({"message":"too old"})")}}});
  const auto ended = link.stream([](std::string_view) { return ADD_FAILURE(), true; });
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 410U);
  EXPECT_THAT(ended->body, HasSubstr("too old"));
}

TEST_F(CpprestTransportTest, EndsOnlyWhenNothingIsLeftOfARequestThatWasStopped) {
  Link link({{peer::TakeRequest{}, peer::AwaitClose{}}});
  std::stop_source stop;
  std::jthread call([&] { EXPECT_EQ(link.get(seconds{30}, stop.get_token()).error().code, Errc::cancelled); }
  );
  const auto end = steady_clock::now() + seconds{10};
  while (link.peer.requests().empty() && steady_clock::now() < end)
    std::this_thread::sleep_for(milliseconds{1});
  Gate gate;
  stop.request_stop();
  call.join();
  EXPECT_TRUE(ends_behind(gate, link));
}

TEST_F(CpprestTransportTest, EndsOnlyWhenNothingIsLeftOfAStreamOfWhichNoMoreWasWanted) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead + chunk("one\n")}, peer::AwaitClose{}}});
  std::optional<Gate> gate;
  ASSERT_TRUE(link.stream([&](std::string_view octets) {
    if (octets.empty()) return true;
    gate.emplace();
    return false;
  }));
  EXPECT_TRUE(ends_behind(*gate, link));
}

TEST_F(CpprestTransportTest, EndsInTimeWhateverIsLeft) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead + chunk("one\n")}, peer::AwaitClose{}}});
  std::optional<Gate> gate;
  ASSERT_TRUE(link.stream([&](std::string_view octets) {
    if (octets.empty()) return true;
    gate.emplace();
    return false;
  }));
  EXPECT_LT(time_to_end(link), seconds{5});
  gate->open();
}

TEST_F(CpprestTransportTest, EndsAtOnceWhileAConnectionIsNotMade) {
  const FullListener peer;
  EXPECT_LT(time_to_end_of_a_request_to(peer.url()), kAtOnce);
}

TEST_F(CpprestTransportTest, EndsAtOnceWhileAPeerIsSilentInTheHandshake) {
  const Listener peer;
  EXPECT_LT(time_to_end_of_a_request_to("https" + peer.url().substr(4)), kAtOnce);
}

TEST_F(CpprestTransportTest, EndsAStreamWhoseReaderThrows) {
  Link link({{peer::TakeRequest{}, peer::Send{kStreamHead + chunk("one\n")}, peer::AwaitClose{}}});
  EXPECT_FALSE(link.stream([](std::string_view octets) {
    return octets.empty() ? true : throw std::runtime_error("no memory");
  }));
  EXPECT_LT(time_to_end(link), kAtOnce);
}

TEST_F(CpprestTransportTest, EndsAtOnceWhenNothingIsUnderWay) {
  Link link({{peer::TakeRequest{}, peer::Send{http_answer(200, "{}")}}});
  ASSERT_TRUE(link.get());
  EXPECT_LT(time_to_end(link), kAtOnce);
}

TEST_F(CpprestTransportTest, FollowsNoRedirect) {
  ScriptedPeer other({{peer::TakeRequest{}, peer::Send{http_answer(200, "{}")}}});
  for (const int status : {301, 302, 303, 307, 308}) {
    const auto answer = http_answer(status, "", "Location: " + other.url() + "/x\r\n");
    Link reading({{peer::TakeRequest{}, peer::Send{answer}}});
    const auto read = reading.get();
    ASSERT_TRUE(read) << read.error().context;
    EXPECT_EQ(read->status, static_cast<unsigned>(status));
    Link writing({{peer::TakeRequest{}, peer::Send{answer}}});
    const auto written = writing.put("{}");
    ASSERT_TRUE(written) << written.error().context;
    EXPECT_EQ(written->status, static_cast<unsigned>(status));
  }
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(CpprestTransportTest, NeverShowsTheTokenInAnError) {
  Link link({{peer::TakeRequest{}}});
  EXPECT_THAT(link.get().error().context, Not(HasSubstr("sesame")));
}

}  // namespace
}  // namespace op::kube
