#include "operator/relay/drainer.hpp"

#include <algorithm>

#include "operator/relay/failures.hpp"
#include "operator/relay/happenings.hpp"
#include "operator/relay/rollout.hpp"
#include "operator/relay/wording.hpp"
#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

using kube::Answer;
using kube::Failure;
using kube::Kind;
using runtime::Outcome;
namespace log = relay::log;

/// A second or so by the operator's own rate of writes (--qps).
constexpr std::size_t kToldAtOnce = 50;
/// Between two slices: what waits for a worker, and the event of our own status, come first.
constexpr relay::milliseconds kNextSlice{200};

/// What there is of a resource whose spec can't be read: that of another of its name, with all defaults.
api::SmtpRelay identity_of(Json object) {
  object.erase("spec");
  auto relay = api::parse_smtp_relay(object);
  if (relay) return std::move(*relay);
  api::SmtpRelay bare;
  bare.name_space = kube::key_of(object).name_space;
  bare.name = kube::key_of(object).name;
  bare.uid = kube::text_at(object, "/metadata/uid");
  return bare;
}

/// Told in the log too: a namespace that is being deleted takes no Events.
void tell(runtime::EventSink& events, log::Sink& sink, Occurrence occurrence) {
  sink.write(log::info("farewell")
               .with("resource", occurrence.regarding.key.to_text())
               .with("reason", occurrence.reason)
               .with("message", occurrence.note));
  events.record(std::move(occurrence));
}

}  // namespace

Answer<void> Drainer::keep_finalizer(const Json& object, api::SmtpRelay& relay, std::stop_token stop) {
  const bool is_wanted = relay.spec.spool_on_delete == kDrainThenDelete;
  if (is_wanted == has_finalizer(object)) return {};
  const auto patch = finalizer_patch(object, relay.resource_version, is_wanted);
  const auto answer =
    context_.client.merge_patch(kSmtpRelays, {relay.name_space, relay.name}, patch, std::move(stop));
  if (!answer) return tl::unexpected(answer.error());
  relay.resource_version = kube::resource_version_of(*answer);
  return {};
}

Answer<std::optional<Outcome>> Drainer::drain(const Json& object, std::stop_token stop) {
  const auto key = kube::key_of(object);
  {
    const std::lock_guard lock(mutex_);
    const auto released = released_.find(key);
    if (released != released_.end() && released->second == kube::text_at(object, "/metadata/uid"))
      return std::nullopt;
  }
  const auto parsed = api::parse_smtp_relay(object);
  if (const auto why = reason_not_to_drain(object, parsed, stop)) {
    if (auto done = release(object, stop); !done) return tl::unexpected(done.error());
    bid_farewell(parsed ? *parsed : identity_of(object), *why);
    return std::nullopt;
  }
  const auto& relay = *parsed;
  const auto daemon_set = context_.caches.daemon_sets.get({key.name_space, resources::child_name(relay)});
  const auto pods = pods_of(relay, daemon_set);
  const auto book = book_of(key);
  const auto now = context_.clock.wall();
  const auto deleted = api::parse_kubernetes_time(kube::text_at(object, "/metadata/deletionTimestamp"));
  const DrainState state{book->of(pods), rollout_of(daemon_set).desired, deleted.value_or(now), now};
  const auto verdict = judge(relay.spec, state);
  if (verdict.kind != DrainVerdict::Kind::goes_on) {
    if (auto done = release(object, stop); !done) return tl::unexpected(done.error());
    if (verdict.kind == DrainVerdict::Kind::is_over) bid_farewell(relay, verdict.message);
    else tell(context_.events, context_.log, drained(relay, state.reports, spool_root_));
    return std::nullopt;
  }
  const auto retirement = retire(*book, pods, stop);
  ask(book, pods);
  const auto message = verdict.message + retirement.to_text();
  const auto published = publish_(relay, draining_status(relay, message, daemon_set, now), std::move(stop));
  if (!published) return tl::unexpected(published.error());
  // Behind a failure as well: neither the other pods nor the end of its time wait for a back-off.
  const auto look_again_in = retirement.left > 0 ? kNextSlice : verdict.look_again_in;
  if (!retirement.failed || is_lasting(*retirement.failed)) return Outcome{look_again_in};
  auto failure = *retirement.failed;
  failure.retry_after = std::max(look_again_in, failure.retry_after.value_or(relay::milliseconds{0}));
  return tl::unexpected(std::move(failure));
}

