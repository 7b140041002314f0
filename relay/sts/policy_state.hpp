#pragma once
/// What to do about one domain's policy: which one counts, and when to look whether there is a newer one.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "relay/base/clock.hpp"
#include "relay/sts/policy.hpp"

namespace relay::sts {

/// The record is asked for again behind this, also one that was not there.
inline constexpr std::chrono::minutes kRecordInterval{5};
/// The same behind a failure of DNS, and the least behind a host that was refused.
inline constexpr std::chrono::minutes kShortRecordInterval{1};
/// A policy is fetched anew each day, or at half of a shorter life (RFC 8461 section 3.3 and 10.2): whoever
/// keeps us from seeing the record must keep that up for all of max_age.
inline constexpr std::chrono::hours kRefreshInterval{24};
/// Behind a failed fetch of the same id (section 3.3).
inline constexpr std::chrono::minutes kFetchInterval{5};

struct Now {
  WallTime wall;      ///< for the age of policies
  SteadyTime steady;  ///< for intervals
};

struct Cached {
  Policy policy;
  std::string id;    ///< of the record that led to it
  WallTime fetched;  ///< or confirmed, by the wall clock: it outlives the process

  friend bool operator==(const Cached&, const Cached&) = default;
};

// clang-format off: one line each
/// What DNS says of `_mta-sts.<domain>`.
namespace record {
struct Found { std::string id; };
struct None {};    ///< no such name, or no usable record there
struct Failed {};  ///< no answer: says nothing about the domain
}  // namespace record
// clang-format on
using RecordAnswer = std::variant<record::Found, record::None, record::Failed>;

/// What stands between a domain and its policy, as reports name it (RFC 8460 section 4.3.2.2).
enum class Fault : std::uint8_t { fetch_error, policy_invalid, webpki_invalid };
/// Of an error of the fetch or of parse_policy(): tls_failed is webpki_invalid; protocol_error and too_large
/// are policy_invalid; all else is fetch_error.
[[nodiscard]] Fault fault_of(const Error& error);
/// As RFC 8460 writes it: `sts-policy-fetch-error`.
[[nodiscard]] std::string_view name(Fault fault);

/// One domain. Events come in by the methods below; each look-up and each fetch is answered once.
///
/// - a cached policy counts until max_age is over, whatever DNS and the web server say meanwhile;
/// - nobody waits while one counts, except behind refused(): a policy that keeps mail from going is compared
///   with the record first (section 5.1), and the newer one is waited for;
/// - without one the look-up and the fetch are waited for, and what fails means no policy.
///
/// Thread: one at a time.
class PolicyState {
 public:
  explicit PolicyState(std::optional<Cached> cached = std::nullopt) : cached_(std::move(cached)) {}

  /// Somebody is about to deliver. True: look the record up now, and answer by looked_up().
  [[nodiscard]] bool ask(const Now& now);
  /// True: fetch the policy now, and answer by fetched() or put_off().
  [[nodiscard]] bool looked_up(const RecordAnswer& answer, const Now& now);
  /// True: there is something new to keep.
  bool fetched(Result<Policy> policy, const Now& now);
  /// The fetch was not tried. The next ask() begins anew.
  void put_off();
  /// The policy kept mail from going: the next ask() compares ids, but once a minute at most.
  void refused() { is_refused_ = true; }

  /// The one that counts now; its mode may be none. Valid until the next event.
  [[nodiscard]] const Policy* policy(WallTime now) const;
  /// Whether a delivery should wait for what is being done.
  [[nodiscard]] bool must_wait(WallTime now) const;
  /// A look-up or a fetch is not answered yet.
  [[nodiscard]] bool is_busy() const { return doing_ != Doing::nothing; }
  /// For the disk, also when it no longer counts.
  [[nodiscard]] const std::optional<Cached>& cached() const { return cached_; }
  /// Fetched long enough ago; also when the wall clock was set back behind that.
  [[nodiscard]] bool is_refresh_due(WallTime now) const;

 private:
  enum class Doing : std::uint8_t { nothing, looking_up, fetching };
  struct Failure {
    std::string id;
    SteadyTime at;
  };
  [[nodiscard]] bool may_fetch(const std::string& id, SteadyTime now) const;

  std::optional<Cached> cached_;
  Doing doing_ = Doing::nothing;
  std::string wanted_id_;    // of what is being fetched
  bool is_refused_ = false;  // since the last look-up began
  bool holds_mail_ = false;  // what is being done may replace a policy that refuses
  std::optional<SteadyTime> looked_up_at_;
  milliseconds record_interval_ = kRecordInterval;
  std::optional<Failure> failure_;
};

}  // namespace relay::sts
