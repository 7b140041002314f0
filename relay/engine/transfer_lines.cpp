#include "relay/engine/transfer_lines.hpp"

#include <boost/crc.hpp>

#include "relay/base/text.hpp"

namespace relay::engine {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kMaxChunk = 1U << 20U;
/// Of arrays and objects in one another. A line has six of them at most; what writes JSON calls itself for each.
constexpr int kMaxDepth = 16;

tl::unexpected<Error> bad(const std::string& from, const std::string& what) {
  return permanent(Errc::invalid_argument, "message " + printable(from, 40) + ": " + what);
}

/// A record's payload of its JSON: they hold text and numbers alone.
std::string to_payload(const ordered_json& fields) {
  std::string payload;
  json::to_cbor(json::parse(fields.dump()), payload);
  return payload;
}

bool has_crlf_only(std::string_view text, bool& ends_in_cr, bool& ends_a_line) {
  for (const char c : text) {
    if (ends_in_cr != (c == '\n')) return false;
    ends_a_line = c == '\n';
    ends_in_cr = c == '\r';
  }
  return true;
}

bool is_whole_lines(std::string_view text) {
  bool ends_in_cr = false;
  bool ends_a_line = true;
  return has_crlf_only(text, ends_in_cr, ends_a_line) && ends_a_line;
}

Result<void> read_results(const ordered_json& results, IncomingMessage& message) {
  for (const auto& [recipient, fields] : results.items()) {
    const auto index = parse_number(recipient);
    auto settled = spool::parse_settled(to_payload(fields));
    if (!index || *index >= message.stored.envelope.recipients.size() || !settled)
      return bad(message.from, "a result is not valid");
    // Nobody heard of it: it is tried anew.
    if (message.is_dead_letter && !settled->is_delivered && !settled->is_closed) continue;
    message.results.emplace(static_cast<std::uint32_t>(*index), std::move(*settled));
  }
  return {};
}

Result<void> read_held(const ordered_json& head, IncomingMessage& message) {
  const auto held = head.find("held");
  if (held == head.end()) return {};
  for (const auto& index : *held) {
    if (!index.is_number_unsigned() ||
        index.get<std::uint64_t>() >= message.stored.envelope.recipients.size())
      return bad(message.from, "`held` names a recipient that it has not");
    message.held.insert(index.get<std::uint32_t>());
  }
  return {};
}

}  // namespace

Result<ordered_json> parse_line(std::string_view line) {
  bool is_deep = false;
  const auto keep = [&](int depth, ordered_json::parse_event_t /*event*/, ordered_json& /*value*/) {
    is_deep = is_deep || depth > kMaxDepth;
    return !is_deep;
  };
  auto parsed = ordered_json::parse(line, keep, false);
  if (is_deep) return permanent(Errc::invalid_argument, "a line has too many values in one another");
  if (!parsed.is_object())
    return permanent(Errc::invalid_argument, "a line is no JSON object: '" + printable(line, 60) + "'");
  return parsed;
}

Result<IncomingMessage> parse_head(const ordered_json& head) {
  IncomingMessage message;
  try {
    message.from = head.at("queue_id").get<std::string>();
    message.is_dead_letter = head.at("state").get<std::string>() == "failed";
    if (head.value("lane", "normal") == "bulk") message.lane = queue::Lane::bulk;
    auto stored = spool::parse_envelope(to_payload(head.at("envelope")));
    if (!stored) return bad(message.from, stored.error().context);
    message.stored = std::move(*stored);
    message.stored.chunks = 0;
    const auto& envelope = message.stored.envelope;
    if (envelope.recipients.empty()) return bad(message.from, "it has no recipient");
    if (envelope.body > mail::Body::eight_bit_mime) return bad(message.from, "its body type is not known");
    if (!is_whole_lines(envelope.received))
      return bad(message.from, "its Received line has line ends other than CRLF");
    if (auto read = read_results(head.at("results"), message); !read) return tl::unexpected(read.error());
    if (auto read = read_held(head, message); !read) return tl::unexpected(read.error());
  } catch (const json::exception& exception) {
    return bad(message.from, std::string("its head is not valid: ") + exception.what());
  }
  return message;
}

Result<std::string> IncomingMessage::take_chunk(const ordered_json& line) {
  const auto& index = line.at("chunk");
  const auto text = line.find("octets");
  const auto sum = line.find("crc32");
  const auto name = printable(index.dump(), 20);
  if (!index.is_number_unsigned() || index.get<std::uint64_t>() != stored.chunks)
    return bad(from, "content is missing before chunk " + name);
  if (text == line.end() || !text->is_string() || sum == line.end() || !sum->is_number_unsigned())
    return bad(from, "chunk " + name + " lacks `octets` or `crc32`");
  auto content = parse_base64(text->get_ref<const std::string&>());
  if (!content || content->empty() || content->size() > kMaxChunk ||
      crc32(*content) != sum->get<std::uint64_t>())
    return bad(from, "chunk " + name + " is damaged");
  if (!has_crlf_only(*content, ends_in_cr, ends_a_line))
    return bad(from, "its content has line ends other than CRLF");
  octets += content->size();
  return std::move(*content);
}

Result<void> IncomingMessage::check_whole() const {
  if (octets != stored.envelope.size) return bad(from, "content is missing at its end");
  if (!ends_a_line) return bad(from, "its content has no line end at its end");
  return {};
}

std::uint32_t crc32(std::string_view octets) {
  boost::crc_32_type sum;
  sum.process_bytes(octets.data(), octets.size());
  return sum.checksum();
}

}  // namespace relay::engine
