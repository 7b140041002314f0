#include "operator/runtime/controller.hpp"

#include <atomic>
#include <functional>
#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"

namespace op::runtime {
namespace {

using kube::Failure;
using kube::Kind;
using ::testing::HasSubstr;

/// Does what the test says, and counts.
class ScriptedReconciler : public Reconciler {
 public:
  kube::Answer<Outcome> reconcile(const Key& key, std::stop_token stop) override {
    ++calls;
    const auto now_running = ++running;
    most_running = std::max(most_running.load(), now_running);
    const auto leave = [this] { --running; };
    try {
      auto answer = action(key, stop);
      leave();
      return answer;
    } catch (...) {
      leave();
      throw;
    }
  }
  std::function<kube::Answer<Outcome>(const Key&, std::stop_token)> action = [](const Key&, std::stop_token) {
    return Outcome{};
  };
  std::atomic<int> calls{0};
  std::atomic<int> running{0};
  std::atomic<int> most_running{0};
};

Failure failure(Kind kind, relay::Fate fate) { return {kind, {relay::Errc::unavailable, fate, "scripted"}}; }

class ControllerTest : public ::testing::Test {
 protected:
  static bool eventually(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + seconds{10};
    while (!holds() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(milliseconds{1});
    return holds();
  }
  void lead() { controller.lead(term.get_token()); }
  [[nodiscard]] std::string metrics_text() const { return metrics.to_text(controller.state()); }

  BootClock clock;
  Metrics metrics{"smtprelay", 2, "h"};
  relay::test::QuietLog log;
  ScriptedReconciler reconciler;
  std::stop_source term;
  Controller controller{reconciler, 2, metrics, log, clock};
};

TEST_F(ControllerTest, WorksOnKeysOnlyWhileItLeads) {
  controller.start();
  controller.add({"mail", "a"});
  std::this_thread::sleep_for(milliseconds{30});
  EXPECT_EQ(reconciler.calls, 0);
  lead();
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 1; }));
  controller.pause();
  controller.add({"mail", "b"});
  std::this_thread::sleep_for(milliseconds{30});
  EXPECT_EQ(reconciler.calls, 1);
}

TEST_F(ControllerTest, WorksOnSeveralKeysAtATimeButNeverTwiceOnOne) {
  std::atomic<bool> may_end{false};
  reconciler.action = [&](const Key&, std::stop_token) {
    while (!may_end) std::this_thread::sleep_for(milliseconds{1});
    return Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 1; }));
  controller.add({"mail", "a"});
  std::this_thread::sleep_for(milliseconds{20});
  EXPECT_EQ(reconciler.running, 1);
  controller.add({"mail", "b"});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 2; }));
  may_end = true;
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 3 && reconciler.running == 0; }));
}

TEST_F(ControllerTest, RepeatsATransientFailureUntilItSucceeds) {
  reconciler.action = [&](const Key&, std::stop_token) -> kube::Answer<Outcome> {
    if (reconciler.calls < 4) return tl::unexpected(failure(Kind::server, relay::Fate::transient));
    return Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 4; }));
  EXPECT_TRUE(eventually([&] { return metrics_text().find("result=\"success\"} 1") != std::string::npos; }));
  EXPECT_THAT(
    metrics_text(), HasSubstr("workqueue_retries_total{controller=\"smtprelay\",name=\"smtprelay\"} 3")
  );
  EXPECT_EQ(log.records("reconcile_failed").size(), 3U);
}

TEST_F(ControllerTest, WaitsAsLongAsAThrottlingServerAsks) {
  reconciler.action = [&](const Key&, std::stop_token) -> kube::Answer<Outcome> {
    if (reconciler.calls > 1) return Outcome{};
    auto throttled = failure(Kind::throttled, relay::Fate::transient);
    throttled.retry_after = milliseconds{200};
    return tl::unexpected(throttled);
  };
  controller.start();
  lead();
  const auto began = std::chrono::steady_clock::now();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 2; }));
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds{190});
}

TEST_F(ControllerTest, DoesNotRepeatAPermanentFailure) {
  reconciler.action = [](const Key&, std::stop_token) -> kube::Answer<Outcome> {
    return tl::unexpected(failure(Kind::invalid, relay::Fate::permanent));
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return !log.records("reconcile_failed").empty(); }));
  std::this_thread::sleep_for(milliseconds{50});
  EXPECT_EQ(reconciler.calls, 1);
  EXPECT_THAT(
    metrics_text(),
    HasSubstr("controller_runtime_terminal_reconcile_errors_total{controller=\"smtprelay\"} 1")
  );
}

TEST_F(ControllerTest, RepeatsAConflictWithoutCallingItAnError) {
  reconciler.action = [&](const Key&, std::stop_token) -> kube::Answer<Outcome> {
    if (reconciler.calls < 2) return tl::unexpected(failure(Kind::conflict, relay::Fate::transient));
    return Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 2; }));
  EXPECT_TRUE(log.records("reconcile_failed").empty());
  EXPECT_THAT(
    metrics_text(), HasSubstr("controller_runtime_reconcile_errors_total{controller=\"smtprelay\"} 0")
  );
}

TEST_F(ControllerTest, SurvivesAnExceptionAndCountsIt) {
  reconciler.action = [&](const Key&, std::stop_token) -> kube::Answer<Outcome> {
    if (reconciler.calls == 1) throw std::runtime_error("broken");
    if (reconciler.calls == 2) throw 7;
    return Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 3; }));
  EXPECT_THAT(
    metrics_text(), HasSubstr("controller_runtime_reconcile_panics_total{controller=\"smtprelay\"} 2")
  );
  EXPECT_THAT(log.text(), HasSubstr("exception: broken"));
}

TEST_F(ControllerTest, LooksAgainWhenAReconcileAsksForIt) {
  reconciler.action = [&](const Key&, std::stop_token) {
    return reconciler.calls == 1 ? Outcome{milliseconds{20}} : Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 2; }));
  EXPECT_THAT(metrics_text(), HasSubstr("result=\"requeue_after\"} 1"));
}

TEST_F(ControllerTest, GivesTheEndOfItsTermToTheReconcile) {
  std::atomic<bool> saw_the_end{false};
  reconciler.action = [&](const Key&, std::stop_token stop) {
    saw_the_end = eventually([&] { return stop.stop_requested(); });
    return Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 1; }));
  term.request_stop();
  EXPECT_TRUE(eventually([&] { return saw_the_end.load(); }));
}

TEST_F(ControllerTest, TellsEveryReconcileToEndWhenItStops) {
  reconciler.action = [&](const Key&, std::stop_token stop) {
    // Ends only when the others are told too: they must not wait for one another.
    EXPECT_TRUE(eventually([&] { return stop.stop_requested(); }));
    std::this_thread::sleep_for(milliseconds{100});
    return Outcome{};
  };
  controller.start();
  lead();
  for (const auto* name : {"a", "b", "c"}) controller.add({"mail", name});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 2; }));
  const auto began = std::chrono::steady_clock::now();
  controller.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds{5});
  EXPECT_EQ(reconciler.calls, 2) << "what waits is for whoever leads next";
}

TEST_F(ControllerTest, EndsBehindTheReconcileItIsIn) {
  reconciler.action = [](const Key&, std::stop_token) {
    std::this_thread::sleep_for(milliseconds{50});
    return Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 1; }));
  controller.stop();
  EXPECT_EQ(reconciler.running, 0);
}

}  // namespace
}  // namespace op::runtime
