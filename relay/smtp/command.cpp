#include "relay/smtp/command.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::smtp {
namespace {

constexpr std::array<std::pair<std::string_view, Verb>, 24> kVerbs{{
  {"HELO", Verb::helo},     {"EHLO", Verb::ehlo},         {"MAIL", Verb::mail},
  {"RCPT", Verb::rcpt},     {"DATA", Verb::data},         {"RSET", Verb::rset},
  {"NOOP", Verb::noop},     {"VRFY", Verb::vrfy},         {"EXPN", Verb::expn},
  {"HELP", Verb::help},     {"QUIT", Verb::quit},         {"ETRN", Verb::etrn},
  {"TURN", Verb::turn},     {"STARTTLS", Verb::starttls}, {"AUTH", Verb::auth},
  {"BDAT", Verb::bdat},     {"XCLIENT", Verb::xclient},   {"XFORWARD", Verb::xforward},
  {"PROXY", Verb::proxy},   {"GET", Verb::forbidden},     {"POST", Verb::forbidden},
  {"PUT", Verb::forbidden}, {"CONNECT", Verb::forbidden}, {"OPTIONS", Verb::forbidden},
}};

constexpr std::size_t kMaxParameters = 32;
constexpr std::size_t kMaxAuthParameter = 500;  // octets; RFC 4954 section 3

/// `Subject:` and its kind: a client that lost track sends content as commands.
bool looks_like_header_field(std::string_view word) {
  return word.size() > 1 && word.ends_with(':') &&
         std::all_of(word.begin(), word.end() - 1, [](char c) { return c > ' ' && c <= '~' && c != ':'; });
}

struct ArgumentRule {
  Verb verb;
  bool takes_one;
  std::string_view otherwise;
};
constexpr std::array kArgumentRules{
  ArgumentRule{Verb::helo, true, "Say who you are"},
  ArgumentRule{Verb::ehlo, true, "Say who you are"},
  ArgumentRule{Verb::rset, false, "RSET takes no argument"},
  ArgumentRule{Verb::quit, false, "QUIT takes no argument"},
  ArgumentRule{Verb::vrfy, true, "VRFY takes an address"},
};

Reply not_ascii() { return reply(553, {5, 6, 7}, "Address needs the parameter SMTPUTF8 of MAIL"); }

Reply syntax_error(std::string_view text) { return reply(501, {5, 5, 4}, text); }

struct PathText {
  std::string_view path;  // what stood between the brackets, or the bare word
  std::string_view rest;  // parameters
};

/// Where a path ends: at the first '>' outside quotes.
std::size_t closing_bracket(std::string_view text) {
  bool is_quoted = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (is_quoted && text[i] == '\\') ++i;
    else if (text[i] == '"') is_quoted = !is_quoted;
    else if (text[i] == '>' && !is_quoted) return i;
  }
  return std::string_view::npos;
}

std::optional<PathText> split_path(std::string_view text, Grammar grammar) {
  if (grammar == Grammar::lenient) text = trimmed(text);
  if (text.starts_with('<')) {
    const auto end = closing_bracket(text);
    if (end == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ' ') return std::nullopt;
    return PathText{text.substr(1, end - 1), trimmed(rest)};
  }
  const auto end = std::min(text.find(' '), text.size());
  if (grammar == Grammar::strict || end == 0) return std::nullopt;
  return PathText{text.substr(0, end), trimmed(text.substr(end))};
}

/// RFC 5321 section 4.1.1.3: `@one,@two:user@domain` is delivered as `user@domain`.
std::string_view without_source_route(std::string_view path) {
  if (!path.starts_with('@')) return path;
  const auto colon = path.find(':');
  return colon == std::string_view::npos ? path : path.substr(colon + 1);
}

/// What stands in a path. A local part alone, Postmaster too, gets the domain where there is one (RFC 5321 section 6.4).
Result<mail::Address> parse_address(std::string_view path, std::string_view unqualified_domain) {
  const auto text = without_source_route(path);
  auto address = mail::Address::parse(text, mail::Charset::utf8);
  const bool is_qualified = address && !address->domain().empty();
  if (is_qualified || unqualified_domain.empty() || text.empty()) return address;
  auto longer =
    mail::Address::parse(std::string(text) + "@" + std::string(unqualified_domain), mail::Charset::utf8);
  return longer ? longer : address;
}

