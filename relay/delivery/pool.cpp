#include "relay/delivery/pool.hpp"

#include <algorithm>

#include "relay/delivery/connection.hpp"
#include "relay/delivery/offer.hpp"

namespace relay::delivery {
namespace {

const Tried kNone;

}  // namespace

Pool::Pool(net::asio::io_context& context, route::Destination destination, Services services)
    : context_(context), destination_(std::move(destination)), services_(services) {}

std::size_t Pool::waiting() const {
  std::size_t sum = 0;
  for (const auto& [tried, jobs] : jobs_) sum += jobs.size();
  return sum;
}

void Pool::start(std::vector<Job> jobs, std::size_t max_connections) {
  max_connections_ = std::max<std::size_t>(max_connections, 1);
  auto& fresh = jobs_[kNone];
  for (auto& job : jobs) fresh.push_back(std::move(job));
  if (is_stopped_) return return_all();
  auto unserved = fresh.size();
  for (auto at = idle_.begin(); at != idle_.end() && unserved > 0; ++at, --unserved) (*at)->cancel();
  open_connections();
}

/// One more connection for each fresh job that neither an idle nor an opening one will take. Those for jobs that a
/// host has deferred do not count.
void Pool::open_connections() {
  const auto limit = std::max<std::size_t>(max_connections_, 1);
  while (jobs_[kNone].size() > idle_.size() + opening_for_fresh_ && connections_ - fallbacks() < limit)
    open_connection(kNone);
}

std::size_t Pool::fallbacks() const {
  const auto fresh = serving_.find(kNone);
  return connections_ - (fresh == serving_.end() ? 0 : fresh->second);
}

void Pool::open_connection(const Tried& tried) {
  ++connections_;
  ++opening_;
  if (tried.empty()) ++opening_for_fresh_;
  ++serving_[tried];
  services_.tasks.spawn(run_connection(*this, tried));
}

void Pool::connection_ready(const Tried& tried) {
  --opening_;
  if (tried.empty()) --opening_for_fresh_;
}

net::Awaitable<std::optional<Job>> Pool::next_job(const Route& route, const Tried& tried) {
  const auto deadline =
    std::chrono::steady_clock::now() + (tried.empty() ? route.idle_time : milliseconds{0});
  while (true) {
    // What changed (credentials, the host itself) is in force for the very next message.
    const bool is_outdated = services_.routes.generation(destination_) != route.generation;
    if (!services_.reporter.may_begin()) stop();
    if (is_stopped_ || is_outdated) co_return std::nullopt;
    if (tried.empty()) drop_unwanted();
    if (!jobs_[tried].empty()) break;
    if (std::chrono::steady_clock::now() >= deadline) co_return std::nullopt;
    net::Timer timer(context_, deadline);
    const auto at = idle_.insert(idle_.end(), &timer);
    net::error_code ec;
    co_await timer.async_wait(net::into(ec));
    idle_.erase(at);
  }
  auto& jobs = jobs_[tried];
  std::optional<Job> job(std::move(jobs.front()));
  jobs.pop_front();
  co_return job;
}

/// Fresh jobs at the front that nobody wants done any more.
void Pool::drop_unwanted() {
  auto& jobs = jobs_[kNone];
  while (!jobs.empty() && !services_.reporter.still_wants(jobs.front())) jobs.pop_front();
}

void Pool::attempted(
  Job job, smtp::MessageOutcome outcome, const Peer& peer, std::chrono::nanoseconds sending,
  const Route& route, const std::string& host, const Tried& tried
) {
  // A host that only lacks what the message demands was not asked to take it: all of them may be looked at.
  const auto most = is_of_that_host(outcome) ? route.hosts.size() : kMaxHostsAMessage;
  const bool has_more_hosts = tried.size() + 1 < std::min(route.hosts.size(), most);
  note_answers(job, outcome);
  auto next = tried;
  next.insert(host);
  const bool is_served = serving_.contains(next);
  const bool may_serve = is_served || fallbacks() + 1 < std::max(most, kMaxHostsAMessage);
  if (!has_more_hosts || !may_serve || is_stopped_ || !may_offer_again(outcome)) {
    if (has_more_hosts || route.has_more_hosts || !is_of_that_host(outcome)) leave_open(job);
    return answer(std::move(job), std::move(outcome), peer, sending);
  }
  keep_deferred(job, outcome);
  jobs_[next].push_back(std::move(job));
  if (!is_served) open_connection(next);
}

void Pool::answer(Job job, smtp::MessageOutcome outcome, const Peer& peer, std::chrono::nanoseconds sending) {
  auto whole = whole_outcome(job, std::move(outcome));
  services_.reporter.attempted(std::move(job), std::move(whole), peer, sending);
}

void Pool::judge_all(const mail::Reply& verdict) {
  auto all = std::exchange(jobs_, {});
  for (auto& [tried, jobs] : all) {
    for (auto& job : jobs) {
      auto outcome = judged(job, verdict);
      answer(std::move(job), std::move(outcome), {}, {});
    }
  }
}

void Pool::avoid(const std::string& host) {
  avoided_until_[host] = std::chrono::steady_clock::now() + kHostAvoidance;
}

bool Pool::is_avoided(const std::string& host) const {
  const auto found = avoided_until_.find(host);
  return found != avoided_until_.end() && std::chrono::steady_clock::now() < found->second;
}

void Pool::connection_ended(const Tried& tried, bool came_to_nothing) {
  --connections_;
  if (came_to_nothing) connection_ready(tried);  // it never will be
  const bool is_last = --serving_[tried] == 0;
  if (is_last) serving_.erase(tried);
  if (came_to_nothing && is_last) return_jobs(tried);
  // It ended for a reason of its own while jobs wait: another one takes its place.
  if (!came_to_nothing && is_last && !tried.empty() && !jobs_[tried].empty()) open_connection(tried);
  if (!came_to_nothing || !tried.empty()) open_connections();
  if (jobs_[tried].empty()) jobs_.erase(tried);
}

/// What a host has said of them already is their answer; the next was not asked.
void Pool::return_jobs(const Tried& tried) {
  auto jobs = std::exchange(jobs_[tried], {});
  for (auto& job : jobs) {
    if (tried.empty()) {
      services_.reporter.untried(std::move(job));
      continue;
    }
    leave_open(job);
    answer(std::move(job), {}, {}, {});
  }
}

void Pool::return_all() {
  std::vector<Tried> kinds;
  for (const auto& [tried, jobs] : jobs_) kinds.push_back(tried);
  for (const auto& tried : kinds) return_jobs(tried);
}

void Pool::stop() {
  is_stopped_ = true;
  return_all();
  for (auto* timer : idle_) timer->cancel();
}

}  // namespace relay::delivery
