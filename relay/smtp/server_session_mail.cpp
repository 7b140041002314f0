/// A mail transaction in a session (RFC 5321 section 3.3): MAIL, RCPT, and content by DATA or by BDAT (RFC 3030).

#include <utility>

#include "relay/smtp/server_session.hpp"

namespace relay::smtp {

// ---- MAIL and RCPT ----

/// For who relays by address or has logged in: everybody else gets RFC 5321's grammar.
std::string_view ServerSession::unqualified_domain() const {
  const bool may_relay = client_.grammar == Grammar::lenient || !user_.empty();
  return may_relay ? std::string_view(limits_.unqualified_domain) : std::string_view();
}

std::optional<ServerStep> ServerSession::mail(std::string_view argument) {
  const auto wrong = [this](const Reply& answer) {
    refuse(answer);
    return std::nullopt;
  };
  if (const auto refusal = refuse_mail()) return wrong(*refusal);
  auto arguments = parse_mail(argument, client_.grammar, unqualified_domain());
  if (!arguments) return wrong(arguments.error());
  if (const auto refusal = refuse_mail(*arguments)) return wrong(*refusal);
  transaction_.emplace(
    std::move(*arguments),
    mail::Origin{client_.address.to_text(), helo_, is_extended_, tls_, user_, client_.listener}
  );
  state_ = State::waiting;
  return server_step::AskSender{transaction_->reverse_path()};
}

/// Whatever it says.
std::optional<Reply> ServerSession::refuse_mail() const {
  if (helo_.empty()) return reply(503, {5, 5, 1}, "Say HELO or EHLO first");
  if (limits_.needs_auth && user_.empty()) return reply(530, {5, 7, 0}, "Authentication required");
  if (transaction_) return reply(503, {5, 5, 1}, "A transaction is open, RSET ends it");
  return std::nullopt;
}

std::optional<Reply> ServerSession::refuse_mail(const MailArguments& arguments) const {
  if (arguments.declared_size.value_or(0) > limits_.max_message_size.count) return too_large(limits_);
  if (arguments.requires_tls && !is_tls_ours_)
    return reply(555, {5, 5, 4}, "REQUIRETLS is offered over TLS alone");
  if (arguments.has_auth && !limits_.has_auth) return reply(555, {5, 5, 4}, "Parameter not supported");
  return std::nullopt;
}

std::optional<ServerStep> ServerSession::rcpt(std::string_view argument) {
  if (!transaction_) {
    refuse(reply(503, {5, 5, 1}, "MAIL comes first"));
    return std::nullopt;
  }
  if (content_) {
    refuse(reply(503, {5, 5, 1}, "The content has begun, RSET ends it"));
    return std::nullopt;
  }
  if (transaction_->recipient_count() >= limits_.max_recipients) {
    say(reply(452, {4, 5, 3}, "Too many recipients, send the rest in another message"));
    return std::nullopt;
  }
  auto recipient = parse_rcpt(argument, client_.grammar, transaction_->charset(), unqualified_domain());
  if (!recipient) {
    transaction_->note_refused_recipient();
    refuse(recipient.error());
    return std::nullopt;
  }
  state_ = State::waiting;
  asked_recipient_ = std::move(*recipient);
  return server_step::AskRecipient{asked_recipient_->recipient};
}

void ServerSession::apply(const server_event::Verdict& verdict) {
  state_ = State::command;
  auto recipient = std::exchange(asked_recipient_, std::nullopt);
  if (verdict.refusal) {
    if (verdict.refusal->code == 421) return close(*verdict.refusal, "refused");
    if (recipient) transaction_->note_refused_recipient();
    else transaction_.reset();
    return refuse(*verdict.refusal);
  }
  if (!recipient) {
    transaction_->set_mending(verdict.mending);
    return say(reply(250, {2, 1, 0}, "Sender OK"));
  }
  transaction_->add_recipient(std::move(*recipient));
  say(reply(250, {2, 1, 5}, "Recipient OK"));
}

// ---- DATA ----

void ServerSession::data(std::string_view argument, LineEnding ending) {
  if (!argument.empty()) return refuse_data(reply(501, {5, 5, 4}, "DATA takes no argument"));
  if (!transaction_) return refuse_data(reply(503, {5, 5, 1}, "MAIL and RCPT come first"));
  if (transaction_->recipient_count() == 0) return refuse_data(transaction_->no_recipients());
  if (content_ || transaction_->is_binary()) return refuse_data_for_bdat();
  if (client_.grammar == Grammar::strict && !input_.is_empty()) {
    return close(out_of_step(), "sent content before 354");
  }
  say(Reply{354, std::nullopt, "End data with <CR><LF>.<CR><LF>"});
  begin_content(DataDecoder(ending));
  state_ = State::data;
}

/// What follows a refused DATA may be its content: then there is nothing to do but close.
void ServerSession::refuse_data(const Reply& refusal) {
  if (!input_.is_empty() || talks_ahead_) return close(refusal, "sent content behind a refused DATA");
  content_may_follow_ = true;
  refuse(refusal);
}

/// What such a client means nobody knows (RFC 3030 sections 2 and 3), and half a message must not go out.
void ServerSession::refuse_data_for_bdat() {
  const auto* const why = content_ ? "The content has begun by BDAT" : "BINARYMIME comes by BDAT";
  forget_transaction();
  refuse_data(reply(503, {5, 5, 1}, why));
}

Reply ServerSession::out_of_step() const {
  return client_.explanation.value_or(reply(554, {5, 5, 0}, "SMTP protocol synchronization"));
}

// ---- BDAT ----

/// The chunk behind the command is read whatever the answer will be: it must never run as commands.
void ServerSession::bdat(std::string_view argument) {
  const auto chunk = parse_chunk(argument);
  if (!chunk) return close_unread_chunk(reply(501, {5, 5, 4}, "Syntax: BDAT octets [LAST], closing"));
  if (chunk->octets > most_swallowed(limits_)) return close(too_large(limits_), "BDAT beyond measure");
  auto refusal = refuse_bdat();
  if (!content_) {
    const bool is_binary = transaction_ && transaction_->is_binary();
    begin_content(ChunkDecoder(is_binary ? ChunkDecoder::Content::binary_mime : ChunkDecoder::Content::lines)
    );
  }
  if (!refusal && content_->taken() + chunk->octets > limits_.max_message_size.count)
    refusal = too_large(limits_);
  if (refusal) content_->refuse(std::move(*refusal));
  content_->begin_chunk(*chunk);
  state_ = State::data;
}

/// What the chunk will be answered, for reasons that its octets don't change.
std::optional<Reply> ServerSession::refuse_bdat() const {
  if (is_in_the_clear()) return tls_first();
  if (!transaction_) return reply(503, {5, 5, 1}, "MAIL and RCPT come first");
  if (transaction_->recipient_count() == 0) return transaction_->no_recipients();
  return std::nullopt;
}

/// A BDAT that is not understood: its chunk follows all the same.
void ServerSession::close_unread_chunk(const Reply& refusal) { close(refusal, "BDAT of unknown size"); }

// ---- content ----

void ServerSession::begin_content(IncomingContent::Decoder decoder) {
  content_.emplace(
    std::move(decoder), hostname_, transaction_ ? transaction_->mending() : mail::Mending{}, limits_
  );
}

/// Reads what is there. A step when there is one to make.
std::optional<ServerStep> ServerSession::read_content() {
  switch (content_->read(input_, limits_)) {
    case IncomingContent::Due::nothing: break;
    case IncomingContent::Due::hand_on:
      state_ = State::waiting;
      return server_step::Content{content_->take_chunk()};
    case IncomingContent::Due::discard: state_ = State::waiting; return server_step::Discard{};
    case IncomingContent::Due::next_chunk: end_chunk(); break;
    case IncomingContent::Due::end: return end_content();
    case IncomingContent::Due::bare_line_ending:
      close(reply(550, {5, 5, 2}, "Lines end in CR LF, bare CR or LF refused, closing"), "bare line ending");
      break;
    case IncomingContent::Due::too_much: close(*content_->refusal(), "went on and on"); break;
  }
  return std::nullopt;
}

void ServerSession::apply(const server_event::Stored& stored) {
  state_ = State::data;
  if (!stored.result) content_->refuse(reply_for(stored.result.error()));
}

/// Nothing was begun to be read, or its transaction is over.
void ServerSession::apply(const server_event::Discarded&) {
  state_ = content_ ? State::data : State::command;
}

void ServerSession::end_chunk() {
  state_ = State::command;
  const auto octets = content_->chunk().octets;
  const auto answer = reply(250, {2, 0, 0}, std::to_string(octets) + " octets received");
  if (octets == 0) junk(answer);
  else say(answer);
}

std::optional<ServerStep> ServerSession::end_content() {
  if (content_->refusal()) {
    const auto refusal = *content_->refusal();
    end_transaction();
    refuse(refusal);
    return std::nullopt;
  }
  state_ = State::waiting;
  return server_step::Commit{
    transaction_->finish(content_->header(), content_->size()), content_->take_chunk()
  };
}

void ServerSession::apply(const server_event::Committed& committed) {
  end_transaction();
  if (committed.instead && !committed.instead->is_positive()) return refuse(*committed.instead);
  if (!committed.result) return refuse(reply_for(committed.result.error()));
  patience_.begin_anew();
  if (committed.instead) return say(*committed.instead);
  say(reply(250, {2, 0, 0}, "OK queued as " + committed.result->to_text()));
}

// ---- ends ----

/// Ends it in the middle: the sink may have some of its content.
void ServerSession::forget_transaction() {
  const bool has_reached_sink = content_ && content_->has_reached_sink();
  end_transaction();
  if (has_reached_sink && state_ != State::closing) state_ = State::dropping;
}

/// Forgets sender, recipients and content (RFC 5321 section 4.1.1.5); the client may begin anew.
void ServerSession::end_transaction() {
  transaction_.reset();
  content_.reset();
  if (state_ != State::closing) state_ = State::command;
}

}  // namespace relay::smtp
