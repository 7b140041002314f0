#include "relay/smtp/incoming_content.hpp"

#include <algorithm>
#include <utility>

namespace relay::smtp {

Reply too_large(const ServerLimits& limits) {
  return reply(552, {5, 3, 4}, "Message size exceeds " + to_text(limits.max_message_size));
}

std::uint64_t most_swallowed(const ServerLimits& limits) {
  return 2 * limits.max_message_size.count + kMaxSkippedLine;
}

IncomingContent::IncomingContent(
  Decoder decoder, std::string_view hostname, const mail::Mending& mending, const ServerLimits& limits
)
    : decoder_(std::move(decoder)),
      header_(hostname, {}, limits.bulk_headers.get()),
      credit_(limits.idle_timeout) {
  if (!mending.is_nothing()) mended_.emplace(Mended{{}, mail::Mender(mending), {}});
}

IncomingContent::Due IncomingContent::read(Input& input, const ServerLimits& limits) {
  while (!is_at_end() && !input.is_empty()) {
    take_slice(input);
    if (const auto due = check(limits); due != Due::nothing) return due;
  }
  if (!is_at_end()) return Due::nothing;
  if (auto* chunks = std::get_if<ChunkDecoder>(&decoder_)) return end_chunk(*chunks, limits);
  return end();
}

std::string IncomingContent::take_chunk() {
  size_ += chunk_.size();
  has_reached_sink_ = true;
  return std::exchange(chunk_, {});
}

void IncomingContent::wait(milliseconds waited, std::size_t octets, const ServerLimits& limits) {
  const auto earned = milliseconds{octets * 1000 / std::max(limits.min_data_rate, 1U)};
  credit_ = std::min(credit_ - waited + earned, limits.idle_timeout);
}

milliseconds IncomingContent::time_left() const { return std::max(credit_, milliseconds{1}); }

bool IncomingContent::is_at_end() const {
  if (const auto* chunks = std::get_if<ChunkDecoder>(&decoder_)) return chunks->is_at_end();
  return std::get<DataDecoder>(decoder_).is_done();
}

void IncomingContent::take_slice(Input& input) {
  const auto slice = input.pending().substr(0, kSlice);
  decoded_.clear();
  const auto taken = std::visit([&](auto& decoder) { return decoder.feed(slice, decoded_); }, decoder_);
  taken_ += taken;
  scan_decoded();
  input.consume(taken);
}

/// By the mender, where there is one, to the scan: this sees the header as it will be sent on.
void IncomingContent::scan_decoded() {
  if (!mended_) return header_.feed(decoded_, chunk_);
  auto& [edit, mender, octets] = *mended_;
  octets.clear();
  edit.feed(decoded_, mender, octets);
  header_.feed(octets, chunk_);
}

void IncomingContent::finish_header() {
  if (mended_) {
    auto& [edit, mender, octets] = *mended_;
    octets.clear();
    edit.finish(mender, octets);
    header_.feed(octets, chunk_);
  }
  header_.finish(chunk_);
}

/// Where a chunk ends is known, so a bad line end in it ends no connection.
IncomingContent::Due IncomingContent::check(const ServerLimits& limits) {
  const bool rejects = limits.bare_line_endings == BareLineEndings::reject;
  if (const auto* data = std::get_if<DataDecoder>(&decoder_)) {
    if (rejects && data->met_bare_line_ending()) return Due::bare_line_ending;
    return watch_limits(data->longest_line(), limits);
  }
  const auto& chunks = std::get<ChunkDecoder>(decoder_);
  if (rejects && chunks.met_bare_line_ending() && !refusal_)
    refusal_ = reply(550, {5, 5, 2}, "Lines end in CR LF, bare CR or LF refused");
  if (!refusal_) refusal_ = chunks.refusal();
  return watch_limits(chunks.longest_line(), limits);
}

IncomingContent::Due IncomingContent::watch_limits(std::uint64_t longest_line, const ServerLimits& limits) {
  if (!refusal_) {
    const auto ours = mended_ ? mended_->mender.added() : 0;
    if (size() > limits.max_message_size.count + ours) {
      refusal_ = too_large(limits);
    } else if (longest_line > kMaxContentLine) {
      refusal_ = reply(554, {5, 6, 0}, "Line longer than 1 MiB");
    } else if (header_.is_too_large()) {
      refusal_ = reply(552, {5, 3, 4}, "Header too large");
    }
  }
  if (!refusal_) return chunk_.size() < kChunkSize ? Due::nothing : Due::hand_on;
  chunk_.clear();
  if (taken_ > most_swallowed(limits)) return Due::too_much;
  return std::exchange(has_reached_sink_, false) ? Due::discard : Due::nothing;
}

IncomingContent::Due IncomingContent::end_chunk(ChunkDecoder& chunks, const ServerLimits& limits) {
  const bool is_last = chunks.chunk().is_last;
  if (is_last && !refusal_) {
    decoded_.clear();
    chunks.finish(decoded_);
    scan_decoded();
  }
  if (const auto due = check(limits); due != Due::nothing) return due;
  return refusal_ || is_last ? end() : Due::next_chunk;
}

IncomingContent::Due IncomingContent::end() {
  finish_header();
  if (!refusal_ && header_.is_looping())
    refusal_ = reply(554, {5, 4, 6}, "Too many hops, this message loops");
  if (refusal_ && std::exchange(has_reached_sink_, false)) return Due::discard;
  return Due::end;
}

}  // namespace relay::smtp
