#include "relay/engine/intake.hpp"

#include <exception>
#include <utility>

#include "relay/engine/records.hpp"
#include "relay/mail/received.hpp"
#include "relay/net/completion.hpp"
#include "relay/route/domain_pattern.hpp"
#include "relay/smtp/reply.hpp"

namespace relay::engine {
namespace {

using metrics::Counter;
using net::Awaitable;
using spool::Family;

/// Waits for the committer. @param before_answer  called on the committer's thread, with the result, before
/// the caller resumes
Awaitable<Result<void>> committed(
  spool::Committer& committer, spool::Operations operations, spool::Sync sync,
  std::function<void(const Result<void>&)> before_answer
) {
  using Answer = std::function<void(Result<void>)>;
  auto shared = std::make_shared<spool::Operations>(std::move(operations));
  std::function<void(Answer)> start = [&committer, shared, sync,
                                       before_answer = std::move(before_answer)](Answer answer) {
    auto done = [answer = std::move(answer), before_answer](const Result<void>& result) {
      before_answer(result);
      answer(result);
    };
    committer.submit({std::move(*shared), sync, std::move(done)});
  };
  return net::answered_by<Result<void>>(std::move(start));
}

queue::Lane lane_of(const mail::Envelope& envelope, const Limits& limits) {
  switch (envelope.priority) {
    case mail::Priority::normal: return queue::Lane::normal;
    case mail::Priority::bulk: return queue::Lane::bulk;
    case mail::Priority::unset: break;
  }
  const auto& sender = envelope.reverse_path;
  const bool is_bulk =
    envelope.is_bulk || route::matches_sender(limits.bulk_senders, sender.to_text(), sender.domain());
  return is_bulk ? queue::Lane::bulk : queue::Lane::normal;
}

log::Record with_origin(log::Record record, const mail::Envelope& envelope, const QueueId& id) {
  record.with("queue_id", id.to_text())
    .with("client", envelope.origin.client)
    .with("helo", envelope.origin.helo)
    .with("protocol", envelope.origin.extended ? "ESMTP" : "SMTP");
  if (const auto& tls = envelope.origin.tls)
    record.with("tls_version", tls->version).with("tls_cipher", tls->cipher);
  if (!envelope.origin.user.empty()) record.with("user", envelope.origin.user);
  if (envelope.origin.listener != mail::kMainListener) record.with("listener", envelope.origin.listener);
  return std::move(record)
    .with("sender", envelope.reverse_path.to_text())
    .with("recipients", to_texts(envelope.recipients))
    .with("size", envelope.size);
}

std::vector<std::string> captured_texts(const mail::Envelope& envelope) {
  std::vector<std::string> texts;
  for (const auto index : envelope.captured) texts.push_back(envelope.recipients[index].to_text());
  return texts;
}

/// What the mode has done to a message stands in its record; of a relay in production nothing does. So does whom the client
/// named, where that is not who stands in the envelope.
log::Record reception_record(
  const mail::Envelope& envelope, const std::optional<mail::Parties>& named, const policy::Guard& guard,
  const QueueId& id, milliseconds took
) {
  const auto reply = smtp::reply(250, {2, 0, 0}, "OK queued as " + id.to_text());
  auto record = with_origin(log::info("reception"), envelope, id)
                  .with("message_id", envelope.message_id)
                  .with("reply", reply.to_line())
                  .with("commit_ms", took.count());
  if (guard.mode != policy::Mode::deliver) record.with("mode", policy::to_text(guard.mode));
  if (named && named->sender != envelope.reverse_path)
    record.with("original_sender", named->sender.to_text());
  if (named && named->recipients != envelope.recipients)
    record.with("original_recipients", to_texts(named->recipients));
  if (!envelope.captured.empty()) record.with("captured", captured_texts(envelope));
  return record;
}

log::Record refusal_record(const mail::Envelope& envelope, const QueueId& id, const Error& error) {
  return with_origin(log::error("storage_error"), envelope, id)
    .with("reply", smtp::reply_for(error).to_line())
    .with("error", error.message());
}

}  // namespace

class Intake::Message : public session::IncomingMessage {
 public:
  explicit Message(Intake& intake)
      : intake_(intake), id_(intake.context_.store.next_id()), kept_(intake.memory_.keeper()) {}

  ~Message() override {
    if (chunks_ == 0 || is_committed_) return;
    try {
      forget();
    } catch (const std::exception&) {  // no memory: the next start sweeps it
    }
  }

  [[nodiscard]] QueueId id() const override { return id_; }
  void expect_header() override { first_ = 1; }
  void set_header(std::string header) override { header_ = std::move(header); }
  void note_named(mail::Parties named) override { named_ = std::move(named); }

  Awaitable<Result<void>> append(std::string chunk) override {
    spool::Operations operations;
    if (chunks_ == 0) operations.push_back(spool::put(Family::incoming, spool::id_key(id_), ""));
    operations.push_back(spool::put_record(Family::content, spool::indexed_key(id_, first_ + chunks_), chunk)
    );
    ++chunks_;
    kept_.append(std::move(chunk));
    return committed(
      intake_.context_.committer, std::move(operations), spool::Sync::no, [](const Result<void>&) {}
    );
  }

  Awaitable<Result<std::string>> appended(std::uint32_t index) override {
    if (index >= chunks_) co_return std::string();
    using Answer = std::function<void(Result<std::string>)>;
    std::function<void(Answer)> start = [this, index](Answer answer) {
      net::asio::post(intake_.context_.workers, [this, index, answer = std::move(answer)] {
        answer(intake_.context_.store.chunk(id_, first_ + index));
      });
    };
    auto chunk = co_await net::answered_by<Result<std::string>>(std::move(start));
    co_return chunk;
  }

