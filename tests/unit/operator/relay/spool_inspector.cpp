#include "operator/relay/spool_inspector.hpp"

#include <condition_variable>
#include <gmock/gmock.h>
#include <mutex>
#include <optional>

namespace op::smtp_relay {
namespace {

using kube::Json;

Json pod(const std::string& node, const std::string& address) {
  return {{"metadata", {{"uid", "u-" + node}}}, {"spec", {{"nodeName", node}}}, {"address", address}};
}

TEST(PodInspector, ReportsOfEachPodAlsoOfThoseThatCannotAnswer) {
  std::mutex mutex;
  std::condition_variable there;
  std::optional<SpoolReports> reports;
  runtime::PageFetcher pages;
  PodInspector inspector(pages);
  inspector.inspect({pod("node-1", ""), pod("node-2", "not-an-address")}, [&](SpoolReports found) {
    const std::lock_guard lock(mutex);
    reports = std::move(found);
    there.notify_all();
  });
  std::unique_lock lock(mutex);
  ASSERT_TRUE(there.wait_for(lock, std::chrono::seconds{30}, [&] { return reports.has_value(); }));
  ASSERT_EQ(reports->size(), 2U);
  EXPECT_EQ(reports->at(0), (SpoolReport{"node-1", "u-node-1", "its pod has no address"}));
  EXPECT_EQ(reports->at(1).node, "node-2");
  EXPECT_EQ(reports->at(1).unknown, "no address: not-an-address");
}

}  // namespace
}  // namespace op::smtp_relay
