#include "operator/runtime/informer.hpp"

#include "operator/runtime/memory.hpp"

namespace op::runtime {

namespace log = relay::log;

void Informer::run(const std::stop_token& stop) {
  ReflectorEvent event = reflector_event::Started{};
  while (!stop.stop_requested()) {
    const auto step = reflector_.resume(event, context_.clock.steady(), context_.jitter.fraction());
    event = std::visit([&](const auto& next) { return take(next, stop); }, step);
  }
}

ReflectorEvent Informer::take(const reflector_step::List& list, const std::stop_token& stop) {
  expect_within(seconds{60});
  auto answer = list_from(list.resource_version, stop);
  const bool is_failed = !answer && !is_done_without(answer.error());
  context_.metrics.cache_operation(CacheOperation::list, std::string(kind()), is_failed);
  if (!answer) {
    report("list_failed", answer.error());
    return reflector_event::ListFailed{answer.error()};
  }
  present_.clear();
  sink_.list_begins();
  for (auto& item : answer->items) has(std::move(item));
  answer->items.clear();
  has_all();
  return reflector_event::Listed{answer->resource_version};
}

/// Refusals look like a fault to those who count them, or read the server's audit: after the first it is asked before. Only
/// what is answered then is believed: a server that has just begun refuses everything, this question too.
kube::Answer<void> Informer::may_look(const std::stop_token& stop) {
  if (!is_in_doubt_) return {};
  const auto& [group, version, plural, kind] = what_.resource;
  for (const auto* verb : {"list", "watch"}) {
    const kube::AccessQuestion question{what_.name_space,    verb, std::string(group),
                                        std::string(plural), "",   ""};
    const auto answer = context_.lists.may_we(question, stop);
    if (!answer && answer.error().kind != kube::Kind::forbidden) return tl::unexpected(answer.error());
    if (!answer || *answer) continue;
    const auto why = "no right to " + std::string(verb) + " " + std::string(plural);
    if (refusal_.empty()) sink_.refused(why);
    refusal_ = why;
    return tl::unexpected(
      kube::Failure{kube::Kind::forbidden, {relay::Errc::not_permitted, relay::Fate::transient, why}}
    );
  }
  return {};
}

kube::Answer<kube::List> Informer::list_from(const std::string& version, const std::stop_token& stop) {
  if (const auto may = may_look(stop); !may) return tl::unexpected(may.error());
  return context_.lists.list(what_, version, stop);
}

kube::Answer<void> Informer::watch_from(const reflector_step::Watch& watch, const std::stop_token& stop) {
  if (auto may = may_look(stop); !may) return may;
  if (watch.with_objects) sink_.list_begins();
  const auto on_event = [&](kube::WatchEvent& event) {
    is_failing_ = false;
    const bool was_gathering = reflector_.is_gathering();
    if (!was_gathering) was_let();
    reflector_.saw(event);
    if (was_gathering) gather(event);
    else hand_over(event);
    return true;
  };
  return watch.with_objects
           ? context_.watches.list_and_watch(what_, watch.resource_version, watch.timeout, on_event, stop)
           : context_.watches.watch(what_, watch.resource_version, watch.timeout, on_event, stop);
}

/// Of what there is: handed on at once, since all of it parsed would take many times what is kept of it.
void Informer::has(Json object) {
  if (!sink_.wants(object)) return;
  present_.insert(kube::key_of(object));
  sink_.upsert(std::move(object));
}

void Informer::has_all() {
  is_failing_ = false;
  context_.log.write(log::info("listed")
                       .with("resource", kind())
                       .with("namespace", what_.name_space)
                       .with("objects", present_.size()));
  sink_.keep_only(present_);
  present_.clear();
  was_let();
  give_back_memory();
  is_synced_ = true;
}

ReflectorEvent Informer::take(const reflector_step::Watch& watch, const std::stop_token& stop) {
  expect_within(watch.timeout + seconds{30});
  present_.clear();
  const auto answer = watch_from(watch, stop);
  // A beginning that ends before all has come is a list that failed, whatever ended it.
  const bool is_failed = answer ? reflector_.is_gathering() : !is_done_without(answer.error());
  const auto operation = reflector_.is_gathering() ? CacheOperation::list : CacheOperation::watch;
  context_.metrics.cache_operation(operation, std::string(kind()), is_failed);
  if (answer) return reflector_event::WatchEnded{};
  report("watch_failed", answer.error());
  return reflector_event::WatchEnded{answer.error()};
}

ReflectorEvent Informer::take(const reflector_step::Wait& wait, const std::stop_token& stop) {
  expect_within(wait.delay);
  context_.wait(wait.delay, stop);
  return reflector_event::Woke{};
}

/// What there is, until all of it has come: what is missing then is gone.
void Informer::gather(kube::WatchEvent& event) {
  using Type = kube::WatchEvent::Type;
  if (event.type == Type::deleted) {
    present_.erase(kube::key_of(event.object));
    sink_.erase(event.object);
  }
  if (event.type == Type::added || event.type == Type::modified) has(std::move(event.object));
  if (reflector_.is_gathering()) return;
  context_.metrics.cache_operation(CacheOperation::list, std::string(kind()), false);
  has_all();
}

void Informer::hand_over(kube::WatchEvent& event) {
  switch (event.type) {
    case kube::WatchEvent::Type::added:
    case kube::WatchEvent::Type::modified: return sink_.upsert(std::move(event.object));
    case kube::WatchEvent::Type::deleted: return sink_.erase(event.object);
    case kube::WatchEvent::Type::bookmark:
    case kube::WatchEvent::Type::error: return;
  }
}

void Informer::expect_within(milliseconds time) {
  stuck_at_ = context_.clock.steady() + 2 * time + seconds{10};
}

void Informer::was_let() {
  is_in_doubt_ = false;
  if (refusal_.empty()) return;
  refusal_.clear();
  sink_.refused("");
}

bool Informer::is_done_without(const kube::Failure& failure) {
  if (need_ == Need::required || failure.kind != kube::Kind::forbidden) return false;
  is_in_doubt_ = true;
  is_done_without_ = true;
  return !refusal_.empty();
}

void Informer::report(std::string_view event, const kube::Failure& failure) {
  if (failure.kind == kube::Kind::cancelled) return;
  if (is_failing_ && failure.error.context == last_failure_) return;
  is_failing_ = true;
  last_failure_ = failure.error.context;
  auto record = failure.kind == kube::Kind::gone ? log::info(event) : log::warning(event);
  context_.log.write(std::move(record)
                       .with("resource", kind())
                       .with("namespace", what_.name_space)
                       .with("kind", name(failure.kind))
                       .with("error", failure.message()));
}

}  // namespace op::runtime
