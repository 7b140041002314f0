#pragma once
/// What mail::BinaryMime is to make of content, worked out over all of it at once. The reading of single fields is shared.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/text.hpp"
#include "relay/mail/binary_mime.hpp"

namespace relay::test {

struct Converted {
  std::string content;
  bool is_refused = false;  // then nothing else counts
  bool met_bare_line_ending = false;
  std::uint64_t longest_line = 0;
  friend bool operator==(const Converted&, const Converted&) = default;
};

class BinaryMimeReference {
 public:
  explicit BinaryMimeReference(std::string_view message) : message_(message) {}

  Converted convert() {
    header(0, false, false);
    while (at_ < message_.size() && !result_.is_refused) {
      const auto line = line_here();
      if (const auto delimiter = delimiter_in(line.text)) {
        pass_delimiter(take(line), *delimiter);
      } else if (!result_.is_refused) {
        take(line);
        result_.content.append(line.text).append("\r\n");
        is_labelled_ = is_labelled_ || says_binary(line.text);
      }
    }
    return result_.is_refused ? Converted{{}, true} : result_;
  }

 private:
  struct Multipart {
    std::string boundary;
    std::size_t depth;
    bool is_digest;
    bool is_signed;
  };
  struct Line {
    std::string_view text;
    std::size_t next;
    bool is_bare;
  };
  struct Delimiter {
    std::size_t multipart;
    bool is_close;
  };
  struct Field {
    std::string name;
    std::string text;  // from the colon on, line ends made CRLF
    [[nodiscard]] bool is(std::string_view wanted) const {
      return equals_ignoring_case(trimmed(name), wanted);
    }
  };

  Line line_here() const {
    const auto end = std::min(message_.find_first_of("\r\n", at_), message_.size());
    const auto rest = message_.substr(end);
    const bool is_crlf = rest.starts_with("\r\n");
    const auto next = end + std::min<std::size_t>(rest.size(), is_crlf ? 2 : 1);
    return {message_.substr(at_, end - at_), next, !rest.empty() && !is_crlf};
  }
  std::string_view take(const Line& line) {
    at_ = line.next;
    if (line.is_bare && is_labelled_) result_.is_refused = true;
    result_.met_bare_line_ending = result_.met_bare_line_ending || line.is_bare;
    result_.longest_line = std::max<std::uint64_t>(result_.longest_line, line.text.size());
    return line.text;
  }

  std::optional<Delimiter> delimiter_in(std::string_view line) {
    const auto whole = line;
    line = line.substr(0, mail::BinaryMime::kMaxDelimiterLine);
    if (!line.starts_with("--")) return std::nullopt;
    line = line.substr(0, line.find_last_not_of(" \t") + 1);
    for (std::size_t i = 0; i < open_.size(); ++i) {
      const auto open = "--" + open_[i].boundary;
      if (line != open && line != open + "--") continue;
      if (whole.size() <= mail::BinaryMime::kMaxDelimiterLine) return Delimiter{i, line != open};
      result_.is_refused = true;
    }
    return std::nullopt;
  }
  void pass_delimiter(std::string_view line, Delimiter delimiter) {
    result_.content.append(line).append("\r\n");
    open_.resize(delimiter.multipart + 1);
    const auto multipart = open_.back();
    if (delimiter.is_close) open_.pop_back();
    else header(multipart.depth + 1, multipart.is_digest, multipart.is_signed);
  }

  static bool says_binary(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon > 255 ||
        !equals_ignoring_case(trimmed(line.substr(0, colon)), "Content-Transfer-Encoding") ||
        line.front() == ' ' || line.front() == '\t')
      return false;
    const auto said = mail::parse_transfer_encoding(line.substr(colon, 256 - colon).substr(1));
    return said == "binary" || said == "\"binary\"";
  }

