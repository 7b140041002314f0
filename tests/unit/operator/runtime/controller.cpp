#include "operator/runtime/controller.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <gmock/gmock.h>
#include <mutex>
#include <set>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

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
  Metrics metrics{{"smtprelay", "lease", "smtp_relay_operator"}, 2, "h"};
  relay::test::QuietLog log;
  ScriptedReconciler reconciler;
  std::stop_source term;
  Controller controller{reconciler, 2, metrics, log, clock};
};

TEST_F(ControllerTest, WorksOnKeysOnlyWhileItLeads) {
  std::atomic<bool> leads{false};
  reconciler.action = [&](const Key&, std::stop_token) {
    EXPECT_TRUE(leads);
    return Outcome{};
  };
  controller.start();
  controller.add({"mail", "a"});
  EXPECT_EQ(controller.state().depth, 1U);
  leads = true;
  lead();
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 1 && reconciler.running == 0; }));
  controller.pause();
  leads = false;
  controller.add({"mail", "b"});
  EXPECT_EQ(controller.state().depth, 1U);
  controller.stop();
  EXPECT_EQ(reconciler.calls, 1);
}

TEST_F(ControllerTest, LetsAnEditOvertakeAllThatIsLookedAtWhenATermBegins) {
  Controller one_worker{reconciler, 1, metrics, log, clock};  // of two, either may tell first what it has
  std::vector<std::string> order;
  std::atomic<bool> may_begin{false};
  reconciler.action = [&](const Key& key, std::stop_token) {
    EXPECT_TRUE(eventually([&] { return may_begin.load(); }));
    order.push_back(key.name);
    return Outcome{};
  };
  for (const auto* name : {"1", "2", "3"}) one_worker.add({"mail", name});
  one_worker.add_all({{"mail", "4"}, {"mail", "5"}});
  one_worker.start();
  one_worker.lead(term.get_token());
  EXPECT_TRUE(eventually([&] { return reconciler.running == 1; })) << "the worker has something";
  one_worker.add({"mail", "edited"});
  may_begin = true;
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 6 && reconciler.running == 0; }));
  one_worker.stop();
  EXPECT_THAT(order, ::testing::ElementsAre("1", "edited", "2", "3", "4", "5"));
}

TEST_F(ControllerTest, WorksOnSeveralKeysAtATimeButNeverTwiceOnOne) {
  std::atomic<bool> may_end{false};
  std::mutex mutex;
  std::set<Key> with_a_worker;
  reconciler.action = [&](const Key& key, std::stop_token) {
    {
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(with_a_worker.insert(key).second) << key.to_text();
    }
    EXPECT_TRUE(eventually([&] { return may_end.load(); }));
    const std::lock_guard lock(mutex);
    with_a_worker.erase(key);
    return Outcome{};
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 1; }));
  controller.add({"mail", "a"});
  controller.add({"mail", "b"});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 2; }));
  may_end = true;
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 3 && reconciler.running == 0; }));
}

TEST_F(ControllerTest, LetsAnEditPassWhatWasThereBeforeTheTermBegan) {
  std::mutex mutex;
  std::vector<std::string> order;
  Controller alone(reconciler, 1, metrics, log, clock);
  reconciler.action = [&](const Key& key, std::stop_token) {
    if (key.name == "a") alone.add({"mail", "edited"});
    const std::lock_guard lock(mutex);
    order.push_back(key.name);
    return Outcome{};
  };
  for (const auto* name : {"a", "b", "c"}) alone.add({"mail", name});
  alone.start();
  alone.lead(term.get_token());
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 4 && reconciler.running == 0; }));
  alone.stop();
  EXPECT_EQ(order, (std::vector<std::string>{"a", "edited", "b", "c"}));
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
  VirtualClock hours;
  std::atomic<int> asked{0};
  Controller throttled{reconciler, 1, metrics, log, hours};
  reconciler.action = [&](const Key& key, std::stop_token) -> kube::Answer<Outcome> {
    if (key.name != "a" || ++asked > 1) return Outcome{};
    auto refusal = failure(Kind::throttled, relay::Fate::transient);
    refusal.retry_after = seconds{3600};
    return tl::unexpected(refusal);
  };
  throttled.start();
  throttled.lead(term.get_token());
  throttled.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return !log.records("reconcile_failed").empty(); }));
  hours.advance(seconds{3599});
  // Its worker looks at the queue again, before and behind it.
  throttled.add({"mail", "b"});
  throttled.add({"mail", "c"});
  EXPECT_TRUE(eventually([&] { return reconciler.calls == 3; }));
  EXPECT_EQ(asked, 1);
  hours.advance(seconds{1});
  throttled.add({"mail", "d"});
  EXPECT_TRUE(eventually([&] { return asked == 2; }));
}

TEST_F(ControllerTest, DoesNotRepeatAPermanentFailure) {
  reconciler.action = [](const Key&, std::stop_token) -> kube::Answer<Outcome> {
    return tl::unexpected(failure(Kind::invalid, relay::Fate::permanent));
  };
  controller.start();
  lead();
  controller.add({"mail", "a"});
  EXPECT_TRUE(eventually([&] { return !log.records("reconcile_failed").empty(); }));
  EXPECT_EQ(reconciler.calls, 1);
  EXPECT_THAT(
    metrics_text(), HasSubstr("workqueue_retries_total{controller=\"smtprelay\",name=\"smtprelay\"} 0")
  );
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
  std::atomic<int> told{0};
  reconciler.action = [&](const Key&, std::stop_token stop) {
    EXPECT_TRUE(eventually([&] { return stop.stop_requested(); }));
    ++told;
    EXPECT_TRUE(eventually([&] { return told == 2; })) << "nobody is told only when another has ended";
    return Outcome{};
  };
  controller.start();
  lead();
  for (const auto* name : {"a", "b", "c"}) controller.add({"mail", name});
  EXPECT_TRUE(eventually([&] { return reconciler.running == 2; }));
  controller.stop();
  EXPECT_EQ(reconciler.calls, 2) << "what waits is for whoever leads next";
}

TEST_F(ControllerTest, EndsBehindTheReconcileItIsIn) {
  reconciler.action = [](const Key&, std::stop_token stop) {
    EXPECT_TRUE(eventually([&] { return stop.stop_requested(); }));
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
