#include "operator/relay/spool_inspector.hpp"

#include "operator/relay/trouble.hpp"
#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

constexpr const char* kPage = "/node";

void read(const relay::Result<std::string>& page, SpoolReport& report) {
  if (!page) {
    report.unknown = page.error().context;
    return;
  }
  if (const auto good = read_page(*page, report); !good) report.unknown = good.error().context;
}

}  // namespace

void PodInspector::inspect(const std::vector<kube::Json>& pods, Done done) {
  SpoolReports reports;
  std::vector<relay::Endpoint> hosts;
  std::vector<std::size_t> asked;  // which of the reports
  for (const auto& pod : pods) {
    reports.push_back(report_of(pod, "its pod has no address"));
    const auto address = address_of(pod);
    if (address.empty()) continue;
    asked.push_back(reports.size() - 1);
    hosts.push_back({address, resources::kHealthPort});
  }
  pages_.fetch(
    std::move(hosts), kPage,
    [reports = std::move(reports), asked = std::move(asked),
     done = std::move(done)](const runtime::PageFetcher::Pages& pages) mutable {
      for (std::size_t i = 0; i < pages.size(); ++i) read(pages[i], reports[asked[i]]);
      done(std::move(reports));
    }
  );
}

}  // namespace op::smtp_relay
