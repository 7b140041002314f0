#include "operator/relay/source_inspector.hpp"

#include "operator/relay/trouble.hpp"
#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

constexpr const char* kPage = "/sources";

}  // namespace

void PodSources::inspect(const std::vector<kube::Json>& pods, Done done) {
  SourceReports reports;
  std::vector<relay::Endpoint> hosts;
  std::vector<std::size_t> asked;  // which of the reports
  for (const auto& pod : pods) {
    reports.push_back({kube::text_at(pod, "/spec/nodeName"), kube::text_at(pod, "/metadata/uid")});
    const auto address = address_of(pod);
    if (address.empty()) continue;
    asked.push_back(reports.size() - 1);
    hosts.push_back({address, resources::kHealthPort});
  }
  pages_.fetch(
    std::move(hosts), kPage,
    [reports = std::move(reports), asked = std::move(asked),
     done = std::move(done)](const runtime::PageFetcher::Pages& pages) mutable {
      for (std::size_t i = 0; i < pages.size(); ++i) {
        // What can't be read is not known, as what does not answer.
        if (pages[i]) (void)read_sources(*pages[i], reports[asked[i]]);
      }
      done(std::move(reports));
    }
  );
}

}  // namespace op::smtp_relay
