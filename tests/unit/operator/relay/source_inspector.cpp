#include "operator/relay/source_inspector.hpp"

#include <condition_variable>
#include <gtest/gtest.h>
#include <mutex>
#include <optional>

namespace op::smtp_relay {
namespace {

using kube::Json;

Json pod(const std::string& node, const std::string& address) {
  return {{"metadata", {{"uid", "u-" + node}}}, {"spec", {{"nodeName", node}}}, {"address", address}};
}

TEST(PodSources, ReportOfEachPodAlsoOfThoseThatCannotAnswer) {
  std::mutex mutex;
  std::condition_variable there;
  std::optional<SourceReports> reports;
  runtime::PageFetcher pages;
  PodSources sources(pages);
  sources.inspect({pod("node-1", ""), pod("node-2", "not-an-address")}, [&](SourceReports found) {
    const std::lock_guard lock(mutex);
    reports = std::move(found);
    there.notify_all();
  });
  std::unique_lock lock(mutex);
  ASSERT_TRUE(there.wait_for(lock, std::chrono::seconds{30}, [&] { return reports.has_value(); }));
  EXPECT_EQ(*reports, (SourceReports{{"node-1", "u-node-1"}, {"node-2", "u-node-2"}}));
}

}  // namespace
}  // namespace op::smtp_relay
