#include "relay/session/failed_logins.hpp"

#include <algorithm>

#include "relay/session/client_counts.hpp"

namespace relay::session {

double FailedLogins::Client::taken_at(SteadyTime now, std::size_t limit) const {
  using Seconds = std::chrono::duration<double>;
  const auto all = static_cast<double>(limit);
  const auto back = Seconds(now - as_of) / Seconds(kWindow) * all;
  return std::max(std::min(taken, all) - back, 0.0);
}

bool FailedLogins::Client::has_one_left(SteadyTime now, std::size_t limit) const {
  return taken_at(now, limit) + 1 <= static_cast<double>(limit);
}

std::vector<FailedLogins::Known>::iterator FailedLogins::Client::find(const Mark& mark) {
  return std::find_if(guesses.begin(), guesses.end(), [&](const Known& known) { return known.mark == mark; });
}

void FailedLogins::Client::take(SteadyTime now, std::size_t limit) {
  taken = taken_at(now, limit) + 1;
  as_of = now;
}

/// Those under way are no more than the client's connections.
void FailedLogins::Client::remember(const Known& guess) {
  if (guesses.size() >= kMaxGuesses) {
    const auto oldest =
      std::find_if(guesses.begin(), guesses.end(), [](const Known& known) { return known.under_way == 0; });
    if (oldest != guesses.end()) guesses.erase(oldest);
  }
  guesses.push_back(guess);
}

bool FailedLogins::are_too_many(const IpAddress& address, std::size_t limit, SteadyTime now) const {
  const std::scoped_lock lock(mutex_);
  const auto found = clients_.find(client_of(address));
  return found != clients_.end() && !found->second.has_one_left(now, limit);
}

std::optional<FailedLogins::Guess> FailedLogins::begin(
  const IpAddress& address, std::size_t limit, const Mark& mark, SteadyTime now
) {
  Guess guess(*this, client_of(address), limit, mark);
  const std::scoped_lock lock(mutex_);
  auto& who = client(guess.client_, limit, now);
  if (const auto known = who.find(mark); known != who.guesses.end()) {
    guess.is_known_wrong_ = known->is_wrong;
    if (!known->is_wrong) ++known->under_way;
    return guess;
  }
  if (!who.has_one_left(now, limit)) {
    guess.owner_ = nullptr;
    return std::nullopt;
  }
  who.take(now, limit);
  by_age_.splice(by_age_.end(), by_age_, who.age);
  if (mark) who.remember({*mark, 1, false});
  return guess;
}

/// A client that has all its guesses is one that nothing is known of.
FailedLogins::Client& FailedLogins::client(const IpAddress& counted, std::size_t limit, SteadyTime now) {
  if (const auto found = clients_.find(counted); found != clients_.end()) {
    auto& known = found->second;
    if (known.taken_at(now, limit) > 0) return known;
    std::erase_if(known.guesses, [](const Known& guess) { return guess.under_way == 0; });
    known.taken = 0;
    known.had_none_left = false;
    return known;
  }
  make_room(now);
  auto& made = clients_[counted];
  made.age = by_age_.insert(by_age_.end(), counted);
  return made;
}

/// At most two go for one that comes: nobody waits for a table to be cleared.
void FailedLogins::make_room(SteadyTime now) {
  for (int i = 0; i < 2 && !by_age_.empty(); ++i) {
    const auto oldest = clients_.find(by_age_.front());
    const bool is_over = now - oldest->second.as_of >= kWindow;
    if (!is_over && clients_.size() < kMaxClients) return;
    clients_.erase(oldest);
    by_age_.pop_front();
  }
}

FailedLogins::Failure FailedLogins::Guess::fail(SteadyTime now) {
  if (is_known_wrong_) return {false, false};
  return std::exchange(owner_, nullptr)->fail(*this, now);
}

/// The first that ends of several that are the same pays for all.
FailedLogins::Failure FailedLogins::fail(const Guess& guess, SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  auto& who = client(guess.client_, guess.limit_, now);
  auto known = who.find(guess.mark_);
  const bool was_forgotten = guess.mark_ && known == who.guesses.end();
  if (was_forgotten) {
    who.take(now, guess.limit_);
    who.remember({*guess.mark_, 1, false});
    known = who.guesses.end() - 1;
  }
  Failure failure;
  if (known != who.guesses.end()) {
    --known->under_way;
    failure.is_new = !std::exchange(known->is_wrong, true);
  }
  if (failure.is_new && !who.has_one_left(now, guess.limit_))
    failure.is_last = !std::exchange(who.had_none_left, true);
  return failure;
}

void FailedLogins::give_back(const Guess& guess) {
  const std::scoped_lock lock(mutex_);
  const auto found = clients_.find(guess.client_);
  if (found == clients_.end()) return;
  auto& who = found->second;
  if (guess.mark_) {
    const auto known = who.find(guess.mark_);
    if (known == who.guesses.end()) return;
    if (--known->under_way > 0 || known->is_wrong) return;
    who.guesses.erase(known);
  }
  who.taken = std::max(who.taken - 1, 0.0);
  if (who.taken > 0 || !who.guesses.empty()) return;
  by_age_.erase(who.age);
  clients_.erase(found);
}

std::size_t FailedLogins::clients() const {
  const std::scoped_lock lock(mutex_);
  return clients_.size();
}

}  // namespace relay::session
