/// runtime/page_fetcher and smtp_relay/spool_report: what a pod answers. Input: an HTTP answer; its body is read as the
/// page /node too.

#include "operator/relay/spool_report.hpp"
#include "operator/runtime/page_fetcher.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using op::smtp_relay::SpoolReport;
using relay::fuzz::require;

void check_report(const std::string& page) {
  SpoolReport report{"node-1", "u-1", "not asked yet"};
  auto before = report;
  const auto read = op::smtp_relay::read_page(page, report);
  require(relay::fuzz::is_all_printable(report.unready), "a reason is fit for a status");
  require(report.unready.size() <= 300, "and short enough");
  if (!read) {
    before.unready = report.unready;
    require(report == before, "a page that is none changes nothing but the reason");
    require(relay::fuzz::is_all_printable(read.error().context), "an error says what is wrong");
    return;
  }
  require(report.is_known() && report.node == "node-1" && report.pod_uid == "u-1", "a pod is who it was");
  require(!report.is_drained() || (report.waiting == 0 && !report.takes_mail), "what is drained is empty");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  relay::fuzz::InputView input(data, size);
  const std::string answer(input.rest());
  const auto page = op::runtime::page_of(answer);
  if (!page) {
    require(relay::fuzz::is_all_printable(page.error().context), "an error says what is wrong");
    require(page.error().context.size() < 200, "an error does not quote the answer");
    check_report(answer);
    return 0;
  }
  require(answer.find("\r\n\r\n" + *page) != answer.npos, "a page is what stands behind the header");
  check_report(*page);
  return 0;
}
