#include "relay/queue/concurrency.hpp"

#include <algorithm>

namespace relay::queue {
namespace {

constexpr double kDeadAfterCohorts = 1.0;
// Thirds add up to a little less than one.
constexpr double kRounding = 1e-9;

}  // namespace

ConcurrencyWindow::ConcurrencyWindow(std::size_t limit) : limit_(std::max<std::size_t>(limit, 1)) { reset(); }

void ConcurrencyWindow::set_limit(std::size_t limit) {
  limit_ = std::max<std::size_t>(limit, 1);
  window_ = std::min(window_, static_cast<double>(limit_));
}

void ConcurrencyWindow::succeeded(std::size_t in_use) {
  failed_cohorts_ = 0;
  if (size() >= in_use + kInitial) return;
  window_ = std::min(window_ + 1.0 / static_cast<double>(size()), static_cast<double>(limit_));
}

void ConcurrencyWindow::failed() {
  const double share = 1.0 / static_cast<double>(size());
  failed_cohorts_ += share;
  window_ = std::max(window_ - share, 1.0);
}

void ConcurrencyWindow::reset() {
  window_ = static_cast<double>(std::min(kInitial, limit_));
  failed_cohorts_ = 0;
}

std::size_t ConcurrencyWindow::size() const { return static_cast<std::size_t>(window_ + kRounding); }

bool ConcurrencyWindow::is_dead() const { return failed_cohorts_ + kRounding >= kDeadAfterCohorts; }

}  // namespace relay::queue
