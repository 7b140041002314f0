/// The phases of a stop: lame duck, sessions, flush, deliveries, and the end.

#include <cstdlib>

#include "relay/app/process.hpp"

namespace relay::app {

int Process::stop() {
  state_.set_stopping();
  // Probes have been refused for as long as no mail could be stored.
  const auto lame_duck = wants_restart_ ? milliseconds{0} : live_.settings().lame_duck;
  log_.write(log::info("stopping")
               .with("lame_duck", to_text(lame_duck))
               .with("message", "probes get 503, mail is still accepted"));
  wait_until(steady_clock::now() + lame_duck, [this] { return hurry_.load(); });
  turn_away();
  const auto deadline = steady_clock::now() + live_.settings().session_drain_timeout;
  finish_sessions(deadline);
  const auto flush_time = wants_restart_ ? milliseconds{0} : flush();
  engine_->stop_deliveries();
  // What was begun last has the time that sessions left.
  finish(deadline + flush_time, "deliveries", [this] { return busy() == 0; });
  on_fronts([](Front& front) { front.close(); });
  engine_->close_deliveries();
  if (!wait_until(steady_clock::now() + kCloseTimeout, [this] { return busy() == 0; })) return abandon();
  refusals_.flush(SteadyTime::max());
  log_.write(log::info("stopped").with("waiting", metrics_.read(metrics::Gauge::queue_messages)));
  return end(wants_restart_ ? kRestart : 0);
}

void Process::finish_sessions(steady_clock::time_point deadline) {
  finish(deadline, "sessions", [this] { return sessions() == 0; });
  on_fronts([](Front& front) { front.close_sessions(); });
}

milliseconds Process::flush() {
  const auto timeout = live_.settings().flush_timeout;
  const auto is_over = [this] { return hurry_ || !engine_->has_work(); };
  if (timeout == milliseconds{0} || is_over()) return timeout;
  log_.write(log::info("flush")
               .with("waiting", metrics_.read(metrics::Gauge::queue_messages))
               .with("flush_timeout", to_text(timeout)));
  if (!wait_until(steady_clock::now() + timeout, is_over))
    log_.write(log::warning("flush_timeout")
                 .with("waiting", metrics_.read(metrics::Gauge::queue_messages))
                 .with("message", "mail that could be tried at once stays in the spool"));
  return timeout;
}

std::size_t Process::sessions() {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < shards_.size(); ++i)
    sum += net::ask(*shards_[i], [front = fronts_[i].get()] { return front->sessions(); });
  return sum;
}

std::size_t Process::busy() { return sessions() + engine_->busy_deliveries(); }

void Process::leave(int code) {
  output_.flush();
  std::_Exit(code);
}

int Process::abandon() {
  log_.write(log::error("stop_abandoned").with("busy", busy()).with("message", "something waits for the disk")
  );
  leave(1);
}

void Process::close_pages() {
  if (!loops_turn_) return;  // then nobody is connected
  const auto left = [this] {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < fronts_.size(); ++i) {
      sum += net::ask(*shards_[i], [front = fronts_[i].get()] {
        front->close();
        return front->pages();
      });
    }
    return sum;
  };
  (void)wait_until(steady_clock::now() + kCloseTimeout, [&left] { return left() == 0; });
}

int Process::end(int code) {
  subject_.engine = nullptr;
  control_.stop();
  close_pages();
  scheduler_.stop();
  for (auto& shard : shards_) shard->stop();
  engine_.reset();
  outgoing_.reset();
  store_.reset();
  return code;
}

}  // namespace relay::app
