/// CHUNKING and BINARYMIME (RFC 3030): the BDAT command and its chunks.

#include <utility>

#include "relay/smtp/server_session.hpp"

namespace relay::smtp {

/// The chunk behind the command is read whatever the answer will be: it must never run as commands.
void ServerSession::bdat(std::string_view argument) {
  const auto chunk = parse_chunk(argument);
  if (!chunk) return close_unread_chunk(reply(501, {5, 5, 4}, "Syntax: BDAT octets [LAST], closing"));
  if (chunk->octets > most_swallowed()) return close(too_large(), "BDAT beyond measure");
  auto refusal = refuse_bdat();
  if (!incoming_) {
    begin_content(LineEnding::crlf);
    const bool is_binary = transaction_ && transaction_->is_binary;
    incoming_->chunks.emplace(is_binary ? ChunkDecoder::Content::binary_mime : ChunkDecoder::Content::lines);
  }
  auto& in = *incoming_;
  if (!refusal && in.taken + chunk->octets > limits_.max_message_size.count) refusal = too_large();
  if (refusal) in.refusal = std::move(refusal);
  in.chunks->begin(*chunk);
  state_ = State::data;
}

/// What the chunk will be answered, for reasons that its octets don't change.
std::optional<Reply> ServerSession::refuse_bdat() const {
  if (limits_.needs_tls && !tls_) return tls_first();
  if (!transaction_) return reply(503, {5, 5, 1}, "MAIL and RCPT come first");
  if (transaction_->envelope.recipients.empty()) return no_recipients();
  return std::nullopt;
}

/// What such a client means nobody knows (RFC 3030 sections 2 and 3), and half a message must not go out.
void ServerSession::refuse_data_for_bdat() {
  const auto* const why = incoming_ ? "The content has begun by BDAT" : "BINARYMIME comes by BDAT";
  forget_transaction();
  refuse_data(reply(503, {5, 5, 1}, why));
}

/// Decodes what is there of the chunk. A step when there is one to make.
std::optional<ServerStep> ServerSession::read_chunk() {
  auto& in = *incoming_;
  while (!in.chunks->is_at_end() && !pending().empty()) {
    in.decoded.clear();
    const auto taken = in.chunks->feed(pending().substr(0, kSlice), in.decoded);
    in.taken += taken;
    take_decoded();
    consume(taken);
    if (auto step = check_chunk()) return step;
    if (state_ != State::data) return std::nullopt;
  }
  if (!in.chunks->is_at_end()) return std::nullopt;
  return end_chunk();
}

/// Where a chunk ends is known, so a bad line end in it ends no connection.
std::optional<ServerStep> ServerSession::check_chunk() {
  auto& in = *incoming_;
  const bool is_bad =
    in.chunks->met_bare_line_ending() && limits_.bare_line_endings == BareLineEndings::reject;
  if (is_bad && !in.refusal) in.refusal = reply(550, {5, 5, 2}, "Lines end in CR LF, bare CR or LF refused");
  if (!in.refusal) in.refusal = in.chunks->refusal();
  return watch_limits(in.chunks->longest_line());
}

std::optional<ServerStep> ServerSession::end_chunk() {
  auto& in = *incoming_;
  const auto chunk = in.chunks->chunk();
  if (chunk.is_last && !in.refusal) {
    in.decoded.clear();
    in.chunks->finish(in.decoded);
    take_decoded();
  }
  if (auto step = check_chunk()) return step;
  if (state_ != State::data) return std::nullopt;
  if (in.refusal || chunk.is_last) return end_content();
  state_ = State::command;
  const auto answer = reply(250, {2, 0, 0}, std::to_string(chunk.octets) + " octets received");
  if (chunk.octets == 0) junk(answer);
  else say(answer);
  return std::nullopt;
}

}  // namespace relay::smtp
