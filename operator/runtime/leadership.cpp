#include "operator/runtime/leadership.hpp"

#include <algorithm>

namespace op::runtime {

class Leadership::Permit : public kube::WritePermit {
 public:
  Permit(Leadership& owner, milliseconds left, std::stop_token ends)
      : owner_(owner), left_(left), ends_(std::move(ends)) {}
  ~Permit() override {
    const std::lock_guard lock(owner_.mutex_);
    --owner_.writing_;
  }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

  [[nodiscard]] milliseconds time_left() const override { return left_; }
  [[nodiscard]] std::stop_token withdrawn() const override { return ends_; }

 private:
  Leadership& owner_;
  milliseconds left_;
  std::stop_token ends_;
};

void Leadership::lead(const Term& term) {
  const std::lock_guard lock(mutex_);
  if (!term_) term_ends_ = std::stop_source{};
  term_ = term;
  expires_ = term.expires;
}

void Leadership::step_down() {
  std::stop_source ends;
  {
    const std::lock_guard lock(mutex_);
    term_.reset();
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
  const std::lock_guard lock(mutex_);
  return clock_.steady() >= expires_ && (term_ || writing_ > 0);
}

kube::Answer<std::unique_ptr<kube::WritePermit>> Leadership::admit(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const auto delay = rate_.reserve(clock_.steady());
  if (delay > milliseconds{0}) changed_.wait_for(lock, stop, delay, [&] { return !may_write(); });
  metrics_.write_waited(delay);
  if (stop.stop_requested() || !may_write()) {
    const auto why = stop.stop_requested() ? "stopped" : "not the leader";
    return tl::unexpected(
      kube::Failure{kube::Kind::cancelled, {relay::Errc::cancelled, relay::Fate::transient, why}}
    );
  }
  ++writing_;
  const auto left = std::chrono::floor<milliseconds>(term_->expires - clock_.steady());
  return std::make_unique<Permit>(*this, left, term_ends_.get_token());
}

}  // namespace op::runtime
