#include "relay/engine/transfer_lines.hpp"

#include "relay/base/text.hpp"
#include "relay/engine/transfer.hpp"

namespace relay::engine {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using spool::Family;

constexpr std::uint32_t kChunksAPage = 24;
constexpr std::size_t kMaxChunk = 1U << 20U;

tl::unexpected<Error> bad(const std::string& from, const std::string& what) {
  return permanent(Errc::invalid_argument, "message " + printable(from, 40) + ": " + what);
}

std::string line_of(const ordered_json& line) {
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

/// A record's payload as JSON, and back: they hold text and numbers alone.
json to_json(const std::string& payload) { return json::from_cbor(payload, true, false); }
std::string to_payload(const ordered_json& fields) {
  std::string payload;
  json::to_cbor(json::parse(fields.dump()), payload);
  return payload;
}

/// Of the places that this one's message has on hold: those that are named, or all.
Result<std::vector<Standing>> held_places_of(
  const spool::Store& store, const Standing& standing, const std::optional<std::vector<std::string>>& names
) {
  std::vector<Standing> found;
  const auto add = [&](Result<Standing> one) -> Result<void> {
    if (!one && one.error().code == Errc::not_found) return {};  // it was released meanwhile
    if (!one) return tl::unexpected(std::move(one.error()));
    if (one->family == Family::held && one->id == standing.id) found.push_back(std::move(*one));
    return {};
  };
  if (names) {
    for (const auto& name : *names) {
      if (auto added = add(read_standing(store, name)); !added) return tl::unexpected(added.error());
    }
    return found;
  }
  // Others of its recipients stand elsewhere only where this place has a share.
  if (standing.place.share.empty()) {
    if (auto added = add(standing); !added) return tl::unexpected(added.error());
    return found;
  }
  const auto keys = store.places_of(Family::held, standing.id);
  if (!keys) return tl::unexpected(keys.error());
  for (const auto& key : *keys) {
    if (auto added = add(read_standing(store, Family::held, key)); !added)
      return tl::unexpected(added.error());
  }
  return found;
}

Result<std::string> head_of(
  const spool::Store& store, const Standing& standing, const std::optional<std::vector<std::string>>& names
) {
  const auto stored = store.envelope(standing.id);
  if (!stored) return tl::unexpected(stored.error());
  const auto settled = store.results(standing.id);
  if (!settled) return tl::unexpected(settled.error());
  auto results = ordered_json::object();
  for (const auto& [recipient, result] : *settled)
    results[std::to_string(recipient)] = to_json(spool::to_payload(result));
  const auto places = held_places_of(store, standing, names);
  if (!places) return tl::unexpected(places.error());
  std::set<std::uint32_t> held;
  for (const auto& place : *places) {
    const auto pending = pending_recipients(*stored, place.place.share, *settled);
    held.insert(pending.begin(), pending.end());
  }
  const bool is_bulk = standing.place.queue.lane == queue::Lane::bulk;
  ordered_json head{
    {"queue_id", standing.id.to_text()},
    {"state", state_of(standing)},
    {"lane", is_bulk ? "bulk" : "normal"},
    {"envelope", to_json(spool::to_payload(*stored))},
    {"results", std::move(results)}
  };
  if (!held.empty()) head["held"] = held;
  return line_of({{"message", std::move(head)}});
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

Result<ExportPage> export_page(
  const spool::Store& store, const std::string& place, std::uint32_t from,
  const std::optional<std::vector<std::string>>& held
) {
  const auto standing = read_standing(store, place);
  if (!standing) return tl::unexpected(standing.error());
  const auto stored = store.envelope(standing->id);
  if (!stored) return tl::unexpected(stored.error());
  ExportPage page;
  if (from == 0) {
    auto head = head_of(store, *standing, held);
    if (!head) return tl::unexpected(std::move(head.error()));
    page.lines = std::move(*head);
  }
  const auto end = std::min(stored->chunks, from + kChunksAPage);
  for (auto index = from; index < end; ++index) {
    const auto octets = store.chunk(standing->id, index);
    if (!octets) return tl::unexpected(octets.error());
    page.lines += line_of({{"chunk", index}, {"crc32", crc32(*octets)}, {"octets", base64(*octets)}});
  }
  if (end < stored->chunks) page.next = end;
  else page.lines += line_of({{"end", standing->id.to_text()}});
  return page;
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
  if (!index.is_number_unsigned() || index.get<std::uint64_t>() != stored.chunks)
    return bad(from, "content is missing before chunk " + index.dump());
  if (text == line.end() || !text->is_string() || sum == line.end() || !sum->is_number_unsigned())
    return bad(from, "chunk " + index.dump() + " lacks `octets` or `crc32`");
  auto content = parse_base64(text->get_ref<const std::string&>());
  if (!content || content->empty() || content->size() > kMaxChunk ||
      crc32(*content) != sum->get<std::uint64_t>())
    return bad(from, "chunk " + index.dump() + " is damaged");
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

spool::Operations removal_of(const QueueId& id, std::uint32_t chunks) {
  spool::Operations operations{spool::remove(Family::incoming, spool::id_key(id))};
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk)
    operations.push_back(spool::remove(Family::content, spool::indexed_key(id, chunk)));
  return operations;
}

}  // namespace relay::engine
