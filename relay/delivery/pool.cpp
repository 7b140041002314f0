#include "relay/delivery/pool.hpp"

#include "relay/delivery/connection.hpp"

namespace relay::delivery {

Pool::Pool(net::asio::io_context& context, Services services, std::size_t max_connections)
    : context_(context), services_(services), max_connections_(max_connections) {}

void Pool::start(std::vector<Job> jobs, bool may_connect) {
  for (auto& job : jobs) jobs_.push_back(std::move(job));
  if (is_stopped_) return return_jobs();
  auto unserved = jobs_.size();
  for (auto at = idle_.begin(); at != idle_.end() && unserved > 0; ++at, --unserved) (*at)->cancel();
  if (may_connect || connections_ == 0) open_connections();
}

/// One more connection for each job that neither an idle nor an opening one will take.
void Pool::open_connections() {
  while (jobs_.size() > idle_.size() + opening_ && connections_ < max_connections_) {
    ++connections_;
    ++opening_;
    services_.tasks.spawn(run_connection(*this, services_.hops.hop()));
  }
}

net::Awaitable<std::optional<Job>> Pool::next_job(const Hop& hop) {
  const auto deadline = std::chrono::steady_clock::now() + hop.idle_time;
  while (true) {
    // What changed (credentials, the host itself) is in force for the very next message.
    const bool is_outdated = services_.hops.hop()->generation != hop.generation;
    if (!services_.reporter.may_begin()) stop();
    if (is_stopped_ || is_outdated) co_return std::nullopt;
    if (!jobs_.empty()) break;
    if (std::chrono::steady_clock::now() >= deadline) co_return std::nullopt;
    net::asio::steady_timer timer(context_, deadline);
    const auto at = idle_.insert(idle_.end(), &timer);
    net::error_code ec;
    co_await timer.async_wait(net::into(ec));
    idle_.erase(at);
  }
  std::optional<Job> job(std::move(jobs_.front()));
  jobs_.pop_front();
  co_return job;
}

void Pool::connection_ended(bool came_to_nothing) {
  --connections_;
  if (came_to_nothing) --opening_;
  if (connections_ == 0 && came_to_nothing) return return_jobs();
  // It ended for a reason of its own while jobs wait: another one takes its place.
  if (!came_to_nothing) open_connections();
}

void Pool::return_jobs() {
  while (!jobs_.empty()) {
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    services_.reporter.untried(std::move(job));
  }
}

void Pool::stop() {
  is_stopped_ = true;
  return_jobs();
  for (auto* timer : idle_) timer->cancel();
}

}  // namespace relay::delivery
