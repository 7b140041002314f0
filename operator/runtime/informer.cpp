#include "operator/runtime/informer.hpp"

#include <malloc.h>

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
  auto answer = context_.lists.list(what_, list.resource_version, stop);
  context_.metrics.cache_operation(CacheOperation::list, std::string(kind()), !answer);
  if (!answer) {
    report("list_failed", answer.error());
    return reflector_event::ListFailed{answer.error()};
  }
  has_all(std::move(answer->items));
  return reflector_event::Listed{answer->resource_version};
}

void Informer::has_all(std::vector<Json> items) {
  is_failing_ = false;
  context_.log.write(log::info("listed")
                       .with("resource", kind())
                       .with("namespace", what_.name_space)
                       .with("objects", items.size()));
  sink_.replace(std::move(items));
  // A long list takes many times what is kept of it.
  malloc_trim(0);
  is_synced_ = true;
}

ReflectorEvent Informer::take(const reflector_step::Watch& watch, const std::stop_token& stop) {
  expect_within(watch.timeout + seconds{30});
  gathered_.clear();
  const auto on_event = [&](kube::WatchEvent& event) {
    is_failing_ = false;
    const bool was_gathering = reflector_.is_gathering();
    reflector_.saw(event);
    if (was_gathering) gather(event);
    else hand_over(event);
    return true;
  };
  const auto answer =
    watch.with_objects
      ? context_.watches.list_and_watch(what_, watch.resource_version, watch.timeout, on_event, stop)
      : context_.watches.watch(what_, watch.resource_version, watch.timeout, on_event, stop);
  if (reflector_.is_gathering())
    context_.metrics.cache_operation(CacheOperation::list, std::string(kind()), true);
  else context_.metrics.cache_operation(CacheOperation::watch, std::string(kind()), !answer);
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
  if (event.type == Type::deleted) gathered_.erase(kube::key_of(event.object));
  const bool is_there = event.type == Type::added || event.type == Type::modified;
  if (is_there && sink_.wants(event.object))
    gathered_.insert_or_assign(kube::key_of(event.object), std::move(event.object));
  if (reflector_.is_gathering()) return;
  context_.metrics.cache_operation(CacheOperation::list, std::string(kind()), false);
  std::vector<Json> items;
  items.reserve(gathered_.size());
  for (auto& [key, object] : gathered_) items.push_back(std::move(object));
  gathered_.clear();
  has_all(std::move(items));
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
