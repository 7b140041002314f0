#pragma once
/// What becomes of an SmtpRelay's mail when it is deleted: doing it, and telling it.

#include <functional>

#include "operator/kube/client.hpp"
#include "operator/relay/caches.hpp"
#include "operator/relay/drain.hpp"
#include "operator/relay/spool_inspector.hpp"
#include "operator/runtime/controller.hpp"
#include "operator/runtime/event_recorder.hpp"

namespace op::smtp_relay {

/// Safe from any thread, for different SmtpRelays at a time.
class Drainer {
 public:
  /// What it works with; all of it outlives it, and `events` and `log` the inspector too, which tells them later.
  struct Context {
    Caches& caches;
    kube::Client& client;
    runtime::EventSink& events;
    SpoolInspector& inspector;
    const relay::Clock& clock;
    relay::log::Sink& log;
  };
  /// As StatusPublisher::publish().
  using Publish =
    std::function<kube::Answer<std::optional<api::SmtpRelay>>(api::SmtpRelay, api::Status, std::stop_token)>;

  Drainer(Context context, std::string spool_root, Publish publish)
      : context_(context), spool_root_(std::move(spool_root)), publish_(std::move(publish)) {}

  /// Puts the finalizer on a resource that is to be drained when it is deleted, and takes it from one that is not.
  /// @param object  the resource; @param relay  the same, read; gets the version that it then has
  [[nodiscard]] kube::Answer<void> keep_finalizer(
    const Json& object, api::SmtpRelay& relay, std::stop_token stop
  );
  /// One step for a resource that is being deleted and has the finalizer: pods are told to retire, 50 in a step, and asked
  /// what they hold; when nothing is left, the time is up or somebody does not want to wait, the finalizer goes, and an
  /// Event says what remains.
  /// @return  when to look again; nothing: the finalizer is gone
  [[nodiscard]] kube::Answer<std::optional<runtime::Outcome>> drain(const Json& object, std::stop_token stop);
  /// It is gone, or about to be: an Event tells what stays where, once the pods have said so.
  /// @param relay  its identity and spool; @param why  it was not drained; empty: nobody wanted that
  void bid_farewell(const api::SmtpRelay& relay, const std::string& why);
  /// There is no such resource any more.
  void forget(const Key& key);

 private:
  [[nodiscard]] std::optional<std::string> reason_not_to_drain(
    const Json& object, const relay::Result<api::SmtpRelay>& parsed, std::stop_token stop
  );
  [[nodiscard]] bool is_terminating(const std::string& name_space, std::stop_token stop);
  [[nodiscard]] std::vector<Json> pods_of(const api::SmtpRelay& relay, const std::optional<Json>& daemon_set);
  /// What became of telling pods to retire.
  struct Retirement {
    std::size_t left = 0;  ///< nobody has tried to tell them yet; 0 where to go on is of no use
    std::optional<kube::Failure> failed;  ///< why one was not told: what may pass by itself, if anything may
    /// As the end of a message; empty: all are told.
    [[nodiscard]] std::string to_text() const;
  };
  /// Tells the next of them; one that can't be told keeps no other from it.
  [[nodiscard]] Retirement retire(
    DrainBook& book, const std::vector<Json>& pods, const std::stop_token& stop
  );
  void ask(const std::shared_ptr<DrainBook>& book, const std::vector<Json>& pods);
  [[nodiscard]] kube::Answer<void> release(const Json& object, const std::stop_token& stop);
  [[nodiscard]] std::shared_ptr<DrainBook> book_of(const Key& key);

  Context context_;
  std::string spool_root_;
  Publish publish_;
  std::mutex mutex_;
  std::map<Key, std::shared_ptr<DrainBook>> books_;  // under mutex_
  std::map<Key, std::string>
    released_;  // uids of those whose finalizer is gone, until they are; under mutex_
};

}  // namespace op::smtp_relay
