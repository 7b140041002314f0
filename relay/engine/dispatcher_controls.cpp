#include "relay/engine/dispatcher.hpp"

/// What people and settings ask of the dispatcher.

#include <utility>

namespace relay::engine {

using route::Destination;

namespace {

/// What the names of smarthosts' destinations begin with.
constexpr std::string_view kSmarthosts = "smarthost/";

}  // namespace

void Dispatcher::hurry(const Destination& destination) {
  on_thread([this, destination] { scheduler_.hurry(destination, now()); });
}

void Dispatcher::hurry_all() {
  on_thread([this] { scheduler_.hurry_all(now()); });
}

void Dispatcher::renew_all() {
  on_thread([this] { scheduler_.renew_all(now()); });
}

void Dispatcher::suspend(const Destination& destination, std::optional<milliseconds> duration) {
  on_thread([this, destination, duration] {
    std::optional<SteadyTime> until;
    if (duration) until = now().steady + *duration;
    scheduler_.suspend(destination, until);
  });
}

void Dispatcher::unsuspend(const Destination& destination) {
  on_thread([this, destination] { scheduler_.unsuspend(destination); });
}

void Dispatcher::pause() {
  on_thread([this] { scheduler_.pause(++pauses_ > 0); });
}

void Dispatcher::unpause() {
  on_thread([this] { scheduler_.pause(--pauses_ > 0); });
}

void Dispatcher::reload(const queue::SchedulerLimits& limits) {
  on_thread([this, limits] {
    scheduler_.set_limits(limits);
    scheduler_.reload();
  });
}

void Dispatcher::take_out(
  std::vector<Place> places, std::optional<Wish> wish, std::function<void(std::vector<bool>)> answer
) {
  on_thread([this, places = std::move(places), wish, answer = std::move(answer)] {
    std::vector<bool> are_in_flight;
    for (const auto& place : places) {
      const auto& id = place.item.key.id;
      are_in_flight.push_back(scheduler_.forget(place.queue, id));
      if (are_in_flight.back() && wish) wishes_[id] = *wish;
      if (are_in_flight.back()) continue;
      forget_fresh(place.queue, id);
      depths_.remove(place.queue);
    }
    answer(std::move(are_in_flight));
  });
}

bool Dispatcher::has_work() const {
  return !context_.committer.has_failed_for_good() && scheduler_.has_work(now());
}

std::string Dispatcher::failing_smarthost() const {
  const auto name = scheduler_.failing(kSmarthosts);
  return name.empty() ? name : name.substr(kSmarthosts.size());
}

std::vector<Destination> Dispatcher::served_smarthosts() const {
  return scheduler_.served(kSmarthosts, now());
}

void Dispatcher::describe(
  std::size_t limit, std::function<void(std::vector<queue::DestinationState>, std::size_t)> answer
) {
  on_thread([this, limit, answer = std::move(answer)] {
    answer(scheduler_.states(now(), limit), scheduler_.in_flight());
  });
}

}  // namespace relay::engine
