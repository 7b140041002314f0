#pragma once
/// Who writes: one of several processes, by a Lease object that each tries to hold.

#include <optional>
#include <variant>

#include "operator/kube/failure.hpp"
#include "operator/runtime/lease_record.hpp"

namespace op::runtime {

struct ElectionOptions {
  std::string identity;                       ///< unique to this process
  seconds lease_duration{15};                 ///< a lease not renewed for this long is anyone's
  milliseconds renew_deadline = seconds{10};  ///< a leader that could not renew for this long stops leading
  milliseconds retry_period = seconds{2};
};

/// @return  what is wrong with the options, or nothing
[[nodiscard]] std::optional<std::string> fault_of(const ElectionOptions& options);

/// How long one request about the lease may take, so that a leader whose last one hangs steps down before its lease
/// expires.
[[nodiscard]] milliseconds request_limit(const ElectionOptions& options);

/// What the driver does next; each step is answered by the event named behind it.
namespace election_step {
struct Read {};  ///< ReadDone
struct Create {
  LeaseRecord record;
};  ///< WriteDone
struct Update {
  LeaseRecord record;
};  ///< WriteDone; its resource_version must be the present one
struct Wait {
  milliseconds delay;
};  ///< Woke
}  // namespace election_step
using ElectionStep =
  std::variant<election_step::Read, election_step::Create, election_step::Update, election_step::Wait>;

namespace election_event {
struct Started {};
struct ReadDone {
  kube::Answer<std::optional<LeaseRecord>> record;
};  ///< no record: there is no such Lease
struct WriteDone {
  kube::Answer<LeaseRecord> record;
};
struct Woke {};
}  // namespace election_event
using ElectionEvent = std::variant<
  election_event::Started, election_event::ReadDone, election_event::WriteDone, election_event::Woke>;

struct ElectionNow {
  SteadyTime steady;  ///< for all that is decided; goes on while the process is frozen or the machine sleeps
  WallTime wall;      ///< for what is written into the Lease
};

/// Times of a term, from the moment the last successful renewal was *sent*.
struct Term {
  SteadyTime write_until;  ///< the renew deadline: no write begins afterwards
  SteadyTime expires;      ///< from here on somebody else may lead: no write goes on afterwards
  friend bool operator==(const Term&, const Term&) = default;
};

/// From here on the end of the process alone can keep the lease's promise: what was to stop by itself (request_limit)
/// has not. Half of the time that is then left until the lease expires.
[[nodiscard]] SteadyTime overdue_at(const Term& term);
/// How long a watchdog waits behind that moment before it looks a second time, and then ends the process: it still does
/// so before the lease expires.
[[nodiscard]] milliseconds last_grace(const ElectionOptions& options);

/// A foreign lease has expired when it has not changed before our eyes for as long as it says, whatever the times in it
/// say: clocks of other machines do not matter. A leader that was frozen past its deadline finds so before it writes.
///
/// Thread: one at a time. Semantics of client-go's leaderelection.
class LeaderElection {
 public:
  explicit LeaderElection(ElectionOptions options) : options_(std::move(options)) {}

  /// @param fraction  chance, in [0, 1)
  [[nodiscard]] ElectionStep resume(const ElectionEvent& event, const ElectionNow& now, double fraction);
  /// Set while we lead.
  [[nodiscard]] const std::optional<Term>& term() const { return term_; }
  /// The holder as last seen, for the log.
  [[nodiscard]] const std::string& holder() const { return observed_.holder; }
  /// What to write to free the lease when we stop; nothing when it is not ours.
  [[nodiscard]] std::optional<LeaseRecord> released(const ElectionNow& now) const;

 private:
  ElectionStep apply(const election_event::Started&);
  ElectionStep apply(const election_event::ReadDone& done);
  ElectionStep apply(const election_event::WriteDone& done);
  ElectionStep apply(const election_event::Woke&);
  void observe(const LeaseRecord& record);
  [[nodiscard]] bool is_expired() const;
  ElectionStep hold();
  ElectionStep wait(milliseconds at_most);
  ElectionStep try_again();

  ElectionOptions options_;
  ElectionNow now_{};         // of the event being handled
  double fraction_ = 0;       // likewise
  LeaseRecord observed_;      // as last seen or written
  SteadyTime observed_at_{};  // when it last changed before our eyes
  SteadyTime asked_at_{};     // when the write under way was sent
  std::optional<Term> term_;
};

}  // namespace op::runtime
