#pragma once
/// What the log says of a relay's health, so that nobody has to ask it to know.

#include <map>
#include <optional>
#include <string>

#include "relay/base/clock.hpp"
#include "relay/base/log.hpp"

namespace relay::app {

/// What is wrong with a relay though nobody wants it so: not that it is drained or stops.
struct Complaint {
  std::string reason;     ///< in words, as the pages have it; numbers in them may change each second
  bool is_ready = false;  ///< it takes mail all the same, and load balancers alone should turn to others
};

/// Tells at once when a relay falls ill, of what (`unhealthy`), when it is of something else by now, and when it has
/// recovered and after how long (`healthy`). The same complaint in other numbers is told once a minute; one that is gone
/// for less than kRelapse, as where a disk is just at its limit, was never gone. So what comes and goes fills no log.
///
/// Thread: one at a time.
class HealthLog {
 public:
  static constexpr seconds kWordsStand{60};  ///< for this long nothing is told of the same complaint
  static constexpr seconds kRelapse{10};
  static constexpr std::size_t kMostKinds = 16;  ///< of complaints that are told in kWordsStand

  /// Asked about once a second. @return  what is to be written, if anything
  [[nodiscard]] std::optional<log::Record> note(const std::optional<Complaint>& complaint, SteadyTime now);

 private:
  struct Told {
    std::string reason;
    SteadyTime when;
  };
  [[nodiscard]] std::optional<log::Record> tell(const Complaint& complaint, SteadyTime now);
  [[nodiscard]] std::optional<log::Record> tell_of_recovery(SteadyTime now);

  std::optional<SteadyTime> ill_since_;
  std::optional<SteadyTime> well_since_;  // while it is not known yet whether that lasts
  std::map<std::string, Told> told_;      // since it is ill; by what kind_of() says
  std::string last_kind_;                 // of what was told last
};

/// The reason without its numbers, times and sizes: two that differ in these alone are one complaint.
[[nodiscard]] std::string kind_of(std::string_view reason);

}  // namespace relay::app
