#pragma once
/// What judges the mail of a session, one transaction after the other.

#include <optional>
#include <string_view>

#include "relay/mail/address.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/session/filtering.hpp"
#include "relay/session/login.hpp"
#include "relay/session/policing.hpp"
#include "relay/session/rate_limits.hpp"
#include "relay/session/records.hpp"
#include "relay/session/sender_check.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::session {

/// Who may relay, sender bindings, policy rules with what they take of limits, and filters: each as it was in force at MAIL, but
/// for who may relay, which each recipient asks anew. What is refused is recorded. Asks nobody but filters, which are the
/// driver's to wait for. Thread: one at a time.
class Judges {
 public:
  /// @param context, login, session  outlive this
  Judges(Context& context, const Login& login, const smtp::ServerSession& session)
      : context_(context), login_(login), session_(session) {}

  /// Begins a transaction, with the rules of the moment.
  [[nodiscard]] smtp::server_event::Verdict judge_sender(mail::Address reverse_path);
  [[nodiscard]] smtp::server_event::Verdict judge_recipient(const mail::Address& recipient);
  /// Content as it comes, in order.
  void see(std::string_view content);
  /// Nothing: there are no filters. They come before the rules, which judge each recipient that is left, and each that was
  /// added.
  [[nodiscard]] std::optional<Filtering>& filtering() { return filtering_; }
  /// The header as filters left it.
  void see_filtered(std::string_view header);
  /// What bindings say at the end of data.
  [[nodiscard]] std::optional<mail::Reply> judge_header();
  /// What rules say then, and do to the envelope. Its deeds are valid until forget().
  [[nodiscard]] Policing::Ending finish(mail::Envelope& envelope);

  /// The message counts: what it took of limits is not given back.
  void keep_allowance();
  /// The transaction is over; what it took of limits is given back unless it was kept.
  void forget();

 private:
  /// For whether a client may relay, and whether anybody may be sent to.
  [[nodiscard]] std::optional<mail::Reply> refuse_recipient(const mail::Address& recipient);

  Context& context_;
  const Login& login_;
  const smtp::ServerSession& session_;
  std::optional<SenderCheck> sender_check_;  // nothing: there are no bindings
  std::optional<Allowance> allowance_;       // for policing_
  std::optional<Policing> policing_;         // nothing: there are no rules
  std::optional<Filtering> filtering_;
};

}  // namespace relay::session