/// Cuts `FROM:` or `TO:` off. RFC 5321 allows no blank before the colon, and neither do we: nobody sends one.
std::optional<std::string_view> behind(std::string_view keyword, std::string_view argument) {
  if (!starts_with_ignoring_case(argument, keyword)) return std::nullopt;
  return argument.substr(keyword.size());
}

std::optional<Reply> apply_size(MailArguments& arguments, std::string_view value) {
  const auto size = value.size() <= 20 ? parse_number(value) : std::nullopt;
  if (!size) return syntax_error("SIZE takes a number of octets");
  arguments.declared_size = *size;
  return std::nullopt;
}

std::optional<Reply> apply_body(MailArguments& arguments, std::string_view value) {
  arguments.is_binary = equals_ignoring_case(value, "BINARYMIME");
  if (equals_ignoring_case(value, "7BIT")) arguments.body = mail::Body::seven_bit;
  else if (arguments.is_binary || equals_ignoring_case(value, "8BITMIME"))
    arguments.body = mail::Body::eight_bit_mime;
  else return syntax_error("BODY is 7BIT, 8BITMIME or BINARYMIME");
  return std::nullopt;
}

std::optional<Reply> apply_ret(MailArguments& arguments, std::string_view value) {
  const auto ret = mail::parse_ret(value);
  if (!ret) return syntax_error("RET is FULL or HDRS");
  arguments.ret = *ret;
  return std::nullopt;
}

std::optional<Reply> apply_envelope_id(MailArguments& arguments, std::string_view value) {
  if (!mail::is_envelope_id(value)) return syntax_error("ENVID is xtext of up to 100 characters");
  arguments.envelope_id = value;
  return std::nullopt;
}

std::optional<Reply> apply_notify(RcptArguments& arguments, std::string_view value) {
  const auto notify = mail::parse_notify(value);
  if (!notify) return syntax_error("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY");
  arguments.dsn.notify = *notify;
  return std::nullopt;
}

std::optional<Reply> apply_original_recipient(RcptArguments& arguments, std::string_view value) {
  if (!mail::is_original_recipient(value, arguments.charset))
    return syntax_error("ORCPT is type;xtext of up to 500 characters");
  arguments.dsn.original_recipient = value;
  return std::nullopt;
}

std::optional<Reply> apply_smtputf8(MailArguments& arguments, std::string_view value) {
  if (!value.empty()) return syntax_error("SMTPUTF8 takes no value");
  arguments.charset = mail::Charset::utf8;
  return std::nullopt;
}

std::optional<Reply> apply_requires_tls(MailArguments& arguments, std::string_view value) {
  if (!value.empty()) return syntax_error("REQUIRETLS takes no value");
  arguments.requires_tls = true;
  return std::nullopt;
}

std::optional<Reply> apply_auth(MailArguments& arguments, std::string_view value) {
  const bool is_good =
    value == "<>" || (value.size() <= kMaxAuthParameter && mail::decode_xtext(value).value_or("") != "");
  if (!is_good) return syntax_error("AUTH is <> or xtext of up to 500 characters");
  arguments.has_auth = true;
  return std::nullopt;
}

/// What a command's parameters do to its arguments.
template <class Arguments>
struct Parameter {
  std::string_view keyword;
  std::optional<Reply> (*apply)(Arguments& arguments, std::string_view value);
};
constexpr std::array kMailParameters{
  Parameter<MailArguments>{"SIZE", apply_size},
  Parameter<MailArguments>{"BODY", apply_body},
  Parameter<MailArguments>{"RET", apply_ret},
  Parameter<MailArguments>{"ENVID", apply_envelope_id},
  Parameter<MailArguments>{"SMTPUTF8", apply_smtputf8},
  Parameter<MailArguments>{"REQUIRETLS", apply_requires_tls},
  Parameter<MailArguments>{"AUTH", apply_auth},
};
constexpr std::array kRcptParameters{
  Parameter<RcptArguments>{"NOTIFY", apply_notify},
  Parameter<RcptArguments>{"ORCPT", apply_original_recipient},
};

