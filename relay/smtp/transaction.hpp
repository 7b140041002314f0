#pragma once
/// What MAIL begins: sender and recipients of one message, until its content is whole.

#include <cstddef>
#include <cstdint>

#include "relay/mail/envelope.hpp"
#include "relay/mail/header_scan.hpp"
#include "relay/mail/mending.hpp"
#include "relay/smtp/command.hpp"

namespace relay::smtp {

class Transaction {
 public:
  Transaction(MailArguments arguments, mail::Origin origin);

  [[nodiscard]] const mail::Address& reverse_path() const { return envelope_.reverse_path; }
  [[nodiscard]] std::size_t recipient_count() const { return envelope_.recipients.size(); }
  /// As MAIL declared: of addresses and header.
  [[nodiscard]] mail::Charset charset() const { return charset_; }
  /// Likewise, BINARYMIME: the content comes by BDAT alone.
  [[nodiscard]] bool is_binary() const { return is_binary_; }

  /// How the content is mended; nothing until it is set.
  [[nodiscard]] const mail::Mending& mending() const { return mending_; }
  void set_mending(const mail::Mending& mending) { mending_ = mending; }

  /// A recipient counts once; named again, it may say what it wants to hear of if it did not before.
  void add_recipient(RcptArguments accepted);
  void note_refused_recipient() { ++refused_recipients_; }
  /// The reply to content when there is no recipient.
  [[nodiscard]] Reply no_recipients() const;

  /// Whole, now that the header was seen. Call once, as the last. @param size  octets of the content
  [[nodiscard]] mail::Envelope finish(const mail::HeaderScan& header, std::uint64_t size);

 private:
  mail::Envelope envelope_;
  mail::Charset charset_;
  bool is_binary_;
  std::size_t refused_recipients_ = 0;
  mail::Mending mending_;
};

}  // namespace relay::smtp
