#include "operator/runtime/manager.hpp"

#include <algorithm>

#include "operator/runtime/memory.hpp"
#include "operator/runtime/wait.hpp"

namespace op::runtime {
namespace {

constexpr milliseconds kSyncPoll{20};
/// What a burst of changes has left behind is given back this often.
constexpr milliseconds kTidyUp = seconds{60};

}  // namespace

Manager::Manager(
  Options options, std::vector<std::unique_ptr<Informer>> informers, Controller& controller,
  Leadership& leadership
)
    : options_(std::move(options)),
      informers_(std::move(informers)),
      controller_(controller),
      leadership_(leadership) {}

void Manager::lead(std::stop_token term) {
  // Whoever led before may have left anything half done.
  options_.enqueue_all();
  controller_.lead(std::move(term));
}

void Manager::run(Elector* elector, const std::stop_token& stop) {
  for (const auto& informer : informers_) informer->start();
  controller_.start();
  wait_until_synced(stop);
  if (!stop.stop_requested()) {
    if (elector != nullptr) {
      elector->start();
    } else {
      leadership_.lead({SteadyTime::max(), SteadyTime::max()});
      lead(leadership_.term());
    }
  }
  while (!stop.stop_requested()) {
    rest(options_.resync, stop);
    if (!stop.stop_requested()) options_.enqueue_all();
  }
  controller_.stop();
  if (elector != nullptr) elector->stop();
  for (const auto& informer : informers_) informer->stop();
}

void Manager::rest(milliseconds time, const std::stop_token& stop) {
  while (time > milliseconds{0} && !stop.stop_requested()) {
    const auto some = std::min(time, kTidyUp);
    wait_for(some, stop);
    time -= some;
    give_back_memory();
  }
}

void Manager::wait_until_synced(const std::stop_token& stop) const {
  while (!stop.stop_requested() && !readiness().is_good) wait_for(kSyncPoll, stop);
}

Health Manager::readiness() const {
  for (const auto& informer : informers_) {
    if (!informer->is_synced())
      return {false, "waiting for the first list of " + std::string(informer->kind())};
  }
  return {true, "ok"};
}

Health Manager::liveness() const {
  for (const auto& informer : informers_) {
    if (informer->is_stuck()) return {false, "the watch of " + std::string(informer->kind()) + " hangs"};
  }
  if (controller_.is_stuck()) return {false, "a reconcile hangs"};
  return {true, "ok"};
}

}  // namespace op::runtime
