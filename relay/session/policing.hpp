#pragma once
/// What the rules say of one transaction.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/envelope.hpp"
#include "relay/mail/field_filter.hpp"
#include "relay/mail/parties.hpp"
#include "relay/policy/rules.hpp"

namespace relay::session {

/// Asks the same rules, those that were in force at MAIL, at each stage: refusals are said as soon as they are certain, and
/// all the rest comes to pass at the end of data, when each recipient is judged with all facts. No fact changes once it is
/// known, so that judgement repeats what was said before.
///
/// Owns no socket, reads no clock. Thread: one at a time.
class Policing {
 public:
  /// What is known of the client when a transaction begins.
  struct Client {
    IpAddress address;
    std::string helo;
    bool has_tls = false;
    std::string user{};                         ///< empty: nobody has logged in
    std::string listener{mail::kMainListener};  ///< where it came in
  };

  /// @param rules  at least one; outlives its decisions by being shared
  /// @param meter  of this message, outlives it; null: no limit is exceeded
  Policing(
    std::shared_ptr<const policy::Rules> rules, Client client, mail::Address sender,
    policy::Meter* meter = nullptr
  );

  /// The sender as the rules see it: a refusal of all its mail from this client is a final decision.
  [[nodiscard]] policy::Decision judge_sender() const;
  [[nodiscard]] policy::Decision judge_recipient(const mail::Address& recipient) const;
  /// Content as it comes, in order.
  void see(std::string_view content);
  /// The whole header as it will be stored, where filters may have changed it: rules judge what the client sent, and what they
  /// take away is taken from this.
  void measure_again(std::string_view header);

  /// One rule that did something to some recipients.
  struct Deed {
    const policy::Rule* rule = nullptr;
    std::vector<std::string>
      recipients;  ///< as the client named them; none: it was done to the whole message
  };
  struct Ending {
    /// Set: nothing is stored and the client is told this. A refusal, or 250 where all is thrown away.
    std::optional<mail::Reply> instead;
    /// In the order of the rules, `accept` left out. A refusal is of the whole message: its deeds alone are told, one to
    /// each rule that refuses.
    std::vector<Deed> deeds;
    /// Whom the envelope named before; nothing where rules have put in nobody else.
    std::optional<mail::Parties> named{};
  };
  /// At the end of data: takes recipients out of the envelope that are thrown away, gives others another address, and notes
  /// who is held and who goes by which smarthost. What rules do to the whole message is done when one is for a recipient who
  /// is not thrown away; a copy is made even then. There is one reply for all recipients (RFC 5321 section 4.1.1.4): when a
  /// rule refuses one only now, the whole message is refused, for good where one rule says so.
  /// @param envelope  with its size
  [[nodiscard]] Ending finish(mail::Envelope& envelope);

 private:
  [[nodiscard]] policy::Facts facts() const;
  void edit(mail::Envelope& envelope, const std::vector<const policy::Rule*>& applied) const;

  std::shared_ptr<const policy::Rules> rules_;
  Client client_;
  mail::Address sender_;
  bool reads_header_;
  policy::HeaderFields header_;
  policy::Meter* meter_;
  std::vector<std::string> removable_;  // names of fields that rules may take away
  mail::FieldFilter measure_;           // of them, to know how many octets go
  std::string passed_;                  // by it, of no use
};

}  // namespace relay::session
