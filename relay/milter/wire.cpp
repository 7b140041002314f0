#include "relay/milter/wire.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::milter {
namespace {

using Kind = Answer::Kind;

constexpr std::size_t kLengthOctets = 4;
/// Before it, milters negotiated otherwise; libmilter gave it up in 1999.
constexpr std::uint32_t kOldestVersion = 2;
constexpr std::size_t kMaxFieldName = 256;
/// Octets of a line of a reply, and lines: with codes a line stays below 512 (RFC 5321 section 4.5.3.1.5).
constexpr std::size_t kMaxReplyText = 400;
constexpr std::size_t kMaxReplyLines = 10;

tl::unexpected<Error> fault(std::string what) { return transient(Errc::protocol_error, std::move(what)); }

std::string name_of(char command) { return "'" + printable(std::string_view(&command, 1), 1) + "'"; }

std::uint32_t parse_big_endian(std::string_view octets) {
  std::uint32_t value = 0;
  for (const char c : octets.substr(0, kLengthOctets)) value = value << 8U | static_cast<std::uint8_t>(c);
  return value;
}

/// Takes data apart from its front.
class Parts {
 public:
  explicit Parts(std::string_view data) : rest_(data) {}
  std::uint32_t number() {
    if (rest_.size() < kLengthOctets) is_whole_ = false;
    const auto value = parse_big_endian(rest_);
    rest_.remove_prefix(std::min(kLengthOctets, rest_.size()));
    return value;
  }
  /// Up to a NUL, which must be there.
  std::string text() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) {
      is_whole_ = false;
      return {};
    }
    std::string found(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return found;
  }
  /// Nothing was missing, and nothing is left.
  [[nodiscard]] bool are_all() const { return is_whole_ && rest_.empty(); }
  [[nodiscard]] bool are_there() const { return is_whole_; }

 private:
  std::string_view rest_;
  bool is_whole_ = true;
};

bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFieldName && std::all_of(name.begin(), name.end(), [](char c) {
    return is_printable(c) && c != ' ' && c != ':';
  });
}

/// How one change is written.
struct Shape {
  char command;
  Edit::Kind kind;
  std::uint32_t action;  // that it takes
  bool has_index;
  bool has_name;
};
constexpr Shape kShapes[] = {
  {'h', Edit::Kind::add_header, action::kAddHeaders, false, true},
  {'i', Edit::Kind::insert_header, action::kAddHeaders, true, true},
  {'m', Edit::Kind::change_header, action::kChangeHeaders, true, true},
  {'+', Edit::Kind::add_recipient, action::kAddRecipients, false, false},
  {'-', Edit::Kind::remove_recipient, action::kRemoveRecipients, false, false},
  {'e', Edit::Kind::change_sender, action::kChangeSender, false, false},
  {'q', Edit::Kind::quarantine, action::kQuarantine, false, false},
};

Result<Answer> parse_edit(const Packet& packet, const Shape& shape, const Options& options) {
  if ((options.actions & shape.action) == 0)
    return fault("a change " + name_of(packet.command) + " that was not agreed on");
  Parts parts(packet.data);
  Answer answer{Kind::edit, {}, {shape.kind, 0, {}, {}}};
  if (shape.has_index) answer.edit.index = parts.number();
  if (shape.has_name) answer.edit.name = parts.text();
  answer.edit.value = parts.text();
  // Behind a sender its parameters may stand, which are ours to choose.
  const bool is_whole = shape.kind == Edit::Kind::change_sender ? parts.are_there() : parts.are_all();
  if (!is_whole) return fault("a change " + name_of(packet.command) + " without its parts");
  if (shape.has_name && !is_field_name(answer.edit.name)) return fault("a change of a field without a name");
  return answer;
}

/// Libmilter's callers write a percent sign twice.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text.substr(i, 2) == "%%") ++i;
  }
  return out;
}

