#pragma once
/// Asks relay pods with which addresses their clients come.

#include <functional>

#include "operator/relay/source_report.hpp"
#include "operator/runtime/page_fetcher.hpp"

namespace op::smtp_relay {

/// Safe from any thread.
class SourceInspector {
 public:
  /// Runs on any thread, so without waiting.
  using Done = std::function<void(SourceReports)>;
  virtual ~SourceInspector() = default;
  /// Never waits. Reports come in the order of the pods, one for each, also of those that do not answer.
  /// @param pods  as summarize() left them
  virtual void inspect(const std::vector<kube::Json>& pods, Done done) = 0;
};

/// By HTTP, at the pods' own addresses. A relay that is older than the operator has no such page, and is not known.
class PodSources : public SourceInspector {
 public:
  /// @param pages  outlives this
  explicit PodSources(runtime::PageFetcher& pages) : pages_(pages) {}
  void inspect(const std::vector<kube::Json>& pods, Done done) override;

 private:
  runtime::PageFetcher& pages_;
};

}  // namespace op::smtp_relay
