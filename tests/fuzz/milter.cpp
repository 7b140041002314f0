/// milter: what a filter sends, and what becomes of a header. Input: a line of cuts, an octet for the options that the filter
/// chose, then what it sends behind its answer to the offer.

#include <algorithm>

#include "relay/milter/conversation.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::milter {
namespace {

using fuzz::require;

constexpr std::string_view kHeader = "From: a@a.test\r\nX-A: one\r\n two\r\nx-a:three\r\n\r\n";

/// The plain reader: all at once, with nothing kept. Nothing at its end: the rest is no packet.
struct Heard {
  std::vector<Packet> packets;
  bool is_broken = false;
  friend bool operator==(const Heard&, const Heard&) = default;
};
Heard read_plainly(std::string_view octets) {
  Heard heard;
  while (octets.size() >= 4) {
    std::uint64_t length = 0;
    for (int i = 0; i < 4; ++i)
      length = length * 256 + static_cast<std::uint8_t>(octets[static_cast<std::size_t>(i)]);
    heard.is_broken = length < 1 || length > 65'536;
    if (heard.is_broken || octets.size() < 4 + length) break;
    heard.packets.push_back({octets[4], std::string(octets.substr(5, length - 1))});
    octets.remove_prefix(4 + length);
  }
  return heard;
}
Heard read_in_pieces(std::string_view octets, std::string_view cuts) {
  PacketReader reader;
  Heard heard;
  fuzz::in_pieces(octets, cuts, [&](std::string_view piece) {
    if (heard.is_broken) return;
    reader.feed(piece);
    while (true) {
      auto next = reader.next();
      heard.is_broken = !next;
      if (!next || !*next) return;
      heard.packets.push_back(std::move(**next));
    }
  });
  return heard;
}

/// Fields alone, up to one empty line at its end.
void check_header(std::string_view text) {
  require(fuzz::has_only_crlf(text.substr(0, text.size())), "a header's lines end in CRLF");
  require(text.ends_with("\r\n\r\n") || text == "\r\n", "a header ends with its empty line");
  HeaderEnd end;
  require(end.feed(text) == text.size() && end.is_met(), "no value ends a header");
  bool is_first = true;
  for (text.remove_suffix(2); !text.empty(); is_first = false) {
    const auto line = text.substr(0, text.find("\r\n"));
    const bool is_folded = line.starts_with(' ') || line.starts_with('\t');
    require(!is_first || !is_folded, "a header begins with a field");
    require(is_folded || line.find(':') > 0, "a line of a header is a field or part of one");
    text.remove_prefix(line.size() + 2);
  }
}

std::size_t fields_in(std::string_view text) { return Header::parse(text).fields().size(); }

void check(const Answer& answer, const Options& options) {
  const auto& reply = answer.reply;
  if (answer.kind == Answer::Kind::refuse) {
    require(reply.code >= 400 && reply.code <= 599 && reply.code != 421, "a refusal refuses a message");
    require(fuzz::is_all_printable(reply.to_line()) && !reply.text.empty(), "a reply is fit for clients");
    require(
      !reply.status || reply.status->status_class == reply.code / 100, "a status does not contradict its code"
    );
  }
  if (answer.kind != Answer::Kind::edit) return;
  for (const bool with_space : {false, true}) {
    auto header = Header::parse(kHeader);
    header.apply(answer.edit, with_space);
    const auto text = header.to_text();
    check_header(text);
    require(Header::parse(text).to_text() == text, "what is written is read as the same");
    require(fields_in(text) >= 2 && fields_in(text) <= 4, "a change is one of one field");
  }
  (void)options;
}

/// Runs a conversation against the filter's octets; how it ended, as text.
std::string converse(const Options& options, std::string_view octets, std::string_view cuts) {
  Message message;
  message.client = *IpAddress::parse("10.0.0.1");
  message.recipients = {"b@b.test", "c@b.test"};
  message.header = Header::parse(kHeader).fields();
  Conversation conversation(std::move(message), {});
  std::string all = to_wire(Command::negotiate, to_data(options)) + std::string(octets);
  std::vector<std::string> pieces;
  fuzz::in_pieces(all, cuts, [&](std::string_view piece) { pieces.emplace_back(piece); });
  std::size_t next = 0;
  int bodies = 2;
  Event event = event::Opened{};
  for (std::size_t turn = 0; turn < 100 + pieces.size() * 2; ++turn) {
    auto step = conversation.resume(event);
    if (std::holds_alternative<step::Write>(step)) event = event::Written{};
    else if (std::holds_alternative<step::ReadBody>(step))
      event = event::Body{bodies-- > 0 ? "body\r\n" : ""};
    else if (std::holds_alternative<step::Read>(step)) {
      if (next == pieces.size()) return "waits";
      event = event::Received{pieces[next++]};
    } else if (auto* done = std::get_if<step::Done>(&step)) {
      require(done->outcome.edits.size() <= kMaxEdits, "changes are bounded");
      require(
        done->outcome.kind == Outcome::Kind::accept || done->outcome.edits.empty(),
        "what is not stored is not changed"
      );
      return "done " + std::to_string(static_cast<int>(done->outcome.kind));
    } else {
      return "failed";
    }
  }
  require(false, "a conversation ends");
  return {};
}

}  // namespace
}  // namespace relay::milter

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  using namespace relay::milter;
  fuzz::InputView input(data, size);
  const auto cuts = input.line();
  const Options options{6, action::kOffered, input.octet() | 0xFF000U};
  const auto octets = input.rest();

  const auto heard = read_plainly(octets);
  fuzz::require(heard == read_in_pieces(octets, cuts), "packets are the same however they are cut");
  for (const auto& packet : heard.packets) {
    if (const auto answer = parse_answer(packet, options)) check(*answer, options);
    else fuzz::require(answer.error().fate == Fate::transient, "a filter may be mended");
    (void)parse_options(packet);
  }
  (void)converse(options, octets, cuts);

  // Any octets as a header: read and written the same.
  const std::string text(octets);
  fuzz::require(Header::parse(text).to_text() == text, "a header that nobody changes stays as it was");
  HeaderEnd whole;
  const auto end = whole.feed(text);
  HeaderEnd cut;
  std::size_t sum = 0;
  fuzz::in_pieces(text, cuts, [&](std::string_view piece) { sum += cut.feed(piece); });
  fuzz::require(sum == end, "a header ends at the same place however it is cut");
  return 0;
}