template <class Arguments, std::size_t kCount>
std::optional<Reply> apply_parameters(
  Arguments& arguments, std::string_view text, const std::array<Parameter<Arguments>, kCount>& offered
) {
  const auto parameters = split(text, ' ');
  if (parameters.size() > kMaxParameters) return syntax_error("Too many parameters");
  std::vector<std::string> seen;
  for (const auto parameter : parameters) {
    const auto keyword = upper(parameter.substr(0, parameter.find('=')));
    const auto value = parameter.substr(std::min(keyword.size() + 1, parameter.size()));
    if (std::find(seen.begin(), seen.end(), keyword) != seen.end())
      return syntax_error("Parameter given twice");
    seen.push_back(keyword);
    const auto known = std::find_if(offered.begin(), offered.end(), [&](const auto& candidate) {
      return candidate.keyword == keyword;
    });
    if (known == offered.end()) return reply(555, {5, 5, 4}, "Parameter not supported");
    if (auto refusal = known->apply(arguments, value)) return refusal;
  }
  return std::nullopt;
}

}  // namespace

CommandView parse_command(std::string_view line) {
  line = trimmed(line);
  const auto word = line.substr(0, line.find_first_of(" \t"));
  const auto argument = trimmed(line.substr(word.size()));
  for (const auto& [name, verb] : kVerbs) {
    if (equals_ignoring_case(word, name)) return {verb, argument};
  }
  const bool may_carry_content = looks_like_header_field(word) || starts_with_ignoring_case(word, "BDAT");
  return {may_carry_content ? Verb::forbidden : Verb::unknown, argument};
}

std::optional<Reply> refuse_argument(const CommandView& command) {
  for (const auto& [verb, takes_one, otherwise] : kArgumentRules) {
    if (verb == command.verb && takes_one == command.argument.empty()) return syntax_error(otherwise);
  }
  return std::nullopt;
}

bool may_be_in_the_clear(Verb verb) {
  switch (verb) {
    case Verb::helo:
    case Verb::ehlo:
    case Verb::rset:
    case Verb::noop:
    case Verb::help:
    case Verb::quit:
    case Verb::starttls:
    case Verb::bdat:
    case Verb::xclient:
    case Verb::xforward:
    case Verb::proxy:
    case Verb::forbidden:
    case Verb::unknown: return true;
    case Verb::mail:
    case Verb::rcpt:
    case Verb::data:
    case Verb::vrfy:
    case Verb::expn:
    case Verb::etrn:
    case Verb::turn:
    case Verb::auth: break;
  }
  return false;
}

tl::expected<MailArguments, Reply> parse_mail(
  std::string_view argument, Grammar grammar, std::string_view unqualified_domain
) {
  const auto text = behind("FROM:", argument);
  if (!text) return tl::unexpected(syntax_error("Syntax: MAIL FROM:<address>"));
  const auto path = split_path(*text, grammar);
  if (!path) return tl::unexpected(reply(501, {5, 1, 7}, "Bad sender address syntax"));
  MailArguments arguments;
  if (!path->path.empty()) {
    auto address = parse_address(path->path, unqualified_domain);
    // Postmaster alone is a recipient only (RFC 5321 section 4.5.1).
    if (!address || address->domain().empty())
      return tl::unexpected(reply(501, {5, 1, 7}, "Bad sender address syntax"));
    arguments.reverse_path = std::move(*address);
  }
  if (auto refusal = apply_parameters(arguments, path->rest, kMailParameters))
    return tl::unexpected(std::move(*refusal));
  if (arguments.charset == mail::Charset::ascii && !arguments.reverse_path.is_ascii())
    return tl::unexpected(not_ascii());
  return arguments;
}

tl::expected<RcptArguments, Reply> parse_rcpt(
  std::string_view argument, Grammar grammar, mail::Charset charset, std::string_view unqualified_domain
) {
  const auto text = behind("TO:", argument);
  if (!text) return tl::unexpected(syntax_error("Syntax: RCPT TO:<address>"));
  const auto path = split_path(*text, grammar);
  auto address = path ? parse_address(path->path, unqualified_domain)
                      : Result<mail::Address>(permanent(Errc::invalid_argument, "no path"));
  if (!address) return tl::unexpected(reply(501, {5, 1, 3}, "Bad recipient address syntax"));
  if (charset == mail::Charset::ascii && !address->is_ascii()) return tl::unexpected(not_ascii());
  RcptArguments arguments{std::move(*address), charset, {}};
  if (auto refusal = apply_parameters(arguments, path->rest, kRcptParameters))
    return tl::unexpected(std::move(*refusal));
  return arguments;
}

}  // namespace relay::smtp
