#include "operator/runtime/event_recorder.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::runtime {
namespace {

using ::testing::SizeIs;

/// Tells when the script has come to its end.
class CountingTransport : public kube::ScriptedTransport {
 public:
  relay::Result<kube::Response> send(const kube::Request& request, std::stop_token stop) override {
    const std::lock_guard lock(mutex);
    return ScriptedTransport::send(request, stop);
  }
  [[nodiscard]] std::size_t count() {
    const std::lock_guard lock(mutex);
    return requests.size();
  }
  std::mutex mutex;
};

class EventRecorderTest : public ::testing::Test {
 protected:
  void tell(const std::string& note) {
    Occurrence made;
    made.regarding = {"v1", "X", {"mail", "x"}, "u-1"};
    made.reason = "R";
    made.action = "A";
    made.note = note;
    recorder.record(made);
  }
  [[nodiscard]] bool has_sent(std::size_t count) {
    const auto end = std::chrono::steady_clock::now() + seconds{10};
    while (transport.count() < count && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(milliseconds{1});
    return transport.count() == count;
  }
  CountingTransport transport;
  kube::OpenGate gate{seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  VirtualClock clock;
  relay::test::QuietLog log;
  EventRecorder recorder{client, {"x.test/operator", "one"}, clock, log};
};

TEST_F(EventRecorderTest, WritesWhatIsToldAndCountsWhatComesAgain) {
  transport.answers(201, "{}");
  transport.answers(200, "{}");
  recorder.start();
  tell("a");
  ASSERT_TRUE(has_sent(1));
  // The first answer may be settled behind any of these.
  const auto end = std::chrono::steady_clock::now() + seconds{10};
  while (transport.count() < 2 && std::chrono::steady_clock::now() < end) {
    clock.advance(seconds{31});
    tell("a");
    std::this_thread::sleep_for(milliseconds{1});
  }
  ASSERT_EQ(transport.count(), 2U);
  recorder.stop();
  EXPECT_EQ(transport.requests[0].asked().substr(0, 49), "POST /apis/events.k8s.io/v1/namespaces/mail/event");
  EXPECT_EQ(transport.requests[1].method, kube::Method::patch);
  EXPECT_GE(kube::Json::parse(transport.requests[1].body)["series"]["count"].get<int>(), 2);
}

TEST_F(EventRecorderTest, LogsARefusalOnceAndGoesOn) {
  for (int i = 0; i < 3; ++i) transport.answers(403, R"({"message":"events is forbidden"})");
  recorder.start();
  for (const auto* note : {"a", "b", "c"}) tell(note);
  ASSERT_TRUE(has_sent(3));
  recorder.stop();
  EXPECT_THAT(log.records("event_not_written"), SizeIs(1));
}

}  // namespace
}  // namespace op::runtime
