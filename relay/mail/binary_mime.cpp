#include "relay/mail/binary_mime.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

constexpr std::string_view kCrlf = "\r\n";
/// Octets that a line of 76 characters of base64 holds (RFC 2045 section 6.8).
constexpr std::size_t kOctetsOfLine = 57;

bool is_break(char c) { return c == '\r' || c == '\n'; }

std::string_view without_blanks_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

/// Whether a line of both boundaries could be the same.
bool are_alike(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (b.size() == a.size() || b.substr(a.size()) == "--");
}

/// Octets of a line that are looked at to tell whether it says so.
constexpr std::size_t kMaxLabel = 256;

bool says_binary(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  if (!equals_ignoring_case(trimmed(line.substr(0, colon)), "content-transfer-encoding")) return false;
  const auto said = parse_transfer_encoding(line.substr(colon + 1));
  return said == "binary" || said == "\"binary\"";
}

}  // namespace

BinaryMime::BinaryMime() { begin_header(0, MimeHeader::Place::plain, false); }

void BinaryMime::feed(std::string_view octets, std::string& out) {
  while (!octets.empty() && !refusal_)
    octets = is_binary_ ? read_binary(octets, out) : read_lines(octets, out);
}

void BinaryMime::finish(std::string& out) {
  if (refusal_) return;
  if (std::exchange(has_cr_, false)) close_line(true, out);
  else if (line_octets_ > 0) close_line(false, out);
  if (refusal_) return;
  if (is_binary_) finish_binary(out);
  if (header_) end_header(MimeHeader::Ending::orderly, out);
  header_.reset();
}

// ---- lines ----

/// Takes text, or a line's end.
std::string_view BinaryMime::read_lines(std::string_view octets, std::string& out) {
  if (std::exchange(has_cr_, false)) {
    const bool is_crlf = octets.front() == '\n';
    if (is_crlf) octets.remove_prefix(1);
    close_line(!is_crlf, out);
    return octets;
  }
  const auto* const end = std::find_if(octets.begin(), octets.end(), is_break);
  const auto text = octets.substr(0, static_cast<std::size_t>(end - octets.begin()));
  read_label(text);
  line_octets_ += text.size();
  longest_line_ = std::max(longest_line_, line_octets_);
  put(text, out);
  octets.remove_prefix(text.size());
  if (octets.empty()) return octets;
  has_cr_ = octets.front() == '\r';
  octets.remove_prefix(1);
  if (!has_cr_) close_line(true, out);
  return octets;
}

/// @param text  of a line, before it counts
void BinaryMime::read_label(std::string_view text) {
  if (text.empty()) return;
  const bool begins = line_octets_ == 0;
  if (begins) label_.clear();
  if (begins ? ascii_lower(text.front()) == 'c' : !label_.empty())
    label_.append(text.substr(0, kMaxLabel - label_.size()));
}

/// @param is_bare  it ended otherwise than in CRLF, which becomes CRLF
void BinaryMime::close_line(bool is_bare, std::string& out) {
  met_bare_line_ending_ = met_bare_line_ending_ || is_bare;
  const bool is_harmful = is_bare && is_labelled_;
  if (line_octets_ > 0 && !header_ && says_binary(label_)) is_labelled_ = true;
  end_line(out);
  if (is_harmful) refuse("something says that it is binary where no header is read");
}

/// Text of a line, held back as long as it may be a delimiter.
void BinaryMime::put(std::string_view text, std::string& out) {
  if (text.empty() || refusal_) return;
  if (line_state_ == Line::start)
    line_state_ = !open_.empty() && text.front() == '-' ? Line::held : Line::passed;
  if (line_state_ == Line::passed) return pass(text, out);
  line_.append(text);
  if (!may_be_delimiter()) release_line(out);
}

void BinaryMime::release_line(std::string& out) {
  line_state_ = Line::passed;
  const auto line = std::exchange(line_, {});
  pass(line, out);
}

