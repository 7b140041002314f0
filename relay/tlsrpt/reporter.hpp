#pragma once
/// Which report goes where, and when. Events come in by the methods below, plan() says what to do.

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/tlsrpt/record.hpp"
#include "relay/tlsrpt/tally.hpp"

namespace relay::tlsrpt {

struct ReportKey {
  Day day{};
  std::string domain;
  friend auto operator<=>(const ReportKey&, const ReportKey&) = default;
};

/// Why there is nothing more to do about a report.
enum class Outcome : std::uint8_t {
  sent,        ///< one destination took it
  not_wanted,  ///< the domain asks for no reports
  gave_up,     ///< no destination took it for a day (section 5.5)
};

// clang-format off: one line each
namespace report_step {
/// Look up the TXT records at record_name(domain); answered by record_found() or record_failed().
struct LookUp { ReportKey key; };
/// Make a mail and send it; answered by sent().
struct SendMail { ReportKey key; mail::Address to; };
/// POST gzip(make_report()) as application/tlsrpt+gzip, any 2xx is success; answered by sent().
struct Post { ReportKey key; HttpsTarget to; };
/// Over: its tally may be forgotten. Not answered.
struct Drop { ReportKey key; Outcome outcome; };
}  // namespace report_step
// clang-format on
using ReportStep =
  std::variant<report_step::LookUp, report_step::SendMail, report_step::Post, report_step::Drop>;

/// Spreads the reports of a day over four hours (section 4.1), a few at a time; the first destination of a
/// record that takes one ends it. What fails is tried again for a day, ever more seldom (section 5.5).
///
/// Answers to what was not asked are ignored. Thread: one at a time. Lifetime: `jitter` outlives it.
class Reporter {
 public:
  static constexpr std::chrono::hours kSpread{4};
  static constexpr std::chrono::minutes kFirstRetry{15};  ///< doubles with each failure
  static constexpr std::chrono::hours kGiveUp{24};        ///< behind the first attempt
  static constexpr std::size_t kAtOnce = 4;               ///< look-ups and deliveries

  explicit Reporter(Jitter& jitter) : jitter_(jitter) {}

  /// These domains' counts of a day are complete, or were found at a start. What is known already stays.
  void day_turned(Day day, const std::vector<std::string>& domains, SteadyTime now);
  void record_found(const ReportKey& key, std::vector<ReportTarget> targets);
  /// DNS gave no answer.
  void record_failed(const ReportKey& key, SteadyTime now);
  void sent(const ReportKey& key, bool is_taken, SteadyTime now);

  [[nodiscard]] std::vector<ReportStep> plan(SteadyTime now);
  /// When plan() may have something new without any event before.
  [[nodiscard]] std::optional<SteadyTime> wake_at() const;
  /// Reports that are not over.
  [[nodiscard]] std::size_t size() const { return jobs_.size(); }

 private:
  enum class Stage : std::uint8_t { waiting, looking_up, ready, sending, over };
  struct Job {
    Stage stage = Stage::waiting;
    SteadyTime due{};
    std::optional<SteadyTime> first_attempt;
    std::uint32_t failures = 0;
    std::vector<ReportTarget> targets;
    std::size_t next_target = 0;
    Outcome outcome = Outcome::sent;
  };
  [[nodiscard]] Job* find(const ReportKey& key, Stage stage);
  void fail(Job& job, SteadyTime now);
  static void end(Job& job, Outcome outcome);

  Jitter& jitter_;
  std::map<ReportKey, Job> jobs_;
  std::size_t at_work_ = 0;  // jobs that are looking up, ready or sending
};

}  // namespace relay::tlsrpt
