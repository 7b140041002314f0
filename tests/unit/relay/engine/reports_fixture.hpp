#pragma once
/// Attempts that a test ends as it likes.

#include "relay/engine/reports.hpp"
#include "tests/unit/relay/engine/spool_fixture.hpp"

namespace relay::engine {

inline constexpr auto kDelivered = smtp::Disposition::delivered;
inline constexpr auto kDeferred = smtp::Disposition::deferred;
inline constexpr auto kFailed = smtp::Disposition::failed;
inline constexpr auto kUntried = smtp::Disposition::untried;

class ReportsFixture : public SpoolTest {
 protected:
  void open() override {
    SpoolTest::open();
    reports = std::make_unique<Reports>(*context);
  }

  /// At a message in the spool, with these many recipients: c0@d.example, c1@d.example, ...
  Attempt attempt(std::size_t recipients = 1, const std::string& from = "a@example.com") {
    std::vector<std::string> to;
    for (std::size_t i = 0; i < recipients; ++i) to.push_back("c" + std::to_string(i) + "@d.example");
    const auto at = place(store->next_id());
    store_message(
      envelope(to, from), {at}, "From: a@example.com\r\nSubject: the original\r\n\r\nits body\r\n"
    );
    return load(at);
  }
  static smtp::MessageOutcome outcome(std::initializer_list<smtp::Disposition> dispositions) {
    smtp::MessageOutcome outcome;
    for (const auto disposition : dispositions) {
      mail::Reply reply{250, mail::EnhancedStatus{2, 0, 0}, "ok"};
      if (disposition == kFailed) reply = {550, mail::EnhancedStatus{5, 1, 1}, "unknown"};
      if (disposition == kDeferred) reply = {450, mail::EnhancedStatus{4, 2, 0}, "later"};
      outcome.recipients.push_back({disposition, smtp::Stage::rcpt, std::move(reply)});
    }
    return outcome;
  }

  std::unique_ptr<Reports> reports;
};

}  // namespace relay::engine