  /// The colon that ends the name of a field; nothing: the line is none.
  static std::optional<std::size_t> end_of_name(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon > 1024) return std::nullopt;
    const auto blank = line.find_first_of(" \t");
    if (blank == 0) return std::nullopt;
    if (blank < colon && line.find_first_not_of(" \t", blank) < colon) return std::nullopt;
    return colon;
  }

  void header(std::size_t depth, bool is_in_digest, bool is_signed) {
    std::vector<Field> fields;
    bool is_broken = false;
    bool has_end = false;
    if (depth > mail::BinaryMime::kMaxDepth) result_.is_refused = true;
    while (at_ < message_.size() && !is_broken && !has_end && !result_.is_refused) {
      const auto line = line_here();
      const auto text = line.text;
      if (delimiter_in(text) || result_.is_refused) break;
      const auto colon = end_of_name(text);
      const bool is_folded = !text.empty() && (text.front() == ' ' || text.front() == '\t');
      has_end = text.empty();
      is_broken = !has_end && (is_folded ? fields.empty() : !colon);
      if (is_broken) break;
      take(line);
      if (has_end) break;
      if (is_folded) fields.back().text.append(text).append("\r\n");
      else fields.push_back({std::string(text.substr(0, *colon)), std::string(text.substr(*colon)) + "\r\n"});
    }
    if (!result_.is_refused) body(fields, is_broken, has_end, depth, is_in_digest, is_signed);
  }

  void body(
    const std::vector<Field>& fields, bool is_broken, bool has_end, std::size_t depth, bool is_in_digest,
    bool is_signed
  ) {
    std::optional<mail::MediaType> type;
    std::optional<std::string> encoding;
    bool is_binary = false;
    bool is_repeated = false;
    bool is_too_long = false;
    std::size_t waits = 0;  // octets between the encoding and the type
    for (const auto& field : fields) {
      const bool is_type = field.is("Content-Type");
      const bool is_encoding = field.is("Content-Transfer-Encoding");
      if (is_binary && !type) waits += field.name.size() + field.text.size();
      if (is_type || is_encoding)
        is_too_long = is_too_long || field.text.size() > mail::MimeHeader::kMaxField;
      if (is_type) {
        is_repeated = is_repeated || type;
        if (!type) type = mail::parse_media_type(field.text.substr(1));
      }
      if (is_encoding) {
        const auto said = mail::parse_transfer_encoding(field.text.substr(1));
        is_binary = is_binary || said == "binary";
        is_repeated = is_repeated || encoding;
        if (!encoding) encoding = said;
      }
    }
    if (!type) type = is_in_digest ? mail::MediaType{"message", "rfc822"} : mail::MediaType{};
    const bool is_message =
      type->type == "message" && (type->subtype == "rfc822" || type->subtype == "global");
    const auto said = encoding.value_or("");
    const bool is_plain = is_binary || said.empty() || said == "7bit" || said == "8bit";
    const bool has_parts = type->type == "multipart" && is_plain;
    const auto& boundary = type->boundary;
    result_.is_refused =
      is_too_long || waits > mail::MimeHeader::kMaxHeld ||
      (is_binary && (is_repeated || is_broken || is_signed || (type->type == "message" && !is_message) ||
                     (has_parts && boundary.empty()))) ||
      (has_parts && (type->has_extended_boundary || boundary.size() > mail::MimeHeader::kMaxBoundary));
    if (result_.is_refused) return;
    const bool is_leaf = type->type != "multipart" && !is_message;
    for (const auto& field : fields) {
      const bool is_changed = field.is("Content-Transfer-Encoding") && is_binary;
      result_.content.append(field.name)
        .append(
          !is_changed ? field.text
          : is_leaf   ? ": base64\r\n"
                      : ": 8bit\r\n"
        );
    }
    if (has_end) result_.content.append("\r\n");
    if (!has_end && !is_broken) return;  // a delimiter or the end of the content stands here
    if (has_parts && !boundary.empty()) {
      for (const auto& around : open_) {
        const auto& other = around.boundary;
        if (other == boundary || other + "--" == boundary || other == boundary + "--")
          result_.is_refused = true;
      }
      open_.push_back({boundary, depth, type->subtype == "digest", is_signed || type->subtype == "signed"});
    } else if (is_message && is_plain) {
      header(depth + 1, false, is_signed);
    } else if (is_leaf && is_binary) {
      binary();
    }
  }

  void binary() {
    const auto begin = at_;
    if (open_.empty()) {
      at_ = message_.size();
      return encode(message_.substr(begin));
    }
    for (auto line = begin; line < message_.size();) {
      const auto end = std::min(message_.find("\r\n", line), message_.size());
      const auto text = message_.substr(line, end - line);
      const auto delimiter = delimiter_in(text);
      if (result_.is_refused) return;
      if (delimiter) {
        encode(message_.substr(begin, line == begin ? 0 : line - 2 - begin));
        at_ = std::min(end + 2, message_.size());
        return pass_delimiter(text, *delimiter);
      }
      line = end + 2;
    }
    result_.is_refused = true;
  }
  void encode(std::string_view octets) {
    for (; !octets.empty(); octets.remove_prefix(std::min<std::size_t>(57, octets.size())))
      result_.content.append(base64(octets.substr(0, 57))).append("\r\n");
  }

  std::string_view message_;
  std::size_t at_ = 0;
  std::vector<Multipart> open_;
  bool is_labelled_ = false;
  Converted result_;
};

/// By the converter, in pieces of so many octets.
inline Converted convert(std::string_view message, std::size_t piece) {
  mail::BinaryMime converter;
  Converted result;
  for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
    converter.feed(message.substr(0, piece), result.content);
  converter.finish(result.content);
  if (converter.refusal()) return {{}, true};
  result.met_bare_line_ending = converter.met_bare_line_ending();
  result.longest_line = converter.longest_line();
  return result;
}

}  // namespace relay::test
