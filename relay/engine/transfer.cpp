#include "relay/engine/transfer.hpp"

#include <nlohmann/json.hpp>

#include "relay/base/text.hpp"
#include "relay/engine/transfer_lines.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;
using spool::Family;

constexpr std::size_t kMaxStreams = 8;
constexpr std::chrono::minutes kSilence{1};

tl::unexpected<Error> bad(std::string what) { return permanent(Errc::invalid_argument, std::move(what)); }

/// Forgets chunks of a message without an envelope.
spool::Operations removal_of(const QueueId& id, std::uint32_t chunks) {
  spool::Operations operations{spool::remove(Family::incoming, spool::id_key(id))};
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk)
    operations.push_back(spool::remove(Family::content, spool::indexed_key(id, chunk)));
  return operations;
}

}  // namespace

/// What is known of a stream between its pieces.
struct Imports::Stream {
  bool is_busy = true;
  SteadyTime last{};
  std::optional<IncomingMessage> open;  // whose end has not come
};

/// Turns one piece into one batch. On a worker.
class Imports::Piece {
 public:
  Piece(const Context& context, Stream& stream, ImportOptions options)
      : context_(context), stream_(stream), options_(options), open_(stream.open) {}

  Result<void> read(std::string_view text) {
    while (!text.empty()) {
      const auto end = text.find('\n');
      const auto line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (trimmed(line).empty()) continue;
      const auto parsed = parse_line(line);
      if (!parsed) return tl::unexpected(parsed.error());
      if (auto read = take(*parsed); !read) return read;
    }
    mark();
    return {};
  }

  [[nodiscard]] const spool::Operations& operations() const { return operations_; }
  [[nodiscard]] bool has_messages() const { return !accepted_.empty() || held_messages_ > 0; }
  void announce(Dispatcher& dispatcher) const {
    for (const auto& message : accepted_) dispatcher.announce(message.places);
  }
  void settle(Dispatcher& dispatcher, Admission& admission, bool is_written) {
    if (is_written) stream_.open = open_;
    for (auto& message : accepted_) {
      if (!is_written) {
        dispatcher.withdraw(message.places);
        continue;
      }
      admission.add_waiting(1, message.fresh.stored.envelope.size);
      message.fresh = {};
      dispatcher.accepted(std::move(message));
    }
    if (!is_written) return;
    admission.add_waiting(held_messages_, held_octets_);
    for (const auto& record : records_) context_.log.write(record);
  }
  [[nodiscard]] ordered_json answer() const { return {{"imported", imported_}, {"skipped", skipped_}}; }

 private:
  Result<void> take(const ordered_json& line) {
    if (line.contains("message")) return begin(line.at("message"));
    if (line.contains("chunk")) return chunk(line);
    if (line.contains("abandoned")) return abandon();
    if (line.contains("end")) return end();
    return {};
  }

  Result<void> begin(const ordered_json& head) {
    if (open_) return bad("message " + open_->from + " has no end");
    auto parsed = parse_head(head);
    if (!parsed) return tl::unexpected(std::move(parsed.error()));
    open_ = std::move(*parsed);
    open_->id = context_.store.next_id();
    return {};
  }

  Result<void> chunk(const ordered_json& line) {
    if (!open_) return bad("content without a message");
    auto octets = open_->take_chunk(line);
    if (!octets) return tl::unexpected(std::move(octets.error()));
    const auto key = spool::indexed_key(open_->id, open_->stored.chunks++);
    operations_.push_back(spool::put_record(Family::content, key, *octets));
    return {};
  }

  Result<void> end() {
    if (!open_) return bad("an end without a message");
    if (auto whole = open_->check_whole(); !whole) return whole;
    const auto pending = pending_recipients(open_->stored, {}, open_->results);
    if (pending.empty()) {
      ++skipped_;
      return abandon();
    }
    const auto& id = open_->id;
    auto [places, held] = make_places(pending);
    if (open_->is_marked) operations_.push_back(spool::remove(Family::incoming, spool::id_key(id)));
    operations_.push_back(
      spool::put_record(Family::envelope, spool::id_key(id), spool::to_payload(open_->stored))
    );
    for (const auto& [recipient, result] : open_->results) {
      const auto key = spool::indexed_key(id, recipient);
      operations_.push_back(spool::put_record(Family::result, key, spool::to_payload(result)));
    }
    for (const auto& place : places) operations_.push_back(put_place(place));
    for (const auto& place : held) operations_.push_back(put_held(place));
    note(pending);
    if (places.empty()) {
      ++held_messages_;
      held_octets_ += open_->stored.envelope.size;
    } else {
      accepted_.push_back({id, std::move(places), {std::move(open_->stored), nullptr}});
    }
    open_.reset();
    return {};
  }

  struct Places {
    std::vector<Place> waiting;
    std::vector<Place> held;
  };

  [[nodiscard]] Places make_places(const std::vector<std::uint32_t>& pending) const {
    std::vector<std::uint32_t> waiting;
    std::vector<std::uint32_t> held;
    for (const auto index : pending)
      (options_.is_held || open_->held.contains(index) ? held : waiting).push_back(index);
    const bool is_divided = !waiting.empty() && !held.empty();
    // As held_places() has it: both may be of one queue.
    return {
      make_places(waiting, is_divided, milliseconds{0}), make_places(held, is_divided, milliseconds{1})
    };
  }

