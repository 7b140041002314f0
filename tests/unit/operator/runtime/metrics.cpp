#include "operator/runtime/metrics.hpp"

#include <ctime>
#include <gmock/gmock.h>

namespace op::runtime {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, ExistFromTheStart) {
  const Metrics metrics({"smtprelay", "smtp-relay-operator", "smtp_relay_operator"}, 4, "api:6443");
  const auto text = metrics.to_text({});
  for (const std::string series : {
         R"(controller_runtime_reconcile_total{controller="smtprelay",result="success"} 0)",
         R"(controller_runtime_reconcile_total{controller="smtprelay",result="requeue_after"} 0)",
         R"(controller_runtime_reconcile_errors_total{controller="smtprelay"} 0)",
         R"(controller_runtime_terminal_reconcile_errors_total{controller="smtprelay"} 0)",
         R"(controller_runtime_reconcile_panics_total{controller="smtprelay"} 0)",
         R"(controller_runtime_reconcile_timeouts_total{controller="smtprelay"} 0)",
         R"(controller_runtime_max_concurrent_reconciles{controller="smtprelay"} 4)",
         R"(controller_runtime_active_workers{controller="smtprelay"} 0)",
         R"(controller_runtime_reconcile_time_seconds_count{controller="smtprelay"} 0)",
         R"(workqueue_depth{controller="smtprelay",name="smtprelay"} 0)",
         R"(workqueue_adds_total{controller="smtprelay",name="smtprelay"} 0)",
         R"(workqueue_retries_total{controller="smtprelay",name="smtprelay"} 0)",
         R"(workqueue_queue_duration_seconds_count{controller="smtprelay",name="smtprelay"} 0)",
         R"(workqueue_work_duration_seconds_count{controller="smtprelay",name="smtprelay"} 0)",
         R"(leader_election_master_status{name="smtp-relay-operator"} 0)",
         R"(leader_election_slowpath_total{name="smtp-relay-operator"} 0)",
       })
    EXPECT_THAT(text, HasSubstr(series + "\n"));
}

TEST(Metrics, CountProcessorTimeUpwards) {
  const Metrics metrics({"smtprelay", "smtp-relay-operator", "smtp_relay_operator"}, 4, "api:6443");
  EXPECT_THAT(metrics.to_text({}), HasSubstr("# TYPE process_cpu_seconds_total counter\n"));
  const auto used = [&] {
    const auto text = metrics.to_text({});
    return std::stod(text.substr(text.find("\nprocess_cpu_seconds_total ") + 27));
  };
  const auto before = used();
  while (used() <= before) {}
  const auto after = used();
  EXPECT_LE(after, static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
}

TEST(Metrics, CountWhatTheyAreTold) {
  Metrics metrics({"smtprelay", "smtp-relay-operator", "smtp_relay_operator"}, 4, "api:6443");
  using Seconds = Metrics::Duration;
  metrics.reconciled(ReconcileResult::error, Seconds{0.2});
  metrics.requested("GET", "200", Seconds{0.03});
  metrics.requested("GET", "<error>", Seconds{1});
  metrics.leads(true);
  metrics.cache_operation(CacheOperation::list, "pods", false);
  metrics.cache_operation(CacheOperation::watch, "pods", true);
  const auto text = metrics.to_text({3, seconds{7}, seconds{5}});
  for (const std::string series : {
         R"(controller_runtime_reconcile_total{controller="smtprelay",result="error"} 1)",
         R"(controller_runtime_reconcile_errors_total{controller="smtprelay"} 1)",
         R"(rest_client_requests_total{code="200",host="api:6443",method="GET"} 1)",
         R"(rest_client_requests_total{code="<error>",host="api:6443",method="GET"} 1)",
         R"(rest_client_request_duration_seconds_count{host="api:6443",verb="GET"} 2)",
         R"(leader_election_master_status{name="smtp-relay-operator"} 1)",
         R"(smtp_relay_operator_list_operations_total{resource="pods"} 1)",
         R"(smtp_relay_operator_list_operations_failed_total{resource="pods"} 0)",
         R"(smtp_relay_operator_watch_operations_failed_total{resource="pods"} 1)",
         R"(workqueue_depth{controller="smtprelay",name="smtprelay"} 3)",
         R"(workqueue_unfinished_work_seconds{controller="smtprelay",name="smtprelay"} 7)",
         R"(workqueue_longest_running_processor_seconds{controller="smtprelay",name="smtprelay"} 5)",
       })
    EXPECT_THAT(text, HasSubstr(series + "\n"));
}

TEST(Metrics, TellOfADegradedResourceAsLongAsItIs) {
  Metrics metrics({"smtprelay", "lease", "smtp_relay_operator"}, 1, "h");
  const auto series = [&] {
    const auto text = metrics.to_text({});
    const auto begin = text.find("\nsmtp_relay_operator_degraded{");
    return begin == std::string::npos ? "" : text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
  };
  EXPECT_EQ(series(), "");
  metrics.degraded("mail/edge", "SecretNotFound");
  EXPECT_EQ(series(), R"(smtp_relay_operator_degraded{object="mail/edge",reason="SecretNotFound"} 1)");
  metrics.degraded("mail/edge", "PodsNotAvailable");
  EXPECT_EQ(series(), R"(smtp_relay_operator_degraded{object="mail/edge",reason="PodsNotAvailable"} 1)");
  metrics.degraded("mail/other", "");
  metrics.degraded("mail/edge", "");
  EXPECT_EQ(series(), "");
}

}  // namespace
}  // namespace op::runtime