std::optional<std::string> Drainer::reason_not_to_drain(
  const Json& object, const relay::Result<api::SmtpRelay>& parsed, std::stop_token stop
) {
  if (!parsed) return "its spec can't be read: " + parsed.error().context;
  if (is_forced(object)) return "the annotation " + std::string(kForceAnnotation) + " did not let it wait";
  if (parsed->spec.spool_on_delete != kDrainThenDelete) return "";
  if (is_terminating(parsed->name_space, std::move(stop))) return "its namespace is being deleted";
  return std::nullopt;
}

/// Asked anew each time: it may happen at any moment, and is asked only while something drains. Who may not ask drains.
bool Drainer::is_terminating(const std::string& name_space, std::stop_token stop) {
  const auto answer = context_.client.get(kube::kNamespaces, {"", name_space}, std::move(stop));
  if (!answer) return answer.error().kind == Kind::not_found;
  return kube::is_being_deleted(*answer);
}

/// Those of our DaemonSet. Where that is gone already, nobody else makes pods with these labels.
std::vector<Json> Drainer::pods_of(const api::SmtpRelay& relay, const std::optional<Json>& daemon_set) {
  auto pods = context_.caches.pods.in_group(relay.name_space, relay.name);
  if (!daemon_set) return pods;
  const auto uid = kube::text_at(*daemon_set, "/metadata/uid");
  std::erase_if(pods, [&](const Json& pod) { return kube::controller_of(pod).uid != uid; });
  return pods;
}

std::string Drainer::Retirement::to_text() const {
  std::string text;
  if (failed) text = "; pods could not be told to retire: " + failed->error.context;
  if (left > 0)
    text += "; " + counted(left, "pod") + (left == 1 ? " is" : " are") + " still to be told to retire";
  return text;
}

/// A slice: what there is besides (the time that is up, an annotation, other SmtpRelays) does not wait for a whole fleet.
Drainer::Retirement Drainer::retire(
  DrainBook& book, const std::vector<Json>& pods, const std::stop_token& stop
) {
  const auto due = book.not_told(pods_to_retire(pods));
  const auto slice = std::min(due.size(), kToldAtOnce);
  Retirement retirement;
  for (std::size_t i = 0; i < slice; ++i) {
    const auto& pod = due[i];
    const auto told = context_.client.merge_patch(kube::kPods, kube::key_of(pod), retiring(pod), stop);
    if (told) context_.log.write(log::info("retire").with("pod", kube::key_of(pod).to_text()));
    if (told || is_gone(told.error())) {
      book.note_told(pod);
      continue;
    }
    book.note_failed(pod);
    auto& failed = retirement.failed;
    if (!failed || is_lasting(*failed)) failed = told.error();
    if (is_about_all_pods(context_.client, kube::key_of(pod).name_space, told.error(), stop))
      return retirement;
  }
  retirement.left = book.untried(std::span(due).subspan(slice));
  return retirement;
}

void Drainer::ask(const std::shared_ptr<DrainBook>& book, const std::vector<Json>& pods) {
  if (!book->begin_asking()) return;
  context_.inspector.inspect(pods, [book](const SpoolReports& reports) {
    book->note(reports);
    book->end_asking();
  });
}

Answer<void> Drainer::release(const Json& object, const std::stop_token& stop) {
  const auto key = kube::key_of(object);
  const auto patch = finalizer_patch(object, kube::resource_version_of(object), false);
  const auto answer = context_.client.merge_patch(kSmtpRelays, key, patch, stop);
  if (!answer && answer.error().kind != Kind::not_found) return tl::unexpected(answer.error());
  const std::lock_guard lock(mutex_);
  released_[key] = kube::text_at(object, "/metadata/uid");
  return {};
}

void Drainer::bid_farewell(const api::SmtpRelay& relay, const std::string& why) {
  const auto daemon_set = context_.caches.daemon_sets.get({relay.name_space, resources::child_name(relay)});
  const auto pods = pods_of(relay, daemon_set);
  const auto book = book_of({relay.name_space, relay.name});
  context_.inspector.inspect(
    pods,
    [&events = context_.events, &sink = context_.log, book, pods, relay, why,
     root = spool_root_](const SpoolReports& reports) {
      book->note(reports);
      tell(events, sink, farewell(relay, book->of(pods), root, why));
    }
  );
}

void Drainer::forget(const Key& key) {
  const std::lock_guard lock(mutex_);
  books_.erase(key);
  released_.erase(key);
}

std::shared_ptr<DrainBook> Drainer::book_of(const Key& key) {
  const std::lock_guard lock(mutex_);
  auto& book = books_[key];
  if (!book) book = std::make_shared<DrainBook>();
  return book;
}

}  // namespace op::smtp_relay
