#pragma once
/// What becomes of an SmtpRelay's mail when it is deleted: what is decided about it. Pure.

#include <mutex>
#include <span>

#include "operator/relay/spool_report.hpp"
#include "operator/relay/world.hpp"
#include "relay/base/clock.hpp"

namespace op::smtp_relay {

/// Holds an SmtpRelay until its relays have sent what they can.
inline constexpr std::string_view kFinalizer = "smtp.buildinglink.com/drain";
/// Of an SmtpRelay, with any value but "" and "false": its deletion waits for nothing.
inline constexpr std::string_view kForceAnnotation = "smtp.buildinglink.com/force-delete";
/// The reason of Ready and Progressing meanwhile.
inline constexpr std::string_view kDraining = "Draining";
/// `spool.onDelete`.
inline constexpr std::string_view kDrainThenDelete = "DrainThenDelete";

[[nodiscard]] bool has_finalizer(const Json& relay);
[[nodiscard]] bool is_forced(const Json& relay);
/// The merge patch that adds the finalizer or takes it away, and leaves those of others; refused unless the object is
/// at this version.
[[nodiscard]] Json finalizer_patch(const Json& relay, const std::string& resource_version, bool is_wanted);

/// Pods of the relay that were not told yet to retire and are not being deleted.
[[nodiscard]] std::vector<Json> pods_to_retire(const std::vector<Json>& pods);
/// The merge patch that tells it to one of them, and to no other pod that has taken its name since.
[[nodiscard]] Json retiring(const Json& pod);

/// What the pods of one relay said last. Safe from any thread.
class DrainBook {
 public:
  void note(const SpoolReports& reports);
  /// Of each of these pods the last that is known, and of pods that are gone what they left behind, unless nothing was
  /// left or another pod has taken over the spool of their node. By node.
  [[nodiscard]] SpoolReports of(const std::vector<Json>& pods) const;
  /// Of these pods those that were not told yet to retire, as far as is known of them at their present version: a cache
  /// shows an annotation a moment later than it was written.
  [[nodiscard]] std::vector<Json> not_told(std::vector<Json> pods) const;
  /// @param pod  as it was looked at before it was told
  void note_told(const Json& pod);
  /// It could not be told: not_told() has it behind those that failed less often.
  void note_failed(const Json& pod);
  /// How many of them nobody has tried to tell yet.
  [[nodiscard]] std::size_t untried(std::span<const Json> pods) const;
  /// True for one caller at a time, who calls end_asking() when the answers are there.
  [[nodiscard]] bool begin_asking();
  void end_asking();

 private:
  [[nodiscard]] unsigned failures_of(const Json& pod) const;  // under mutex_

  mutable std::mutex mutex_;
  std::map<std::string, SpoolReport> last_;  // by the pod's uid, under mutex_
  std::map<std::string, std::string> told_;  // uid of a pod -> its version before; under mutex_
  std::map<std::string, unsigned> failed_;   // how often, by uid; under mutex_
  bool is_asking_ = false;                   // under mutex_
};

/// What there is to judge by.
struct DrainState {
  SpoolReports reports;      ///< by node
  std::int64_t desired = 0;  ///< nodes that should have a pod
  relay::WallTime deleted;   ///< since when the resource is being deleted
  relay::WallTime now;
};

struct DrainVerdict {
  enum class Kind : std::uint8_t {
    goes_on,
    is_done,  ///< nothing waits and nothing can come
    is_over   ///< the time is up, or nobody is there to ask
  } kind{};
  std::string message;                  ///< how far it is; or why it is over
  relay::milliseconds look_again_in{};  ///< of what goes on
};

/// When it is over at the latest: lame duck and flush timeout, from the deletion on.
[[nodiscard]] relay::WallTime drain_deadline(const api::Spec& spec, relay::WallTime deleted);
[[nodiscard]] DrainVerdict judge(const api::Spec& spec, const DrainState& state);

/// The status while it goes on: Ready and Progressing say Draining, the counts follow the DaemonSet.
/// @param message  a verdict's
[[nodiscard]] api::Status draining_status(
  const api::SmtpRelay& relay, const std::string& message, const std::optional<Json>& daemon_set,
  relay::WallTime now
);

}  // namespace op::smtp_relay
