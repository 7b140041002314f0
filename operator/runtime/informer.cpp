#include "operator/runtime/informer.hpp"

#include <malloc.h>

#include "operator/runtime/wait.hpp"

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
  is_failing_ = false;
  context_.log.write(log::info("listed")
                       .with("resource", kind())
                       .with("namespace", what_.name_space)
                       .with("objects", answer->items.size()));
  sink_.replace(std::move(answer->items));
  // A long list takes many times what is kept of it.
  malloc_trim(0);
  is_synced_ = true;
  return reflector_event::Listed{answer->resource_version};
}

ReflectorEvent Informer::take(const reflector_step::Watch& watch, const std::stop_token& stop) {
  expect_within(watch.timeout + seconds{30});
  const auto on_event = [&](kube::WatchEvent& event) {
    is_failing_ = false;
    reflector_.saw(event);
    hand_over(event);
    return true;
  };
  const auto answer = context_.watches.watch(what_, watch.resource_version, watch.timeout, on_event, stop);
  context_.metrics.cache_operation(CacheOperation::watch, std::string(kind()), !answer);
  if (answer) return reflector_event::WatchEnded{};
  report("watch_failed", answer.error());
  return reflector_event::WatchEnded{answer.error()};
}

ReflectorEvent Informer::take(const reflector_step::Wait& wait, const std::stop_token& stop) {
  expect_within(wait.delay);
  wait_for(wait.delay, stop);
  return reflector_event::Woke{};
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
