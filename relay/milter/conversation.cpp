#include "relay/milter/conversation.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::milter {
namespace {

/// Written once so much is gathered, though no answer is due.
constexpr std::size_t kFlush = 64U << 10U;

/// Octets of all changes together.
constexpr std::size_t kMaxEditOctets = 256U << 10U;

Step fault(std::string what) {
  return step::Failed{{Errc::protocol_error, Fate::transient, std::move(what)}};
}

/// `D`, the command that they are for, then names and values.
std::string macros_of(
  Command command, const std::vector<std::pair<std::string_view, std::string_view>>& all
) {
  std::vector<std::string_view> words;
  for (const auto& [name, value] : all) {
    if (value.empty()) continue;
    words.push_back(name);
    words.push_back(value);
  }
  if (words.empty()) return {};
  return static_cast<char>(command) + texts(words);
}

/// Name, family, port (not known) and address.
std::string connect_data(const IpAddress& client) {
  const auto address = client.to_text();
  std::string data = texts({"[" + address + "]"});
  data += client.is_v4() ? '4' : '6';
  data += std::string(2, '\0');
  return data + texts({address});
}

std::string path_of(const std::string& address) { return "<" + address + ">"; }

}  // namespace

Conversation::Conversation(Message message, Timeouts timeouts)
    : message_(std::move(message)), timeouts_(timeouts) {}

Step Conversation::resume(const Event& event) {
  if (const auto* received = std::get_if<event::Received>(&event)) return hear(received->octets);
  if (const auto* body = std::get_if<event::Body>(&event)) {
    if (body->octets.empty()) return end();
    body_ = body->octets;
    return tell_body();
  }
  if (std::holds_alternative<event::Opened>(event)) {
    awaits_ = true;
    return step::Write{to_wire(Command::negotiate, to_data(Options{}))};
  }
  return awaits_ ? read() : go_on();
}

/// What is to be said before the body.
void Conversation::plan() {
  const auto& m = message_;
  const auto add =
    [&](Command command, std::string macros, std::string data, std::uint32_t left_out, std::uint32_t silent) {
      stages_.push_back({command, std::move(macros), std::move(data), left_out, silent});
    };
  add(
    Command::connect,
    macros_of(Command::connect, {{"j", m.hostname}, {"{daemon_name}", "smtp-relay"}, {"v", "smtp-relay"}}),
    connect_data(m.client), option::kNoConnect, option::kSilentConnect
  );
  add(
    Command::helo, macros_of(Command::helo, {{"{tls_version}", m.tls_version}, {"{cipher}", m.tls_cipher}}),
    texts({m.helo}), option::kNoHelo, option::kSilentHelo
  );
  const auto sender = path_of(m.sender);
  std::vector<std::string_view> mail{sender};
  mail.insert(mail.end(), m.parameters.begin(), m.parameters.end());
  add(
    Command::mail,
    macros_of(
      Command::mail,
      {{"i", m.queue_id}, {"{auth_type}", m.auth_type}, {"{auth_authen}", m.user}, {"{mail_addr}", m.sender}}
    ),
    texts(mail), option::kNoMail, option::kSilentMail
  );
  for (const auto& recipient : m.recipients) {
    add(
      Command::rcpt, macros_of(Command::rcpt, {{"{rcpt_addr}", recipient}}), texts({path_of(recipient)}),
      option::kNoRcpt, option::kSilentRcpt
    );
  }
  // Older filters don't know DATA (version 4 brought it), and end their connection over it.
  if (options_.version > 3)
    add(
      Command::data, macros_of(Command::data, {{"i", m.queue_id}}), {}, option::kNoData, option::kSilentData
    );
  for (const auto& field : m.header) {
    const auto value = Header::value_of(field, options_.has(option::kLeadingSpace));
    add(Command::header, {}, texts({trimmed(field.name), value}), option::kNoHeaders, option::kSilentHeader);
  }
  add(
    Command::end_of_header, macros_of(Command::end_of_header, {{"i", m.queue_id}}), {},
    option::kNoEndOfHeader, option::kSilentEndOfHeader
  );
}

Step Conversation::go_on() {
  switch (state_) {
    case State::negotiating: break;  // never: an answer is awaited
    case State::telling: return tell_next();
    case State::in_body: return tell_body();
    case State::ending: break;  // likewise
  }
  return read();
}

