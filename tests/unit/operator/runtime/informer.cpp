#include "operator/runtime/informer.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A Transport that follows its script and then hangs until it is stopped, as a silent server does.
class HangingTransport : public kube::ScriptedTransport {
 public:
  relay::Result<kube::Response> stream(
    const kube::Request& request, const kube::OnBytes& on_bytes, std::stop_token stop
  ) override {
    if (streams_left == 0) {
      is_hanging = true;
      while (!stop.stop_requested()) std::this_thread::sleep_for(milliseconds{1});
      return relay::transient(relay::Errc::cancelled, "stopped");
    }
    --streams_left;
    return ScriptedTransport::stream(request, on_bytes, stop);
  }
  int streams_left = 0;
  std::atomic<bool> is_hanging{false};
};

std::string object(const std::string& name, const std::string& version) {
  return R"({"metadata":{"namespace":"mail","name":")" + name + R"(","resourceVersion":")" + version +
         R"("}})";
}
std::string event(const std::string& type, const std::string& name, const std::string& version) {
  return R"({"type":")" + type + R"(","object":)" + object(name, version) + "}\n";
}
std::string list(const std::string& version, const std::string& items) {
  return R"({"metadata":{"resourceVersion":")" + version + R"("},"items":[)" + items + "]}";
}

class InformerTest : public ::testing::Test {
 protected:
  /// Runs the script to its end.
  void play(Reflector::Lists lists = Reflector::Lists::whole) {
    Informer informer(
      {kube::kPods, "mail", "", kube::View::full}, *feed, {client, client, metrics, clock, jitter, log}, lists
    );
    informer.start();
    const auto end = std::chrono::steady_clock::now() + seconds{20};
    while (!transport.is_hanging && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(milliseconds{1});
    EXPECT_TRUE(transport.is_hanging);
    EXPECT_TRUE(informer.is_synced());
    EXPECT_FALSE(informer.is_stuck());
    informer.stop();
  }

  HangingTransport transport;
  kube::OpenGate gate{seconds{1}};
  kube::Client client{transport, gate};
  Metrics metrics{"c", 1, "h"};
  VirtualClock clock;
  FixedJitter jitter;
  relay::test::QuietLog log;
  std::vector<std::string> told;
  Store store{Store::Options{
    [](Json&) {},
    [](const Json&) { return std::string(); },
    [this](const Change& change) {
      told.push_back((change.after == nullptr ? "-" : "+") + kube::key_of(change.any()).name);
    },
  }};
  std::unique_ptr<Sink> feed = store.feed("mail");
};

TEST_F(InformerTest, FillsItsStoreAndKeepsItCurrent) {
  transport.answers(200, list("10", object("a", "1") + "," + object("b", "2")));
  transport.streams({event("MODIFIED", "a", "11"), event("DELETED", "b", "12"), event("ADDED", "c", "13")});
  transport.streams_left = 1;
  play();
  EXPECT_THAT(told, ElementsAre("+a", "+b", "+a", "-b", "+c"));
  EXPECT_THAT(transport.requests.at(1).target, HasSubstr("resourceVersion=10"));
}

TEST_F(InformerTest, TakesAListAsAStreamAndFindsWhatWasDeletedMeanwhile) {
  const std::string end =
    R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"10","annotations":{"k8s.io/initial-events-end":"true"}}}})"
    "\n";
  transport.streams(
    {event("ADDED", "a", "1") + event("ADDED", "b", "2"), end, event("MODIFIED", "a", "11"),
     R"({"type":"ERROR","object":{"code":410,"message":"too old"}})"
     "\n"}
  );
  transport.streams({event("ADDED", "b", "2"), event("ADDED", "c", "3"), event("DELETED", "c", "4"), end});
  transport.streams_left = 2;
  play(Reflector::Lists::streamed);
  EXPECT_THAT(told, ElementsAre("+a", "+b", "+a", "-a"));
  EXPECT_THAT(transport.requests.at(0).target, HasSubstr("sendInitialEvents=true"));
  EXPECT_THAT(transport.requests.at(0).target, HasSubstr("resourceVersion=0"));
  EXPECT_EQ(log.records("listed").size(), 2U);
}

TEST_F(InformerTest, KeepsNothingOfAStreamThatBreaksOffBeforeItsEnd) {
  transport.streams({event("ADDED", "a", "1"), event("ADDED", "b", "2")});
  transport.streams(
    {event("ADDED", "b", "2"), R"({"type":"ERROR","object":{"code":422,"message":"no such feature"}})"
                               "\n"}
  );
  transport.answers(200, list("10", object("b", "2")));
  transport.streams_left = 2;
  play(Reflector::Lists::streamed);
  EXPECT_THAT(told, ElementsAre("+b"));
}

TEST_F(InformerTest, FindsWhatWasDeletedWhileItsVersionWasGone) {
  transport.answers(200, list("10", object("a", "1") + "," + object("b", "2")));
  transport.streams({R"({"type":"ERROR","object":{"code":410,"message":"too old"}})"
                     "\n"});
  transport.answers(200, list("500", object("b", "2") + "," + object("c", "400")));
  transport.streams_left = 1;
  play();
  EXPECT_THAT(told, ElementsAre("+a", "+b", "-a", "+c"));
}

TEST_F(InformerTest, RepeatsAListThatFailedAndLogsTheFailureOnce) {
  transport.answers(403, R"({"message":"pods is forbidden"})");
  transport.answers(403, R"({"message":"pods is forbidden"})");
  transport.answers(200, list("10", object("a", "1")));
  play();
  EXPECT_THAT(told, ElementsAre("+a"));
  EXPECT_EQ(log.records("list_failed").size(), 1U);
}

}  // namespace
}  // namespace op::runtime
