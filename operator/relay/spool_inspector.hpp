#pragma once
/// Asks relay pods what their spools hold, and why they are not ready.

#include <functional>

#include "operator/relay/spool_report.hpp"
#include "operator/runtime/page_fetcher.hpp"

namespace op::smtp_relay {

/// Safe from any thread.
class SpoolInspector {
 public:
  /// Runs on any thread, so without waiting.
  using Done = std::function<void(SpoolReports)>;
  virtual ~SpoolInspector() = default;
  /// Never waits. Reports come in the order of the pods, one for each, also of those that do not answer.
  /// @param pods  as summarize() left them
  virtual void inspect(const std::vector<kube::Json>& pods, Done done) = 0;
};

/// By HTTP, at the pods' own addresses: a port of the node need not be there.
class PodInspector : public SpoolInspector {
 public:
  /// @param pages  outlives this
  explicit PodInspector(runtime::PageFetcher& pages) : pages_(pages) {}
  void inspect(const std::vector<kube::Json>& pods, Done done) override;

 private:
  runtime::PageFetcher& pages_;
};

}  // namespace op::smtp_relay