/// Gathers commands up to one that is answered.
Step Conversation::tell_next() {
  while (!stages_.empty()) {
    if (output_.size() >= kFlush) return step::Write{std::exchange(output_, {})};
    const auto stage = std::move(stages_.front());
    stages_.pop_front();
    if (options_.has(stage.left_out)) continue;
    if (std::max(stage.macros.size(), stage.data.size()) >= kMaxPacket)
      return done(Outcome::Kind::refuse, {552, mail::EnhancedStatus{5, 3, 4}, "Header field too large"});
    if (!stage.macros.empty()) output_ += to_wire(Command::macros, stage.macros);
    output_ += to_wire(stage.command, stage.data);
    awaits_ = !options_.has(stage.silent);
    if (awaits_) return step::Write{std::exchange(output_, {})};
  }
  state_ = State::in_body;
  skips_body_ = options_.has(option::kNoBody);
  return tell_body();
}

Step Conversation::tell_body() {
  if (skips_body_) return end();
  if (body_.empty()) return step::ReadBody{};
  const auto size = std::min(body_.size(), kMaxBodyChunk);
  output_ += to_wire(Command::body, std::string_view(body_).substr(0, size));
  body_.erase(0, size);
  awaits_ = !options_.has(option::kSilentBody);
  return step::Write{std::exchange(output_, {})};
}

Step Conversation::end() {
  state_ = State::ending;
  const auto macros = macros_of(Command::end_of_message, {{"i", message_.queue_id}});
  if (!macros.empty()) output_ += to_wire(Command::macros, macros);
  output_ += to_wire(Command::end_of_message);
  awaits_ = true;
  return step::Write{std::exchange(output_, {})};
}

Step Conversation::read() {
  return step::Read{state_ == State::ending ? timeouts_.message : timeouts_.command};
}

Step Conversation::hear(std::string_view octets) {
  reader_.feed(octets);
  while (awaits_) {
    auto packet = reader_.next();
    if (!packet) return step::Failed{std::move(packet.error())};
    if (!*packet) return read();
    if (auto step = take(**packet)) return std::move(*step);
  }
  // Taken for the answer to what comes next, it would decide of a message that it was not told of.
  if (!reader_.is_empty()) return fault("says more than it was asked");
  return go_on();
}

/// @return  nothing: go on, or read on
std::optional<Step> Conversation::take(const Packet& packet) {
  if (state_ == State::negotiating) {
    const auto agreed = parse_options(packet);
    if (!agreed) return step::Failed{agreed.error()};
    options_ = *agreed;
    plan();
    state_ = State::telling;
    awaits_ = false;
    return std::nullopt;
  }
  auto answer = parse_answer(packet, options_);
  if (!answer) return step::Failed{std::move(answer.error())};
  return follow(std::move(*answer));
}

std::optional<Step> Conversation::follow(Answer answer) {
  switch (answer.kind) {
    case Answer::Kind::progress: return std::nullopt;
    case Answer::Kind::accept: return done(Outcome::Kind::accept);
    case Answer::Kind::refuse: return done(Outcome::Kind::refuse, std::move(answer.reply));
    case Answer::Kind::discard: return done(Outcome::Kind::discard);
    case Answer::Kind::go_on:
      if (state_ == State::ending) return done(Outcome::Kind::accept);
      awaits_ = false;
      return std::nullopt;
    case Answer::Kind::skip:
      if (state_ != State::in_body) return fault("skips what is no body");
      skips_body_ = true;
      awaits_ = false;
      return std::nullopt;
    case Answer::Kind::edit:
      if (state_ != State::ending) return fault("changes the message before its end");
      edit_octets_ += answer.edit.name.size() + answer.edit.value.size();
      if (edits_.size() == kMaxEdits || edit_octets_ > kMaxEditOctets) return fault("changes without end");
      edits_.push_back(std::move(answer.edit));
      return std::nullopt;
  }
  return fault("never reached");
}

Step Conversation::done(Outcome::Kind kind, mail::Reply reply) {
  Outcome outcome{kind, std::move(reply), {}, options_.has(option::kLeadingSpace)};
  if (kind == Outcome::Kind::accept) outcome.edits = std::move(edits_);
  return step::Done{std::move(outcome)};
}

}  // namespace relay::milter
