#pragma once
/// Reports of TLS failures to the domains that ask for them (RFC 8460): counted all day, sent when it is over.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "relay/base/log.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/outbound/ways.hpp"
#include "relay/tlsrpt/report.hpp"
#include "relay/tlsrpt/reporter.hpp"

namespace relay::outbound {

/// Whether something of a report was taken. May be called on any thread.
using Taken = std::function<void(bool)>;

/// The relay's own intake.
class OwnMail {
 public:
  virtual ~OwnMail() = default;
  /// Answers once the message is durable, or can't be.
  virtual void submit(mail::Envelope envelope, std::string content, Taken taken) = 0;
};

/// What reports need of the network. Implementations answer once, on any thread, and do not block.
class ReportCarrier {
 public:
  using Records = Result<std::vector<std::string>>;
  virtual ~ReportCarrier() = default;
  /// TXT records, each with its strings put together. No such name: none. Errors that are transient say nothing of
  /// the domain.
  virtual void look_up(std::string name, std::function<void(Records)> answer) = 0;
  /// A POST as RFC 8460 section 5.4 has it. Only to addresses that mail may go to as well.
  virtual void post(tlsrpt::HttpsTarget to, std::string body, Taken taken) = 0;
};

/// Counts nothing while Plan::tls_report_from is null. A report that restarts or failures have kept for kMaxAge is
/// forgotten.
///
/// Thread: what TlsObserver has, and policy_failed(), any; they wait for a counter at most. The rest the control
/// thread. Lifetime: the services outlive it; nobody answers once it is destroyed.
class TlsReports : public TlsObserver {
 public:
  static constexpr std::chrono::days kMaxAge{3};
  static constexpr std::size_t kMaxPolicies = 10'000;  ///< whose texts are known, by domain

  struct Services {
    const PlanSource& plans;
    ReportCarrier& carrier;
    const Clock& clock;
    Jitter& jitter;  ///< for the control thread alone
    log::Sink& log;
  };
  /// @param node  sets this node's reports apart from those of others for the same domain
  /// @param kept  what to_keep() gave a process before
  TlsReports(Services services, const std::string& node, const std::string& kept);

  void policy_found(const std::string& domain, const sts::Policy& policy) override;
  void tried(
    const std::string& domain, const std::string& host, const delivery::Target& target,
    const std::optional<net::TlsFault>& fault
  ) override;
  /// A policy was announced and can't be had, as StsPorts::on_fault tells.
  void policy_failed(const std::string& domain, sts::Fault fault);

  /// About once a second: closes days and sends what is due.
  void tick(OwnMail& mail);
  /// All counts, when there are new ones since the last time: one day a line, as JSON.
  [[nodiscard]] std::optional<std::string> to_keep();

 private:
  using Key = tlsrpt::ReportKey;
  struct KnownPolicy {
    sts::Policy policy;
    tlsrpt::AppliedPolicy applied;
  };

  [[nodiscard]] tlsrpt::Day today() const;
  [[nodiscard]] bool is_on() const;
  void count(const tlsrpt::AppliedPolicy& policy, const std::optional<tlsrpt::Failure>& failure);
  [[nodiscard]] std::shared_ptr<const KnownPolicy> known(const std::string& domain) const;
  void take_in();
  void close_days();
  void answer(std::function<void(SteadyTime)> event);
  void perform(const tlsrpt::report_step::LookUp& step);
  void perform(const tlsrpt::report_step::SendMail& step, OwnMail& mail);
  void perform(const tlsrpt::report_step::Post& step);
  void perform(const tlsrpt::report_step::Drop& step);
  [[nodiscard]] Taken taken(const Key& key);
  [[nodiscard]] tlsrpt::ReportHead head(const Key& key) const;
  /// Empty when nothing of it is known any more.
  [[nodiscard]] std::string report(const Key& key) const;

  Services services_;
  std::string unique_;
  tlsrpt::Reporter reporter_;
  std::map<tlsrpt::Day, tlsrpt::Tally> days_;  // all that tick() has taken in
  std::set<tlsrpt::Day> closed_;               // days that the reporter knows as they are in days_
  bool is_changed_ = false;                    // since to_keep()

  mutable std::mutex mutex_;
  std::map<tlsrpt::Day, tlsrpt::Tally> fresh_;                          // under mutex_: since the last tick()
  std::vector<std::function<void(SteadyTime)>> answers_;                // under mutex_: for the next tick()
  std::map<std::string, std::shared_ptr<const KnownPolicy>> policies_;  // under mutex_
};

}  // namespace relay::outbound
