#include "operator/runtime/elector.hpp"

#include "operator/runtime/wait.hpp"

namespace op::runtime {
namespace {

namespace log = relay::log;

/// How often the watchdog looks whether there is a term to watch over.
constexpr milliseconds kIdleWatchdog{100};
constexpr milliseconds kLongestLook{1000};
/// What a process that was frozen gets to notice by itself that its lease has expired.
constexpr milliseconds kThaw{500};

/// A renewal that was under way when we were told to stop may arrive between our read and our write, but only once.
constexpr int kReleases = 3;

}  // namespace

Elector::Elector(kube::Key lease, ElectionOptions options, ElectorContext context, ElectorCallbacks callbacks)
    : lease_(std::move(lease)),
      identity_(options.identity),
      last_grace_(last_grace(options)),
      context_(context),
      callbacks_(std::move(callbacks)),
      election_(std::move(options)) {}

void Elector::start() {
  watchdog_ = std::jthread([this](std::stop_token stop) { watch_over(stop); });
  thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
}

void Elector::stop() {
  thread_ = {};
  watchdog_ = {};
}

void Elector::run(const std::stop_token& stop) {
  ElectionEvent event = election_event::Started{};
  while (!stop.stop_requested()) {
    const auto step = election_.resume(event, now(), context_.jitter.fraction());
    publish();
    event = std::visit([&](const auto& next) { return take(next, stop); }, step);
  }
  release();
}

ElectionEvent Elector::take(const election_step::Read&, const std::stop_token& stop) {
  if (is_leading_) context_.metrics.election_was_slow();
  const auto answer = context_.client.get(kube::kLeases, lease_, stop);
  if (answer) return election_event::ReadDone{parse_lease(*answer)};
  if (answer.error().kind == kube::Kind::not_found)
    return election_event::ReadDone{std::optional<LeaseRecord>{}};
  if (answer.error().kind != kube::Kind::cancelled && answer.error().error.context != last_failure_) {
    last_failure_ = answer.error().error.context;
    context_.log.write(
      log::warning("lease_unreadable").with("lease", lease_.to_text()).with("error", last_failure_)
    );
  }
  return election_event::ReadDone{tl::unexpected(answer.error())};
}

ElectionEvent Elector::take(const election_step::Create& create, const std::stop_token& stop) {
  return written(context_.client.create(kube::kLeases, to_lease(create.record, lease_), stop));
}

ElectionEvent Elector::take(const election_step::Update& update, const std::stop_token& stop) {
  return written(
    context_.client.replace(kube::kLeases, to_lease(update.record, lease_), kube::DryRun::no, stop)
  );
}

ElectionEvent Elector::take(const election_step::Wait& wait, const std::stop_token& stop) {
  wait_for(wait.delay, stop);
  return election_event::Woke{};
}

ElectionEvent Elector::written(const kube::Answer<kube::Json>& answer) {
  if (answer) {
    last_failure_.clear();
    return election_event::WriteDone{parse_lease(*answer)};
  }
  const auto kind = answer.error().kind;
  if (kind != kube::Kind::conflict && kind != kube::Kind::cancelled) {
    context_.log.write(log::warning("lease_not_written")
                         .with("lease", lease_.to_text())
                         .with("error", answer.error().message()));
  }
  return election_event::WriteDone{tl::unexpected(answer.error())};
}

void Elector::publish() {
  const auto& term = election_.term();
  const bool was_leading = std::exchange(is_leading_, term.has_value());
  if (term) context_.leadership.lead(*term);
  if (was_leading == is_leading_) return;
  context_.metrics.leads(is_leading_);
  if (is_leading_) {
    context_.log.write(log::info("leading").with("lease", lease_.to_text()).with("identity", identity_));
    callbacks_.on_lead(context_.leadership.term());
    return;
  }
  context_.leadership.step_down();
  callbacks_.on_stand_by();
  context_.log.write(log::warning("standing_by")
                       .with("lease", lease_.to_text())
                       .with("identity", identity_)
                       .with("holder", election_.holder()));
}

void Elector::release() {
  const auto record = election_.released(now());
  if (!is_leading_) return;
  context_.leadership.step_down();
  callbacks_.on_stand_by();
  context_.metrics.leads(false);
  if (!record) return;
  const bool is_done = free_lease(*record);
  context_.log.write(log::info("lease_released").with("lease", lease_.to_text()).with("done", is_done));
}

/// Best effort: unreleased, it expires.
bool Elector::free_lease(LeaseRecord record) {
  for (int i = 0; i < kReleases; ++i) {
    const auto answer =
      context_.client.replace(kube::kLeases, to_lease(record, lease_), kube::DryRun::no, std::stop_token{});
    if (answer) return true;
    if (answer.error().kind != kube::Kind::conflict) return false;
    const auto live = context_.client.get(kube::kLeases, lease_, std::stop_token{});
    if (!live || parse_lease(*live).holder != identity_) return false;
    record.resource_version = kube::resource_version_of(*live);
  }
  return false;
}

/// Sleeps until the present term has to be over, and looks twice: what was about to end gets a last moment.
void Elector::watch_over(const std::stop_token& stop) {
  const auto& leadership = context_.leadership;
  while (!stop.stop_requested()) {
    const auto due = leadership.overdue_from();
    const auto now = context_.clock.steady();
    const bool is_watching = due != SteadyTime::max() && due > now;
    // In steps: the wait itself stands still while the machine sleeps.
    const auto left = is_watching ? std::min<SteadyTime::duration>(due - now, kLongestLook) : kIdleWatchdog;
    wait_for(std::chrono::ceil<milliseconds>(left), stop);
    if (!leadership.is_overdue()) continue;
    wait_for(leadership.is_expired() ? kThaw : last_grace_, stop);
    if (leadership.is_overdue()) return callbacks_.on_overdue();
  }
}

}  // namespace op::runtime