/// `550-5.7.1 No\r\n550 5.7.1 Never`: lines with the same code, each with the same status or none.
Result<Answer> parse_reply(const Packet& packet) {
  Parts parts(packet.data);
  const auto wire = unescaped(parts.text());
  if (!parts.are_all()) return fault("a reply without its end");
  mail::Reply reply;
  std::size_t lines = 0;
  for (std::string_view rest = wire; !rest.empty() && lines < kMaxReplyLines; ++lines) {
    const auto end = std::min(rest.find('\n'), rest.size());
    auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto code = parse_number(line.substr(0, 3));
    const bool is_refusal = code && *code >= 400 && *code <= 599 && (lines == 0 || *code == reply.code);
    if (!is_refusal || (line.size() > 3 && line[3] != ' ' && line[3] != '-'))
      return fault("a reply that refuses nothing: " + printable(wire, 100));
    line.remove_prefix(std::min<std::size_t>(4, line.size()));
    const auto status = mail::EnhancedStatus::parse_prefix(line);
    if (status) line.remove_prefix(std::min(line.find(' ') + 1, line.size()));
    if (status && line.find(' ') == std::string_view::npos && line.starts_with(status->to_text())) line = {};
    if (lines == 0) {
      reply.code = static_cast<std::uint16_t>(*code);
      if (status && status->status_class == reply.code / 100) reply.status = status;
    }
    reply.text += (lines == 0 ? "" : "\n") + printable(line, kMaxReplyText);
  }
  if (lines == 0) return fault("an empty reply");
  if (reply.code == 421) reply.code = 451;
  if (reply.text.empty()) reply.text = "Refused by a content filter";
  return Answer{Kind::refuse, std::move(reply), {}};
}

Answer refusal(std::uint16_t code, std::string_view text) {
  const auto status_class = static_cast<std::uint16_t>(code / 100);
  return {Kind::refuse, {code, mail::EnhancedStatus{status_class, 7, 1}, std::string(text)}, {}};
}

}  // namespace

Result<std::optional<Packet>> PacketReader::next() {
  const auto rest = std::string_view(received_).substr(position_);
  if (rest.size() < kLengthOctets) return std::nullopt;
  const auto length = parse_big_endian(rest);
  if (length == 0 || length > kMaxPacket)
    return fault("a packet of " + std::to_string(length) + " octets; is it a milter?");
  if (rest.size() - kLengthOctets < length) return std::nullopt;
  const auto whole = rest.substr(kLengthOctets, length);
  Packet packet{whole.front(), std::string(whole.substr(1))};
  position_ += kLengthOctets + length;
  if (position_ == received_.size() || position_ > kMaxPacket) {
    received_.erase(0, position_);
    position_ = 0;
  }
  return packet;
}

std::string big_endian(std::uint32_t value) {
  std::string octets;
  for (unsigned shift = 32; shift > 0; shift -= 8) octets += static_cast<char>(value >> (shift - 8U) & 0xFFU);
  return octets;
}

std::string to_wire(Command command, std::string_view data) {
  std::string packet = big_endian(static_cast<std::uint32_t>(data.size() + 1));
  packet += static_cast<char>(command);
  packet += data;
  return packet;
}

std::string texts(const std::vector<std::string_view>& all) {
  std::string data;
  for (const auto text : all) {
    std::copy_if(text.begin(), text.end(), std::back_inserter(data), [](char c) { return c != '\0'; });
    data += '\0';
  }
  return data;
}

std::string to_data(const Options& options) {
  return big_endian(options.version) + big_endian(options.actions) + big_endian(options.options);
}

Result<Options> parse_options(const Packet& packet) {
  if (packet.command != static_cast<char>(Command::negotiate))
    return fault("no answer to our offer, but " + name_of(packet.command));
  Parts parts(packet.data);
  Options options;
  options.version = parts.number();
  options.actions = parts.number();
  options.options = parts.number();
  if (!parts.are_there()) return fault("an answer to our offer without its parts");
  if (options.version < kOldestVersion || options.version > kVersion)
    return fault("version " + std::to_string(options.version) + " of the protocol, not 2 to 6");
  if (const auto more = options.actions & ~action::kOffered; more != 0)
    return fault("it wants actions that are not offered: " + std::to_string(more));
  if (const auto more = options.options & ~option::kOffered; more != 0)
    return fault("it wants options that are not offered: " + std::to_string(more));
  return options;
}

Result<Answer> parse_answer(const Packet& packet, const Options& options) {
  const auto* const shape = std::find_if(std::begin(kShapes), std::end(kShapes), [&](const Shape& one) {
    return one.command == packet.command;
  });
  if (shape != std::end(kShapes)) return parse_edit(packet, *shape, options);
  switch (packet.command) {
    case 'c': return Answer{Kind::go_on, {}, {}};
    case 'a': return Answer{Kind::accept, {}, {}};
    case 'd': return Answer{Kind::discard, {}, {}};
    case 's': return Answer{Kind::skip, {}, {}};
    case 'p': return Answer{Kind::progress, {}, {}};
    case 'r': return refusal(550, "Refused by a content filter");
    case 't': return refusal(451, "Refused by a content filter for now, try again later");
    // Both end connections: ours are one message's.
    case 'f':
    case '4': return refusal(451, "A content filter is not available, try again later");
    case 'y': return parse_reply(packet);
    default: return fault("an answer " + name_of(packet.command) + " that nobody knows");
  }
}

}  // namespace relay::milter
