/// dkim: fields, canonical forms and whole signatures. Input: a line of cuts, then a message; its LF stand for CRLF.

#include <memory>
#include <string>

#include "relay/base/network.hpp"
#include "relay/dkim/signature.hpp"
#include "relay/dkim/signer.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::dkim {
namespace {

using fuzz::require;

constexpr std::size_t kMaxLine = 998;  // RFC 5322 section 2.1.1

/// That of RFC 8463 appendix A.2.
constexpr std::string_view kKey =
  "-----BEGIN PRIVATE KEY-----\n"
  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
  "-----END PRIVATE KEY-----\n";

std::string to_content(std::string_view text) {
  std::string content;
  for (const char c : text) {
    if (c == '\n') content += '\r';
    if (c != '\r') content += c;
  }
  return content;
}

std::shared_ptr<const Rules> rules() {
  const auto key = *Key::parse(kKey);
  Rules rules{{.domain = "example.org", .selector = "a", .key = key, .senders = {"*"}}};
  rules.push_back(
    {.domain = "example.net",
     .selector = "b",
     .key = key,
     .header = Canonicalization::simple,
     .body = Canonicalization::simple,
     .senders = {"*"},
     .headers = {"List-*", "X-*", "Subject"},
     .expires = seconds{60}}
  );
  for (const auto& rule : rules) require(check(rule).has_value(), "the target's rules are good");
  return std::make_shared<const Rules>(std::move(rules));
}

/// Every line but the first of a field begins with a blank.
bool is_folded(std::string_view field) {
  for (auto end = field.find('\n'); end != field.npos; end = field.find('\n', end + 1)) {
    if (end + 1 == field.size() || (field[end + 1] != ' ' && field[end + 1] != '\t')) return false;
  }
  return true;
}

void check_field(const FieldView& field) {
  require(
    field.whole.starts_with(field.name) && field.whole.ends_with(field.value), "a field is name and value"
  );
  require(is_folded(field.whole), "a field does not hold another");
  std::string once;
  append_canonical(once, field.whole, Canonicalization::relaxed);
  require(once.find('\n') == once.npos, "the relaxed form is unfolded");
  std::string twice;
  append_canonical(twice, once, Canonicalization::relaxed);
  require(twice == once, "the relaxed form of the relaxed form is itself");
  const auto domain = mailbox_domain(field.value);
  require(
    !domain || (is_host_name(*domain) && lower(*domain) == *domain),
    "a sender's domain is a name in lower case"
  );
}

void check_fields(std::string_view content) {
  for (const auto& field : split_fields(content)) {
    require(content.starts_with(field.whole), "fields follow one another");
    content.remove_prefix(std::min(field.whole.size() + 2, content.size()));
    check_field(field);
  }
}

std::string hash(std::string_view body, Canonicalization how) {
  BodyHash hash(how);
  hash.feed(body);
  return hash.finish();
}

/// RFC 6376 section 3.4.4, line by line.
std::string relaxed(std::string_view body) {
  std::string out;
  std::string ends;
  while (!body.empty()) {
    const auto end = std::min(body.find("\r\n"), body.size());
    std::string line;
    for (const char c : body.substr(0, end)) {
      const bool is_blank = c == ' ' || c == '\t';
      if (!is_blank) line += c;
      else if (!line.ends_with(' ')) line += ' ';
    }
    if (line.ends_with(' ')) line.pop_back();
    if (!line.empty()) out += std::exchange(ends, {}) + line;
    ends += "\r\n";
    body.remove_prefix(std::min(end + 2, body.size()));
  }
  return out.empty() ? out : out + "\r\n";
}

void check_body(std::string_view body, std::string_view cuts) {
  for (const auto how : {Canonicalization::simple, Canonicalization::relaxed}) {
    BodyHash piecewise(how);
    fuzz::in_pieces(body, cuts, [&](std::string_view piece) { piecewise.feed(piece); });
    require(piecewise.finish() == hash(body, how), "a body's hash is the same however it is cut");
    require(
      hash(std::string(body) + "\r\n\r\n", how) == hash(std::string(body) + "\r\n", how),
      "empty ends do not count"
    );
  }
  const auto canonical = relaxed(body);
  // The simple form adds a line end to nothing at all.
  if (!canonical.empty())
    require(
      hash(body, Canonicalization::relaxed) == hash(canonical, Canonicalization::simple), "section 3.4.4"
    );
}

Result<std::string> sign(std::string_view content, std::string_view cuts) {
  static const auto kRules = rules();
  Signer signer(kRules, *mail::Address::parse("a@example.com"), WallTime{seconds{1'767'268'800}});
  fuzz::in_pieces(content, cuts, [&](std::string_view piece) { signer.feed(piece); });
  return signer.finish();
}

void check_signature(std::string_view content, std::string_view cuts) {
  const auto signed_once = sign(content, cuts);
  const auto again = sign(content, "o");
  require(
    again.has_value() == signed_once.has_value() && (!again || *again == *signed_once),
    "a signature is the same however the content is cut"
  );
  if (!signed_once) {
    require(signed_once.error().code == Errc::too_large, "only too many fields are not signed");
    return;
  }
  require(fuzz::has_only_crlf(*signed_once) && signed_once->ends_with("\r\n"), "a signature has whole lines");
  const auto fields = split_fields(*signed_once);
  require(fields.size() == 2, "each rule makes one field");
  std::size_t octets = 0;
  for (const auto& field : fields) {
    require(field.name == "DKIM-Signature", "the field is DKIM-Signature");
    octets += field.whole.size() + 2;
  }
  require(octets == signed_once->size(), "nothing stands behind the fields");
  for (std::string_view rest = *signed_once; !rest.empty();) {
    const auto end = rest.find("\r\n");
    require(
      end <= kMaxLine && fuzz::is_all_printable(rest.substr(1, end - 1)), "a line is short and printable"
    );
    rest.remove_prefix(end + 2);
  }
}

}  // namespace
}  // namespace relay::dkim

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::dkim;
  relay::fuzz::InputView input(data, size);
  const auto cuts = input.line();
  const auto content = to_content(input.rest());
  check_fields(content);
  check_body(content, cuts);
  check_signature(content, cuts);
  return 0;
}
