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
  void play(
    Reflector::Lists lists = Reflector::Lists::whole, Informer::Need need = Informer::Need::required
  ) {
    Informer informer(
      {kube::kPods, "mail", "", kube::View::full}, *feed, {client, client, metrics, clock, jitter, log},
      lists, need
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
  kube::Client client{transport, gate, "smtp-relay-operator"};
  Metrics metrics{{"c", "lease", "smtp_relay_operator"}, 1, "h"};
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
  EXPECT_THAT(told, ElementsAre("+a", "+b", "+a", "+c", "-c", "-a"));
  EXPECT_THAT(transport.requests.at(0).target, HasSubstr("sendInitialEvents=true"));
  EXPECT_THAT(transport.requests.at(0).target, HasSubstr("resourceVersion=0"));
  EXPECT_EQ(log.records("listed").size(), 2U);
}

TEST_F(InformerTest, BelievesNothingGoneForAStreamThatBreaksOffBeforeItsEnd) {
  transport.streams({event("ADDED", "a", "1"), event("ADDED", "b", "2")});
  transport.streams(
    {event("ADDED", "b", "2"), R"({"type":"ERROR","object":{"code":422,"message":"no such feature"}})"
                               "\n"}
  );
  transport.answers(200, list("10", object("b", "2")));
  transport.streams_left = 2;
  play(Reflector::Lists::streamed);
  EXPECT_THAT(told, ElementsAre("+a", "+b", "-a"));
}

TEST_F(InformerTest, FindsWhatWasDeletedWhileItsVersionWasGone) {
  transport.answers(200, list("10", object("a", "1") + "," + object("b", "2")));
  transport.streams({R"({"type":"ERROR","object":{"code":410,"message":"too old"}})"
                     "\n"});
  transport.answers(200, list("500", object("b", "2") + "," + object("c", "400")));
  transport.streams_left = 1;
  play();
  EXPECT_THAT(told, ElementsAre("+a", "+b", "+c", "-a"));
}

/// Says what of a refusal reaches the sink.
class RefusedSink : public Sink {
 public:
  void list_begins() override { told.push_back("["); }
  void keep_only(const std::set<Key>& present) override {
    told.push_back(std::to_string(present.size()) + " items");
  }
  void upsert(Json object) override { told.push_back("+" + kube::key_of(object).name); }
  void erase(const Json&) override {}
  void refused(const std::string& why) override { told.push_back("refused: " + why); }
  std::vector<std::string> told;
};

class OptionalTest : public InformerTest {
 protected:
  OptionalTest() {
    auto own = std::make_unique<RefusedSink>();
    sink = own.get();
    feed = std::move(own);
  }
  /// To the next question for a right.
  void may(bool is_allowed) {
    transport.answers(201, is_allowed ? R"({"status":{"allowed":true}})" : R"({"status":{"allowed":false}})");
  }
  [[nodiscard]] std::vector<std::string> targets() const {
    std::vector<std::string> all;
    for (const auto& request : transport.requests)
      all.push_back(request.target.substr(0, request.target.find('?')));
    return all;
  }
  RefusedSink* sink = nullptr;
};

TEST_F(OptionalTest, AsksForTheRightBeforeItLooksAndIsNoticedWhenItIsGranted) {
  may(false);
  may(true);   // list
  may(false);  // watch
  may(true);
  may(true);
  transport.answers(200, list("10", object("a", "1")));
  play(Reflector::Lists::whole, Informer::Need::optional);
  EXPECT_THAT(sink->told, ElementsAre("refused: no right to list pods", "[", "+a", "1 items", "refused: "));
  const auto asked = targets();
  ASSERT_EQ(asked.size(), 6U);
  EXPECT_THAT(asked[4], HasSubstr("selfsubjectaccessreviews"));
  EXPECT_EQ(asked[5], "/api/v1/namespaces/mail/pods");
  EXPECT_THAT(metrics.to_text({}), HasSubstr("list_operations_failed_total{resource=\"pods\"} 0"));
}

TEST_F(OptionalTest, SaysThatAListBeginsWhenItComesAsAStreamToo) {
  may(true);
  may(true);
  transport.streams(
    {event("ADDED", "a", "1"),
     R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"10",)"
     R"("annotations":{"k8s.io/initial-events-end":"true"}}}})"
     "\n",
     event("MODIFIED", "a", "11")}
  );
  transport.streams_left = 1;
  play(Reflector::Lists::streamed, Informer::Need::optional);
  EXPECT_THAT(sink->told, ElementsAre("[", "+a", "1 items", "+a"));
}

TEST_F(OptionalTest, HoldsNobodyUpThatWaitsForItsList) {
  for (int i = 0; i < 100; ++i) may(false);
  Informer informer(
    {kube::kPods, "mail", "", kube::View::full}, *feed,
    {client, client, metrics, clock, jitter, log,
     [](milliseconds, const std::stop_token& stop) { wait_for(seconds{20}, stop); }},
    Reflector::Lists::streamed, Informer::Need::optional
  );
  EXPECT_FALSE(informer.is_synced());
  informer.start();
  const auto end = std::chrono::steady_clock::now() + seconds{20};
  while (!informer.is_synced() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(milliseconds{1});
  EXPECT_TRUE(informer.is_synced());
  informer.stop();
  EXPECT_THAT(sink->told, ElementsAre("refused: no right to list pods"));
}

TEST_F(OptionalTest, IsToldWhenARightIsWithdrawnAndGivenBack) {
  may(true);
  may(true);
  transport.answers(200, list("10", object("a", "1")));
  transport.streams({R"({"type":"ERROR","object":{"code":403,"message":"pods is forbidden"}})"
                     "\n"});
  may(true);   // list
  may(false);  // watch
  may(true);
  may(true);
  transport.streams({event("MODIFIED", "a", "11")});
  transport.streams_left = 2;
  play(Reflector::Lists::whole, Informer::Need::optional);
  ASSERT_EQ(sink->told.size(), 6U);
  EXPECT_EQ(sink->told.at(3), "refused: no right to watch pods");
  EXPECT_EQ(sink->told.at(4), "refused: ");
  EXPECT_EQ(sink->told.at(5), "+a");
}

TEST_F(OptionalTest, BelievesNoServerThatRefusesTheQuestionToo) {
  may(true);
  may(true);
  transport.answers(200, list("10", object("a", "1")));
  transport.streams({R"({"type":"ERROR","object":{"code":403,"message":"pods is forbidden"}})"
                     "\n"});
  transport.answers(403, R"({"message":"not yet"})");
  transport.answers(403, R"({"message":"not yet"})");
  transport.streams({event("MODIFIED", "a", "11")});
  transport.streams_left = 2;
  play(Reflector::Lists::whole, Informer::Need::optional);
  EXPECT_THAT(sink->told, ElementsAre("[", "+a", "1 items", "+a"));
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
