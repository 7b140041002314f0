#include "relay/engine/intake.hpp"

#include <utility>

#include "relay/engine/records.hpp"
#include "relay/mail/received.hpp"
#include "relay/net/completion.hpp"
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

log::Record with_origin(log::Record record, const mail::Envelope& envelope, const QueueId& id) {
  return std::move(record)
    .with("queue_id", id.to_text())
    .with("client", envelope.origin.client)
    .with("helo", envelope.origin.helo)
    .with("protocol", envelope.origin.extended ? "ESMTP" : "SMTP")
    .with("sender", envelope.reverse_path.to_text())
    .with("recipients", to_texts(envelope.recipients))
    .with("size", envelope.size);
}

log::Record reception_record(const mail::Envelope& envelope, const QueueId& id, milliseconds took) {
  const auto reply = smtp::reply(250, {2, 0, 0}, "OK queued as " + id.to_text());
  return with_origin(log::info("reception"), envelope, id)
    .with("reply", reply.to_line())
    .with("commit_ms", took.count());
}

log::Record refusal_record(const mail::Envelope& envelope, const QueueId& id, const Error& error) {
  return with_origin(log::error("storage_error"), envelope, id)
    .with("reply", smtp::reply_for(error).to_line())
    .with("error", error.message());
}

}  // namespace

class Intake::Message : public session::IncomingMessage {
 public:
  explicit Message(Intake& intake) : intake_(intake), id_(intake.context_.store.next_id()) {}

  /// Forgets what was stored of a message that was not committed. Nobody waits for it.
  ~Message() override {
    if (chunks_ == 0 || is_committed_) return;
    spool::Operations operations{spool::remove(Family::incoming, spool::id_key(id_))};
    for (std::uint32_t chunk = 0; chunk < chunks_; ++chunk) {
      operations.push_back(spool::remove(Family::content, spool::indexed_key(id_, chunk)));
    }
    intake_.leftovers_.remove(std::move(operations));
  }

  Awaitable<Result<void>> append(std::string chunk) override {
    spool::Operations operations;
    if (chunks_ == 0) operations.push_back(spool::put(Family::incoming, spool::id_key(id_), ""));
    operations.push_back(spool::put_record(Family::content, spool::indexed_key(id_, chunks_), chunk));
    ++chunks_;
    return committed(
      intake_.context_.committer, std::move(operations), spool::Sync::no, [](const Result<void>&) {}
    );
  }

  Awaitable<Result<QueueId>> commit(mail::Envelope envelope, std::string last_chunk) override {
    const auto& context = intake_.context_;
    const auto begin = context.clock.clock().steady();
    const auto destination = route::smarthost_destination();
    envelope.arrival = context.clock.clock().wall();
    envelope.received = mail::received_line(envelope, id_, context.limits.limits()->hostname);
    const auto chunks_before = chunks_;
    const bool is_whole = chunks_ == 0;
    auto operations = accept_operations(envelope, last_chunk, destination);
    const queue::Item item{{due_, id_}, due_, 0, envelope.size};
    Fresh fresh{{envelope, chunks_}, is_whole ? intake_.memory_.keep(std::move(last_chunk)) : nullptr};

    is_committed_ = true;  // from here on the spool decides what becomes of it
    intake_.dispatcher_.announce(destination, id_);
    auto note = [&intake = intake_, id = id_, item, destination,
                 fresh = std::move(fresh)](const Result<void>& result) {
      if (!result) return intake.dispatcher_.withdraw(destination, id);
      intake.admission_.add_waiting(1, item.size);
      intake.dispatcher_.accepted(destination, item, fresh);
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
    context.log.write(reception_record(envelope, id_, took));
    co_return id_;
  }

 private:
  /// docs/spool.md, "end of data".
  spool::Operations accept_operations(
    const mail::Envelope& envelope, const std::string& last_chunk, const route::Destination& destination
  ) {
    spool::Operations operations;
    if (chunks_ > 0) operations.push_back(spool::remove(Family::incoming, spool::id_key(id_)));
    if (!last_chunk.empty()) {
      operations.push_back(spool::put_record(Family::content, spool::indexed_key(id_, chunks_), last_chunk));
      ++chunks_;
    }
    operations.push_back(
      spool::put_record(Family::envelope, spool::id_key(id_), spool::to_payload({envelope, chunks_}))
    );
    due_ = intake_.context_.clock.now();
    const spool::Waiting waiting{due_, envelope.size, 0, ""};
    operations.push_back(
      spool::put_record(Family::due, spool::due_key(destination.name, due_, id_), spool::to_payload(waiting))
    );
    return operations;
  }

  Intake& intake_;
  QueueId id_;
  std::uint32_t chunks_ = 0;
  WallTime due_{};
  bool is_committed_ = false;
};

std::unique_ptr<session::IncomingMessage> Intake::begin() { return std::make_unique<Message>(*this); }

}  // namespace relay::engine
