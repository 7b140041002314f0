#include "relay/redaction/redact.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>
#include <vector>

#include "relay/base/text.hpp"

namespace relay::redaction {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 7> kAddresses{
  "sender", "recipient", "recipients", "original_sender", "original_recipients", "to", "user"
};
constexpr std::array<std::string_view, 4> kQuoting{"reply", "reason", "last", "error"};
/// RFC 5322 section 3.2.3, besides letters and digits; and the dot.
constexpr std::string_view kAtomMarks = "!#$%&'*+-/=?^_`{|}~.";

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_atom(char c) {
  return is_alnum(c) || is_beyond_ascii(c) || kAtomMarks.find(c) != std::string_view::npos;
}
bool is_letter(char c) { return is_alnum(c) || is_beyond_ascii(c); }

std::string sealed(std::string_view text, const Tokens* tokens) {
  return tokens != nullptr ? tokens->seal(text) : std::string(1, kMark);
}

/// No domain holds an @, a quoted local part may. The special forms have none: all of them is local.
std::string_view local_part(std::string_view address) { return address.substr(0, address.rfind('@')); }

std::string redact_address(std::string_view address, const Tokens* tokens) {
  const auto local = local_part(address);
  if (local.empty()) return std::string(address);
  return sealed(local, tokens) + std::string(address.substr(local.size()));
}

/// A piece of a text, by its first octet and the one behind its last.
struct Span {
  std::size_t begin;
  std::size_t end;
};

/// Where the quoted string begins whose closing quote stands at `close`, or `close`.
std::size_t quoted_from(std::string_view text, std::size_t close) {
  for (auto at = close; at-- > 0;) {
    if (text[at] == '"' && (at == 0 || text[at - 1] != '\\')) return at;
  }
  return close;
}

/// What stands before each @.
void find_local_parts(std::string_view text, std::vector<Span>& spans) {
  for (auto at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    auto begin = at;
    if (at > 0 && text[at - 1] == '"') begin = quoted_from(text, at - 1);
    while (begin > 0 && is_atom(text[begin - 1])) --begin;
    // Quotation marks of whoever wrote the text.
    while (begin < at && (text[begin] == '\'' || text[begin] == '`')) ++begin;
    if (begin < at) spans.push_back({begin, at});
  }
}

/// Each place where `word` stands as a word of its own. What a token could not be told from belongs to it.
void find_word(std::string_view text, std::string_view word, std::vector<Span>& spans) {
  const auto same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  for (auto from = text.begin();;) {
    const auto found = std::search(from, text.end(), word.begin(), word.end(), same);
    if (found == text.end()) return;
    from = found + 1;
    auto end = found + static_cast<std::ptrdiff_t>(word.size());
    const bool begins = found == text.begin() || !is_letter(*(found - 1)) || !is_letter(word.front());
    const bool ends = end == text.end() || !is_letter(*end) || !is_letter(word.back());
    if (!begins || !ends) continue;
    end = std::find_if_not(end, text.end(), is_token_octet);
    spans.push_back(
      {static_cast<std::size_t>(found - text.begin()), static_cast<std::size_t>(end - text.begin())}
    );
  }
}

std::string replaced(std::string_view text, std::vector<Span> spans, const Tokens* tokens) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::string out;
  std::size_t done = 0;
  for (std::size_t i = 0; i < spans.size();) {
    auto joined = spans[i++];
    for (; i < spans.size() && spans[i].begin <= joined.end; ++i)
      joined.end = std::max(joined.end, spans[i].end);
    out += text.substr(done, joined.begin - done);
    out += sealed(text.substr(joined.begin, joined.end - joined.begin), tokens);
    done = joined.end;
  }
  return out += text.substr(done);
}

std::string redact_text(
  const std::string& text, const std::vector<std::string>& words, const Tokens* tokens
) {
  std::vector<Span> spans;
  find_local_parts(text, spans);
  for (const auto& word : words) find_word(text, word, spans);
  return spans.empty() ? text : replaced(text, std::move(spans), tokens);
}

/// Calls `action` with each text of a value.
template <class Json, class Action>
void for_each_text(Json& value, const Action& action) {
  using Text = std::conditional_t<std::is_const_v<Json>, const std::string, std::string>;
  if (value.is_string()) action(value.template get_ref<Text&>());
  else if (value.is_structured()) {
    for (auto& part : value) for_each_text(part, action);
  }
}

/// The local parts of the record's own addresses, also as they are meant: without the quotes of a quoted string.
std::vector<std::string> own_words(const ordered_json& fields) {
  std::vector<std::string> words;
  const auto note = [&words](std::string_view word) {
    if (!word.empty() && std::find(words.begin(), words.end(), word) == words.end()) words.emplace_back(word);
  };
  for (const auto name : kAddresses) {
    const auto field = fields.find(std::string(name));
    if (field == fields.end()) continue;
    for_each_text(*field, [&note](const std::string& address) {
      auto local = local_part(address);
      note(local);
      if (local.size() > 2 && local.starts_with('"')) note(local.substr(1, local.size() - 2));
    });
  }
  return words;
}

}  // namespace

log::Record redact(const log::Record& record, const Tokens* tokens) {
  static const std::vector<std::string> kNone;
  const auto fields = record.fields();
  const auto words = own_words(fields);
  auto redacted = record;
  for (const auto& [name, value] : fields.items()) {
    if (name == "event" || !(value.is_string() || value.is_structured())) continue;
    const bool is_address = contains(kAddresses, name);
    const bool is_quoting = contains(kQuoting, name);
    auto changed = value;
    for_each_text(changed, [&](std::string& text) {
      if (is_address) text = redact_address(text, tokens);
      else text = redact_text(text, is_quoting ? words : kNone, tokens);
    });
    redacted.with(name, changed);
  }
  return redacted;
}

}  // namespace relay::redaction
