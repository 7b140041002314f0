#include "relay/dkim/signature.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::dkim {
namespace {

/// RFC 5322 section 2.1.1, without the CRLF.
constexpr std::size_t kMaxLine = 78;
constexpr std::string_view kFold = "\r\n\t";

bool is_listed(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](const auto& other) {
    return equals_ignoring_case(name, other);
  });
}

bool is_oversigned(const Rule& rule, std::string_view name) {
  return equals_ignoring_case(name, "from") || is_listed(rule.oversigned, name);
}

/// Gathers the entries of `h=`. A field is taken once, whatever the number of names that it goes by.
class Selection {
 public:
  Selection(const Rule& rule, const std::vector<FieldView>& fields)
      : rule_(rule), fields_(fields), is_taken_(fields.size()) {}

  void add(std::string_view pattern) {
    const bool is_prefix = pattern.ends_with('*');
    if (is_prefix) pattern.remove_suffix(1);
    for (auto i = fields_.size(); i > 0 && entries_.size() <= kMaxSignedFields; --i) {
      const auto& field = fields_[i - 1];
      const bool is_match = is_prefix ? starts_with_ignoring_case(field.name, pattern)
                                      : equals_ignoring_case(field.name, pattern);
      if (!is_match || is_taken_[i - 1] || !is_signable(field.name)) continue;
      is_taken_[i - 1] = true;
      entries_.push_back({is_prefix ? field.name : pattern, field.whole});
    }
    if (!is_prefix && is_signable(pattern) && is_oversigned(rule_, pattern))
      entries_.push_back({pattern, {}});
  }

  [[nodiscard]] std::vector<SignedFieldView> take() { return std::move(entries_); }

 private:
  const Rule& rule_;
  const std::vector<FieldView>& fields_;
  std::vector<bool> is_taken_;
  std::vector<SignedFieldView> entries_;
};

/// Writes a field word by word and folds it before a word that the line has no room for.
class FoldedText {
 public:
  explicit FoldedText(std::string_view start) : text_(start), line_(start.size()) {}

  /// A tag after a space, with its semicolon.
  void tag(std::string_view tag) {
    if (line_ + 1 + tag.size() > kMaxLine) fold();
    else append(" ");
    append(tag);
  }
  /// What belongs to the tag before it.
  void word(std::string_view word) {
    if (line_ + word.size() > kMaxLine) fold();
    append(word);
  }
  /// What may be cut anywhere.
  void octets(std::string_view rest) {
    while (!rest.empty()) {
      if (line_ >= kMaxLine) fold();
      const auto piece = rest.substr(0, kMaxLine - line_);
      append(piece);
      rest.remove_prefix(piece.size());
    }
  }
  void fold() {
    text_ += kFold;
    line_ = 1;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void append(std::string_view piece) {
    text_ += piece;
    line_ += piece.size();
  }
  std::string text_;
  std::size_t line_;  // characters on the last line
};

void append_tags(FoldedText& out, const Rule& rule, WallTime time) {
  const auto stamp = std::chrono::floor<seconds>(time.time_since_epoch()).count();
  out.tag("a=" + std::string(name(rule.key->algorithm())) + ";");
  out.tag("c=" + std::string(name(rule.header)) + "/" + std::string(name(rule.body)) + ";");
  out.tag("d=" + rule.domain + ";");
  out.tag("s=" + rule.selector + ";");
  out.tag("t=" + std::to_string(stamp) + ";");
  if (rule.expires) out.tag("x=" + std::to_string(stamp + rule.expires->count()) + ";");
}

void append_names(FoldedText& out, const std::vector<SignedFieldView>& entries) {
  out.fold();
  std::string_view start = "h=";
  for (const auto& entry : entries) {
    const bool is_last = &entry == &entries.back();
    std::string word(start);
    out.word(word.append(entry.name).append(is_last ? ";" : ":"));
    start = {};
  }
}

/// What is signed: the fields, then our own with an empty `b=` and without its CRLF (section 3.7).
std::string signed_text(
  const Rule& rule, const std::vector<SignedFieldView>& entries, std::string_view unsigned_field
) {
  std::string text;
  for (const auto& entry : entries) {
    if (entry.whole.empty()) continue;
    append_canonical(text, entry.whole, rule.header);
    text += "\r\n";
  }
  append_canonical(text, unsigned_field, rule.header);
  return text;
}

}  // namespace

Result<std::vector<SignedFieldView>> select_fields(const Rule& rule, const std::vector<FieldView>& fields) {
  Selection selection(rule, fields);
  if (!is_listed(rule.headers, "from")) selection.add("From");
  for (const auto& pattern : rule.headers) selection.add(pattern);
  auto entries = selection.take();
  if (entries.size() > kMaxSignedFields) {
    return permanent(Errc::too_large, "DKIM: more than 512 header fields would have to be signed");
  }
  return entries;
}

Result<std::string> signature_field(
  const Rule& rule, const std::vector<FieldView>& fields, std::string_view body_hash, WallTime time
) {
  const auto entries = select_fields(rule, fields);
  if (!entries) return tl::unexpected(entries.error());
  FoldedText out("DKIM-Signature: v=1;");
  append_tags(out, rule, time);
  append_names(out, *entries);
  out.fold();
  out.word("bh=" + base64(body_hash) + ";");
  out.fold();
  out.word("b=");
  const auto signature = rule.key->sign(signed_text(rule, *entries, out.text()));
  if (!signature) return tl::unexpected(signature.error());
  out.octets(base64(*signature));
  return out.text() + "\r\n";
}

}  // namespace relay::dkim