  Awaitable<Result<QueueId>> commit(mail::Envelope envelope, std::string last_chunk) override {
    const auto& context = intake_.context_;
    const auto begin = context.clock.clock().steady();
    envelope.arrival = context.clock.clock().wall();
    const auto limits = context.limits.limits();
    const auto redirected = policy::apply(limits->guard, envelope);
    if (!redirected.empty() && !named_) named_ = {envelope.reverse_path, redirected};
    envelope.received = received(envelope, redirected, *limits);
    const auto chunks_before = chunks_;
    const bool is_whole = chunks_ == 0;
    if (is_whole) last_chunk.insert(0, header_);
    auto operations = content_operations(last_chunk);
    auto accepted = std::make_shared<Accepted>();
    accepted->id = id_;
    const auto lane = lane_of(envelope, *limits);
    const auto now = context.clock.now();
    accepted->places = new_places(*limits->routes, envelope, id_, lane, now);
    accepted->placed = now;
    const auto held = held_places(*limits->routes, envelope, id_, lane, now);
    const auto captured = captured_places(*limits->routes, envelope, id_, lane, now);
    auto& fresh = accepted->fresh;
    // A message that is whole has one chunk, which its header is part of.
    const auto stored_chunks = is_whole ? chunks_ : first_ + chunks_;
    if (!is_whole && first_ > 0) kept_.put_first(header_);
    if (!last_chunk.empty()) kept_.append(std::move(last_chunk));
    fresh = {{envelope, stored_chunks}, kept_.take()};
    auto records = accept_operations(id_, fresh.stored, accepted->places, held);
    std::move(records.begin(), records.end(), std::back_inserter(operations));
    auto kept_in = put_all_captured(captured, policy::why_captured(limits->guard));
    std::move(kept_in.begin(), kept_in.end(), std::back_inserter(operations));

    is_committed_ = true;  // from here on the spool decides what becomes of it
    intake_.dispatcher_.announce(accepted->places);
    auto note = [&intake = intake_, accepted](const Result<void>& result) {
      if (!result) return intake.dispatcher_.withdraw(accepted->places);
      intake.admission_.add_waiting(1, accepted->fresh.stored.envelope.size);
      intake.dispatcher_.accepted(std::move(*accepted));
    };
    auto result =
      co_await committed(context.committer, std::move(operations), spool::Sync::yes, std::move(note));
    if (!result) {
      context.log.write(refusal_record(envelope, id_, result.error()));
      // Nothing of a batch that met a full disk was written: what came before it is ours to remove.
      is_committed_ = result.error().fate == Fate::terminal;
      chunks_ = chunks_before;
      co_return tl::unexpected(std::move(result.error()));
    }
    const auto took = std::chrono::duration_cast<milliseconds>(context.clock.clock().steady() - begin);
    intake_.counters_.add(Counter::messages_received);
    intake_.counters_.add(Counter::octets_received, envelope.size);
    intake_.counters_.add(Counter::recipients_captured, envelope.captured.size());
    intake_.counters_.add(Counter::recipients_redirected, redirected.size());
    context.log.write(reception_record(envelope, named_, limits->guard, id_, took));
    co_return id_;
  }

 private:
  /// Removes what was stored of a message that was not committed. Nobody waits for it.
  void forget() {
    spool::Operations operations{spool::remove(Family::incoming, spool::id_key(id_))};
    for (std::uint32_t chunk = first_; chunk < first_ + chunks_; ++chunk) {
      operations.push_back(spool::remove(Family::content, spool::indexed_key(id_, chunk)));
    }
    intake_.leftovers_.remove(std::move(operations));
  }

  /// What stands on top of the content.
  [[nodiscard]] std::string received(
    const mail::Envelope& envelope, const std::vector<mail::Address>& redirected, const Limits& limits
  ) const {
    const auto shown = limits.hides_clients ? mail::ClientShown::no : mail::ClientShown::yes;
    return mail::received_line(envelope, id_, limits.hostname, shown) +
           policy::original_to_fields(redirected);
  }

  /// docs/spool.md, "end of data": what stands beside envelope and places.
  spool::Operations content_operations(const std::string& last_chunk) {
    spool::Operations operations;
    const auto first = chunks_ > 0 ? first_ : 0;
    if (chunks_ > 0) operations.push_back(spool::remove(Family::incoming, spool::id_key(id_)));
    if (chunks_ > 0 && first_ > 0)
      operations.push_back(spool::put_record(Family::content, spool::indexed_key(id_, 0), header_));
    if (!last_chunk.empty()) {
      operations.push_back(
        spool::put_record(Family::content, spool::indexed_key(id_, first + chunks_), last_chunk)
      );
      ++chunks_;
    }
    return operations;
  }

  Intake& intake_;
  QueueId id_;
  std::uint32_t first_ = 0;   // index of the first chunk that is appended: 1 leaves a place for the header
  std::uint32_t chunks_ = 0;  // appended
  std::string header_;
  ContentMemory::Keeper kept_;
  std::optional<mail::Parties> named_;  // by the client; nothing: whom the envelope names
  bool is_committed_ = false;
};

std::unique_ptr<session::IncomingMessage> Intake::begin() { return std::make_unique<Message>(*this); }

}  // namespace relay::engine
