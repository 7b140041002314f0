#include "operator/runtime/leadership.hpp"

#include <algorithm>

namespace op::runtime {

class Leadership::Permit : public kube::WritePermit {
 public:
  Permit(std::atomic<unsigned>& writing, milliseconds left, std::stop_token ends)
      : writing_(writing), left_(left), ends_(std::move(ends)) {
    ++writing_;
  }
  ~Permit() override { --writing_; }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

  [[nodiscard]] milliseconds time_left() const override { return left_; }
  [[nodiscard]] std::stop_token withdrawn() const override { return ends_; }

 private:
  std::atomic<unsigned>& writing_;
  milliseconds left_;
  std::stop_token ends_;
};

void Leadership::lead(const Term& term) {
  const std::lock_guard lock(mutex_);
  if (!term_) term_ends_ = std::stop_source{};
  term_ = term;
  expires_ = term.expires;
  overdue_ = overdue_at(term);
  has_term_ = true;
}

void Leadership::step_down() {
  std::stop_source ends;
  {
    const std::lock_guard lock(mutex_);
    term_.reset();
    has_term_ = false;
    ends = term_ends_;
    changed_.notify_all();
  }
  ends.request_stop();
}

bool Leadership::is_leading() const {
  const std::lock_guard lock(mutex_);
  return may_write();
}

bool Leadership::may_write() const { return term_ && clock_.steady() < term_->write_until; }

std::stop_token Leadership::term() const {
  const std::lock_guard lock(mutex_);
  if (term_) return term_ends_.get_token();
  std::stop_source over;
  over.request_stop();
  return over.get_token();
}

bool Leadership::is_overdue() const {
  return clock_.steady() >= overdue_.load() && (has_term_ || writing_ > 0);
}

kube::Answer<std::unique_ptr<kube::WritePermit>> Leadership::admit(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const auto delay = rate_.reserve(clock_.steady());
  if (delay > milliseconds{0}) changed_.wait_for(lock, stop, delay, [&] { return !may_write(); });
  metrics_.write_waited(delay);
  return permit(stop);
}

kube::Answer<std::unique_ptr<kube::WritePermit>> Leadership::admit_spare(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (may_write() && !stop.stop_requested()) {
    const auto delay = rate_.take_above(rate_.burst() / 2, clock_.steady());
    if (delay <= milliseconds{0}) break;
    changed_.wait_for(lock, stop, delay, [&] { return !may_write(); });
  }
  return permit(stop);
}

kube::Answer<std::unique_ptr<kube::WritePermit>> Leadership::permit(const std::stop_token& stop) {
  if (stop.stop_requested() || !may_write()) {
    const auto why = stop.stop_requested() ? "stopped" : "not the leader";
    return tl::unexpected(
      kube::Failure{kube::Kind::cancelled, {relay::Errc::cancelled, relay::Fate::transient, why}}
    );
  }
  const auto left = std::chrono::floor<milliseconds>(overdue_at(*term_) - clock_.steady());
  return std::make_unique<Permit>(writing_, left, term_ends_.get_token());
}

}  // namespace op::runtime
