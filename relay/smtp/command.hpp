#pragma once
/// Command lines (RFC 5321 section 4.1.1): which verb, which argument, and what MAIL and RCPT say.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/address.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/smtp/reply.hpp"

namespace relay::smtp {

// clang-format off: by what becomes of them
enum class Verb : std::uint8_t {
  helo, ehlo, mail, rcpt, data, bdat, rset, noop, vrfy, expn, help, quit,
  etrn, turn,          ///< known, never served: 502
  starttls, auth,      ///< known, 502 where it is not offered
  xclient, xforward, proxy,  ///< only trusted peers may say who the client is: 550 and close
  forbidden,           ///< HTTP and the like, and header fields: somebody drives a browser or lost track
  unknown,
};
// clang-format on

/// A command line cut in two. Both views live as long as the line.
struct CommandView {
  Verb verb = Verb::unknown;
  std::string_view argument;  ///< without surrounding blanks
};

/// @param line  without its line end
[[nodiscard]] CommandView parse_command(std::string_view line);

/// The reply to a command that has an argument and takes none, or the reverse: 501 5.5.4. Of HELO, EHLO, RSET, VRFY and QUIT;
/// nothing of the others, which say more than that.
[[nodiscard]] std::optional<Reply> refuse_argument(const CommandView& command);

/// What a client may say before TLS where that is needed: all that RFC 3207 section 4 lets pass, what helps and does
/// nothing, and what is answered by more than a refusal.
[[nodiscard]] bool may_be_in_the_clear(Verb verb);

/// How much of other people's habits an address may have: clients in the allowed networks are served with
/// bare addresses and blanks after the colon, all others get RFC 5321's grammar.
enum class Grammar : std::uint8_t { strict, lenient };

/// ESMTP parameters of MAIL that we offer: SIZE (RFC 1870), BODY (RFC 6152, 3030), RET and ENVID (RFC 3461),
/// SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689), AUTH (RFC 4954).
struct MailArguments {
  mail::Address reverse_path;
  std::optional<std::uint64_t> declared_size;  ///< octets; advisory only
  mail::Body body = mail::Body::undeclared;
  bool is_binary = false;                        ///< BINARYMIME: `body` says what becomes of it, 8BITMIME
  mail::Charset charset = mail::Charset::ascii;  ///< utf8: SMTPUTF8 was given
  mail::Ret ret = mail::Ret::unset;
  std::string envelope_id;
  bool requires_tls = false;  ///< REQUIRETLS; whether it was offered the session knows
  /// AUTH was given, as RFC 4954 section 5 writes it. What it says is not kept: whoever logs in is trusted to send,
  /// not to speak for who sent first, and then it counts as `AUTH=<>`.
  bool has_auth = false;
};

/// Those of RCPT: NOTIFY and ORCPT (RFC 3461).
struct RcptArguments {
  mail::Address recipient;
  mail::Charset charset = mail::Charset::ascii;  ///< what MAIL declared
  mail::RecipientDsn dsn{};
};

/// Reads what follows `MAIL `: `FROM:<path> params`. The failure is the reply to give: 501 5.1.7 for the
/// address, 553 5.6.7 for one beyond ASCII without SMTPUTF8, 501 5.5.4 for syntax and values, 555 5.5.4 for a parameter that is not offered. Source routes are
/// read and dropped (appendix C).
/// @param unqualified_domain  goes behind an address without one (`root`); empty: that is none
[[nodiscard]] tl::expected<MailArguments, Reply> parse_mail(
  std::string_view argument, Grammar grammar, std::string_view unqualified_domain = {}
);

/// Reads what follows `RCPT `: `TO:<path> params`. As above, with 501 5.1.3.
/// @param charset  what MAIL declared
[[nodiscard]] tl::expected<RcptArguments, Reply> parse_rcpt(
  std::string_view argument, Grammar grammar, mail::Charset charset, std::string_view unqualified_domain = {}
);

}  // namespace relay::smtp