void BinaryMime::pass(std::string_view text, std::string& out) {
  if (refusal_) return;
  if (!header_) {
    out.append(text);
  } else if (header_->feed(text, out)) {
    refusal_ = header_->refusal();
  } else {
    reread(out);
  }
}

/// The line is no field: it begins the body, and may be a delimiter there.
void BinaryMime::reread(std::string& out) {
  const auto line = header_->take_back();
  end_header(MimeHeader::Ending::broken, out);
  begin_body();
  line_state_ = Line::start;
  put(line, out);
}

void BinaryMime::end_line(std::string& out) {
  line_octets_ = 0;
  if (line_state_ == Line::held) {
    if (const auto delimiter = delimiter_in(line_)) return pass_delimiter(*delimiter, out);
    release_line(out);
    if (line_state_ == Line::held) return end_line(out);  // it was reread
  }
  if (refusal_) return;
  line_state_ = Line::start;
  if (!header_) {
    out.append(kCrlf);
    return;
  }
  switch (header_->end_line(out)) {
    case MimeHeader::Step::more: refusal_ = header_->refusal(); return;
    case MimeHeader::Step::over: return begin_body();
    case MimeHeader::Step::broken: reread(out); return end_line(out);
  }
}

// ---- a binary body ----

/// Takes data up to what may be a delimiter, or part of that.
std::string_view BinaryMime::read_binary(std::string_view octets, std::string& out) {
  if (open_.empty()) {
    encode(octets, out);
    return {};
  }
  switch (octet_) {
    case Octet::data: {
      const auto data = octets.substr(0, octets.find('\r'));
      encode(data, out);
      octets.remove_prefix(data.size());
      if (octets.empty()) return octets;
      octet_ = Octet::behind_cr;
      return octets.substr(1);
    }
    case Octet::behind_cr:
      if (octets.front() != '\n') {
        encode("\r", out);
        octet_ = Octet::data;
        return octets;
      }
      break_ = kCrlf;
      octet_ = Octet::line;
      return octets.substr(1);
    case Octet::line: return read_candidate(octets, out);
    case Octet::behind_line_cr: return end_candidate(octets, out);
  }
  return {};
}

std::string_view BinaryMime::read_candidate(std::string_view octets, std::string& out) {
  const auto text = octets.substr(0, octets.find('\r'));
  line_.append(text);
  octets.remove_prefix(text.size());
  if (!may_be_delimiter()) {
    encode_held(out);
    octet_ = Octet::data;
    return octets;
  }
  if (octets.empty()) return octets;
  octet_ = Octet::behind_line_cr;
  return octets.substr(1);
}

std::string_view BinaryMime::end_candidate(std::string_view octets, std::string& out) {
  if (octets.front() != '\n') {
    encode_held(out);
    encode("\r", out);
    octet_ = Octet::data;
    return octets;
  }
  octet_ = Octet::line;
  if (const auto delimiter = delimiter_in(line_)) {
    pass_delimiter(*delimiter, out);
  } else {
    encode_held(out);
    break_ = kCrlf;  // the line's own, which may be a delimiter's
  }
  return octets.substr(1);
}

/// What was held back is data.
void BinaryMime::encode_held(std::string& out) {
  encode(std::exchange(break_, {}), out);
  encode(line_, out);
  line_.clear();
}

void BinaryMime::encode(std::string_view octets, std::string& out) {
  while (pending_.size() + octets.size() >= kOctetsOfLine) {
    const auto taken = octets.substr(0, kOctetsOfLine - pending_.size());
    octets.remove_prefix(taken.size());
    pending_.append(taken);
    out.append(base64(pending_)).append(kCrlf);
    pending_.clear();
  }
  pending_.append(octets);
}

void BinaryMime::end_encoding(std::string& out) {
  if (!pending_.empty()) out.append(base64(pending_)).append(kCrlf);
  pending_.clear();
  is_binary_ = false;
}

