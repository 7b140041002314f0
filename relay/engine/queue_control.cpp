#include "relay/engine/queue_control.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "relay/engine/queue_batch.hpp"

namespace relay::engine {
namespace {

using spool::Family;

constexpr std::size_t kMaxPlaces = 1000;

/// Where an action finds what it changes.
std::vector<Family> families_of(const Change& change) {
  switch (change.action) {
    case QueueAction::hold:
    case QueueAction::retry: return {Family::due};
    case QueueAction::release: {
      const bool is_for_dead_letters = change.selection.id || change.selection.state == "failed";
      return is_for_dead_letters || !change.places.empty() ? std::vector{Family::held, Family::failed}
                                                           : std::vector{Family::held};
    }
    case QueueAction::remove: break;
  }
  return {Family::due, Family::held, Family::failed};
}

bool is_one_of(const std::vector<Family>& families, Family family) {
  return std::find(families.begin(), families.end(), family) != families.end();
}

std::optional<Wish> wish_of(QueueAction action) {
  switch (action) {
    case QueueAction::hold: return Wish::hold;
    case QueueAction::remove: return Wish::drop;
    case QueueAction::release:
    case QueueAction::retry: break;
  }
  return std::nullopt;
}

}  // namespace

struct QueueControl::Step {
  Change change;
  Answer answer;
  std::vector<Target> targets;
  Changed changed;
};

QueueControl::QueueControl(
  const Context& context, Dispatcher& dispatcher, Admission& admission, Reports& reports
)
    : context_(context), dispatcher_(dispatcher), admission_(admission), reports_(reports) {
  dispatcher_.set_wish_handler([this](Wish wish, const Place& place) { fulfil(wish, place); });
}

// ---- one after the other ----

void QueueControl::enter(std::function<void()> work) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(work);
    if (waiting_.size() > 1) return;
  }
  work();
}

void QueueControl::leave() {
  std::function<void()> next;
  {
    const std::scoped_lock lock(mutex_);
    waiting_.pop_front();
    if (!waiting_.empty()) next = waiting_.front();
  }
  if (next) next();
}

std::size_t QueueControl::pending() const {
  const std::scoped_lock lock(mutex_);
  return waiting_.size();
}

void QueueControl::change(Change change, Answer answer) {
  auto step = std::make_shared<Step>(Step{std::move(change), std::move(answer), {}, {}});
  enter([this, step] { net::asio::post(context_.workers, [this, step] { find(step); }); });
}

void QueueControl::finish(const Shared& step, Result<Changed> result) {
  step->answer(std::move(result));
  leave();
}

// ---- what is to change: on a worker ----

void QueueControl::find(const Shared& step) {
  if (auto gathered = gather(*step); !gathered) return finish(step, tl::unexpected(gathered.error()));
  if (step->targets.empty()) return finish(step, step->changed);
  take(step);
}

Result<void> QueueControl::gather(Step& step) const {
  auto& [change, answer, targets, changed] = step;
  if (change.places.size() > kMaxPlaces)
    return permanent(Errc::invalid_argument, "at most 1000 places at once: name them in several requests");
  if (!change.places.empty()) {
    auto found = named(step);
    if (!found) return tl::unexpected(std::move(found.error()));
    changed.unchanged += change.places.size() - found->size();
    add_targets(step, std::move(*found));
  } else if (change.selection.id) {
    auto found = of_one(step);
    if (!found) return tl::unexpected(std::move(found.error()));
    add_targets(step, std::move(*found));
  } else {
    auto page =
      find_standing(context_.store, change.selection, families_of(change), change.cursor, change.limit);
    if (!page) return tl::unexpected(std::move(page.error()));
    changed.next = std::move(page->next);
    add_targets(step, std::move(page->found));
  }
  return {};
}

Result<std::vector<Standing>> QueueControl::named(const Step& step) const {
  std::vector<Standing> found;
  const auto families = families_of(step.change);
  for (const auto& name : step.change.places) {
    auto standing = read_standing(context_.store, name);
    if (standing && is_one_of(families, standing->family)) found.push_back(std::move(*standing));
    else if (!standing && standing.error().code == Errc::invalid_argument)
      return tl::unexpected(std::move(standing.error()));
  }
  return found;
}

Result<std::vector<Standing>> QueueControl::of_one(const Step& step) const {
  const auto& selection = step.change.selection;
  std::vector<Standing> found;
  if (auto failed = read_standing(context_.store, Family::failed, spool::id_key(*selection.id))) {
    found.push_back(std::move(*failed));
  } else {
    auto places = all_places(context_.store, *context_.limits.limits()->routes, *selection.id);
    if (!places) return places;
    found = std::move(*places);
  }
  const auto families = families_of(step.change);
  std::erase_if(found, [&](const Standing& standing) {
    const bool is_elsewhere =
      !selection.destination.empty() && selection.destination != standing.place.queue.destination.name;
    const bool is_other = !selection.may_select(state_of(standing)) ||
                          (selection.is_for_captured() && !standing.waiting.is_captured);
    return !is_one_of(families, standing.family) || is_elsewhere || is_other;
  });
  if (found.empty() || (selection.sender.empty() && selection.recipient.empty())) return found;
  const auto stored = context_.store.envelope(*selection.id);
  if (!stored || !selects(selection, *selection.id, stored->envelope)) found.clear();
  return found;
}