  /// @param later  than now: the time in their keys
  [[nodiscard]] std::vector<Place> make_places(
    const std::vector<std::uint32_t>& pending, bool is_divided, milliseconds later
  ) const {
    std::vector<Place> places;
    if (pending.empty()) return places;
    const auto now = context_.clock.now();
    const auto& envelope = open_->stored.envelope;
    const auto arrival = open_->is_dead_letter ? now : std::min(now, envelope.arrival);
    auto split = context_.limits.limits()->routes->split(envelope, pending);
    const bool is_whole = split.size() == 1 && !is_divided;
    for (auto& [destination, recipients] : split) {
      places.push_back(
        {{destination, open_->lane}, {{now + later, open_->id}, arrival, 0, envelope.size, now}, {}}
      );
      if (!is_whole) places.back().share = std::move(recipients);
    }
    return places;
  }

  void note(const std::vector<std::uint32_t>& pending) {
    const auto& envelope = open_->stored.envelope;
    auto recipients = ordered_json::array();
    for (const auto index : pending) recipients.push_back(envelope.recipients[index].to_text());
    imported_.push_back({{"from", open_->from}, {"queue_id", open_->id.to_text()}});
    records_.push_back(log::info("import")
                         .with("queue_id", open_->id.to_text())
                         .with("from", open_->from)
                         .with("sender", envelope.reverse_path.to_text())
                         .with("recipients", std::move(recipients))
                         .with("size", envelope.size));
  }

  /// Forgets the open message: chunks of this piece are not written, earlier ones are removed.
  Result<void> abandon() {
    if (!open_) return {};
    const auto prefix = spool::id_key(open_->id);
    std::erase_if(operations_, [&](const spool::Operation& operation) {
      return operation.family == Family::content && operation.key.starts_with(prefix);
    });
    if (open_->is_marked) {
      auto removal = removal_of(open_->id, open_->chunks_before);
      std::move(removal.begin(), removal.end(), std::back_inserter(operations_));
    }
    open_.reset();
    return {};
  }

  /// A message whose end has not come: swept at the next start, should it never come.
  void mark() {
    if (!open_) return;
    if (open_->stored.chunks > 0 && !std::exchange(open_->is_marked, true))
      operations_.push_back(spool::put(Family::incoming, spool::id_key(open_->id), ""));
    open_->chunks_before = open_->stored.chunks;
  }

  const Context& context_;
  Stream& stream_;
  ImportOptions options_;
  std::optional<IncomingMessage> open_;
  spool::Operations operations_;
  std::vector<Accepted> accepted_;
  std::vector<log::Record> records_;
  ordered_json imported_ = ordered_json::array();
  std::uint64_t skipped_ = 0;
  std::uint64_t held_messages_ = 0;
  std::uint64_t held_octets_ = 0;
};

Result<Imports::Shared> Imports::claim(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto found = streams_.find(name);
  if (found == streams_.end()) {
    if (streams_.size() >= kMaxStreams)
      return transient(Errc::unavailable, "too many imports at a time: try again in a minute");
    return streams_.emplace(name, std::make_shared<Stream>()).first->second;
  }
  if (std::exchange(found->second->is_busy, true))
    return transient(Errc::conflict, "a piece of this import is under way: wait for its answer");
  return found->second;
}

void Imports::release(const std::string& name, bool is_over) {
  const std::scoped_lock lock(mutex_);
  const auto found = streams_.find(name);
  if (found == streams_.end()) return;
  found->second->is_busy = false;
  found->second->last = context_.clock.clock().steady();
  if (!is_over) return;
  abandon(*found->second);
  streams_.erase(found);
}

void Imports::abandon(const Stream& stream) {
  if (stream.open && stream.open->is_marked)
    leftovers_.remove(removal_of(stream.open->id, stream.open->chunks_before));
}

void Imports::sweep() {
  const std::scoped_lock lock(mutex_);
  const auto now = context_.clock.clock().steady();
  std::erase_if(streams_, [&](const auto& entry) {
    const bool is_silent = !entry.second->is_busy && now - entry.second->last >= kSilence;
    if (is_silent) abandon(*entry.second);
    return is_silent;
  });
}

void Imports::take(const std::string& stream, std::string piece, ImportOptions options, Answer answer) {
  auto claimed = claim(stream);
  if (!claimed) return answer(tl::unexpected(std::move(claimed.error())));
  net::asio::post(
    context_.workers,
    [this, name = stream, shared = *claimed, text = std::move(piece), options, answer = std::move(answer)] {
      const auto give_up = [&](Error error) {
        release(name, true);
        answer(tl::unexpected(std::move(error)));
      };
      if (const auto refusal = admission_.refuse_message())
        return give_up({Errc::storage_full, Fate::transient, "no mail is taken now: " + refusal->to_line()});
      const auto batch = std::make_shared<Piece>(context_, *shared, options);
      if (auto read = batch->read(text); !read) return give_up(std::move(read.error()));
      batch->announce(dispatcher_);
      auto done = [this, name, shared, batch, answer](const Result<void>& result) {
        batch->settle(dispatcher_, admission_, result.has_value());
        release(name, !result);
        if (result) answer(batch->answer());
        else answer(tl::unexpected(result.error()));
      };
      const auto sync = batch->has_messages() ? spool::Sync::yes : spool::Sync::no;
      context_.committer.submit({batch->operations(), sync, std::move(done)});
    }
  );
}

}  // namespace relay::engine