/// A delimiter ends it, if only the last line's end is missing: where it ends nobody knows otherwise.
void BinaryMime::finish_binary(std::string& out) {
  if (!open_.empty()) {
    const auto delimiter = octet_ == Octet::line ? delimiter_in(line_) : std::nullopt;
    if (!delimiter) return refuse("a part has no delimiter behind it");
    return pass_delimiter(*delimiter, out);
  }
  end_encoding(out);
}

// ---- structure ----

void BinaryMime::begin_header(std::size_t depth, MimeHeader::Place place, bool is_signed) {
  if (depth > kMaxDepth) return refuse("parts are nested more than 32 deep");
  depth_ = depth;
  is_signed_ = is_signed;
  header_.emplace(place, is_signed);
}

void BinaryMime::end_header(MimeHeader::Ending ending, std::string& out) {
  header_->end(ending, out);
  refusal_ = header_->refusal();
}

/// Behind a header that has ended.
void BinaryMime::begin_body() {
  refusal_ = header_->refusal();
  if (refusal_) return;
  const auto kind = header_->kind();
  if (kind == BodyKind::multipart) open_multipart();
  header_.reset();
  switch (kind) {
    case BodyKind::lines:
    case BodyKind::multipart: break;
    case BodyKind::binary:
      is_binary_ = true;
      octet_ = Octet::line;  // the header's last CRLF may be a delimiter's
      break_ = {};
      break;
    case BodyKind::message: begin_header(depth_ + 1, MimeHeader::Place::plain, is_signed_); break;
  }
}

void BinaryMime::open_multipart() {
  const auto& boundary = header_->boundary();
  for (const auto& around : open_) {
    if (are_alike(around.boundary, boundary)) return refuse("a boundary is that of a multipart around it");
  }
  open_.push_back({boundary, depth_, header_->is_digest(), is_signed_ || header_->has_signature()});
}

/// Ends all that is open in its multipart; the line comes out as it is.
void BinaryMime::pass_delimiter(Delimiter delimiter, std::string& out) {
  if (is_binary_) end_encoding(out);
  if (header_) end_header(MimeHeader::Ending::orderly, out);
  header_.reset();
  out.append(line_).append(kCrlf);
  line_.clear();
  line_state_ = Line::start;
  break_ = {};
  if (refusal_) return;
  open_.resize(delimiter.multipart + 1);
  const auto& multipart = open_.back();
  if (!delimiter.is_close) {
    const auto place = multipart.is_digest ? MimeHeader::Place::digest : MimeHeader::Place::plain;
    return begin_header(multipart.depth + 1, place, multipart.is_signed);
  }
  open_.pop_back();
}

std::optional<BinaryMime::Delimiter> BinaryMime::delimiter_in(std::string_view line) const {
  if (!line.starts_with("--")) return std::nullopt;
  line = without_blanks_behind(line.substr(2));
  if (line.empty()) return std::nullopt;
  for (std::size_t i = open_.size(); i > 0; --i) {
    const std::string_view boundary = open_[i - 1].boundary;
    if (!line.starts_with(boundary)) continue;
    const auto rest = line.substr(boundary.size());
    if (rest.empty() || rest == "--") return Delimiter{i - 1, !rest.empty()};
  }
  return std::nullopt;
}

/// Of what line_ holds so far.
bool BinaryMime::may_be_delimiter() {
  const std::string_view line = line_;
  if (line.substr(0, 2) != std::string_view("--").substr(0, line.size())) return false;
  if (line.size() <= kMaxDelimiterLine) return true;
  if (delimiter_in(line.substr(0, kMaxDelimiterLine))) refuse("a delimiter has too many blanks behind it");
  return false;
}

void BinaryMime::refuse(std::string_view why) {
  if (!refusal_) refusal_ = no_conversion(why);
}

}  // namespace relay::mail