void QueueControl::add_targets(Step& step, std::vector<Standing> found) const {
  std::set<QueueId> seen;
  const auto now = context_.clock.now();
  for (auto& standing : found) {
    const auto id = standing.id;
    if (step.change.action == QueueAction::retry && standing.place.item.key.due <= now) continue;
    if (step.change.action == QueueAction::remove && !seen.insert(id).second) continue;
    Target target{id, {}};
    target.standings.push_back(std::move(standing));
    if (step.change.action == QueueAction::remove) complete(target);
    step.targets.push_back(std::move(target));
  }
}

/// A message that is deleted goes as a whole: its other places too.
void QueueControl::complete(Target& target) const {
  const auto& first = target.standings.front();
  if (first.family == Family::failed || first.place.share.empty()) return;
  auto places = all_places(context_.store, *context_.limits.limits()->routes, target.id);
  if (places && !places->empty()) target.standings = std::move(*places);
}

// ---- out of memory, then into the spool ----

void QueueControl::take(const Shared& step) {
  std::vector<Place> places;
  for (const auto& target : step->targets) {
    for (const auto& standing : target.standings) {
      if (standing.family == Family::due) places.push_back(standing.place);
    }
  }
  if (places.empty()) return apply(step, {});
  const auto wish = wish_of(step->change.action);
  if (wish) remember(*step);
  dispatcher_.take_out(std::move(places), wish, [this, step](std::vector<bool> are_in_flight) {
    net::asio::post(context_.workers, [this, step, are_in_flight = std::move(are_in_flight)] {
      apply(step, are_in_flight);
    });
  });
}

/// @param are_in_flight  of the places in `due`, in their order
void QueueControl::apply(const Shared& step, const std::vector<bool>& are_in_flight) {
  const auto batch = std::make_shared<QueueBatch>(context_, reports_, step->change);
  std::size_t at = 0;
  std::set<QueueId> busy;
  for (const auto& target : step->targets) {
    std::vector<Standing> taken;
    bool is_busy = false;
    for (const auto& standing : target.standings) {
      if (standing.family != Family::due || !are_in_flight[at++]) taken.push_back(standing);
      else is_busy = true;
    }
    if (is_busy) busy.insert(target.id);
    if (is_busy) batch->leave(taken);
    if (is_busy) ++step->changed.in_flight;
    else if (batch->add(target.id, taken)) ++step->changed.changed;
    else ++step->changed.unchanged;
  }
  forget_all_but(busy, *step);
  batch->announce(dispatcher_);
  auto done = [this, step, batch](const Result<void>& result) {
    batch->settle(dispatcher_, admission_, result.has_value());
    if (result) finish(step, step->changed);
    else finish(step, tl::unexpected(result.error()));
  };
  if (batch->is_empty()) return done({});
  context_.committer.submit({batch->operations(), spool::Sync::yes, std::move(done)});
}

// ---- messages in flight ----

/// Before they are taken: a wish may be fulfilled before take_out() has answered.
void QueueControl::remember(const Step& step) {
  const std::scoped_lock lock(mutex_);
  for (const auto& target : step.targets) {
    auto again = step.change;
    again.selection = {};
    again.selection.destination = step.change.selection.destination;
    again.places.clear();
    again.cursor.clear();
    wanted_.insert_or_assign(target.id, std::move(again));
  }
}

void QueueControl::forget_all_but(const std::set<QueueId>& busy, const Step& step) {
  if (!wish_of(step.change.action)) return;
  const std::scoped_lock lock(mutex_);
  for (const auto& target : step.targets) {
    if (!busy.contains(target.id)) wanted_.erase(target.id);
  }
}

void QueueControl::fulfil(Wish wish, const Place& place) {
  const auto id = place.item.key.id;
  Change again;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = wanted_.find(id);
    if (found == wanted_.end()) return;
    again = std::move(found->second);
    wanted_.erase(found);
  }
  const auto standing = read_standing(context_.store, Family::due, key_of(place));
  // The last place of a message that is settled there leaves nothing; others may wait elsewhere, or be in flight.
  if (!standing && (wish == Wish::hold || !context_.store.envelope(id))) return;
  if (standing && standing->place.share.empty()) again.places = {name_of(*standing)};
  else again.selection.id = id;
  change(std::move(again), [this, id](const Result<Changed>& result) {
    if (result) return;
    context_.log.write(log::error("queue_change_failed")
                         .with("queue_id", id.to_text())
                         .with("error", result.error().message())
                         .with("message", "a message that was in flight could not be changed afterwards"));
  });
}

}  // namespace relay::engine
