/// engine/transfer_lines: an import. Input: its lines.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "relay/engine/transfer_lines.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::engine {
namespace {

using fuzz::require;

void check_error(const Error& error) {
  require(error.code == Errc::invalid_argument && error.fate == Fate::permanent, "what is wrong stays so");
  require(fuzz::is_all_printable(error.context), "an error is one line");
  require(error.context.size() < 300, "an error does not quote a line");
}

void check_head(const IncomingMessage& message) {
  const auto& envelope = message.stored.envelope;
  const auto recipients = envelope.recipients.size();
  require(recipients > 0, "a message is for somebody");
  require(envelope.body <= mail::Body::eight_bit_mime, "a body is of a kind that can be sent");
  require(fuzz::has_only_crlf(envelope.received), "no line of ours carries a second message");
  require(message.stored.chunks == 0 && message.octets == 0, "no content has come");
  for (const auto index : message.held) require(index < recipients, "who is on hold is a recipient");
  for (const auto& [index, settled] : message.results) {
    require(index < recipients, "who has a result is a recipient");
    require(
      !message.is_dead_letter || settled.is_delivered || settled.is_closed,
      "of whom nobody heard, it is tried anew"
    );
  }
}

/// What the lines of one message say, as transfer.cpp reads them.
class Import {
 public:
  void read(std::string_view line) {
    auto parsed = parse_line(line);
    if (!parsed) return check_error(parsed.error());
    require(parsed->is_object(), "a line is an object");
    if (parsed->contains("message")) begin(parsed->at("message"));
    else if (message_ && parsed->contains("chunk")) chunk(*parsed);
    else if (message_ && parsed->contains("end")) end();
  }

 private:
  void begin(const nlohmann::ordered_json& head) {
    auto parsed = parse_head(head);
    message_.reset();
    content_.clear();
    if (!parsed) return check_error(parsed.error());
    check_head(*parsed);
    message_ = std::move(*parsed);
  }

  void chunk(const nlohmann::ordered_json& line) {
    const auto octets = message_->take_chunk(line);
    if (!octets) {
      check_error(octets.error());
      return message_.reset();
    }
    ++message_->stored.chunks;
    require(!octets->empty() && octets->size() <= 1U << 20U, "a chunk is as large as it may be");
    content_ += *octets;
    require(message_->octets == content_.size(), "octets are counted");
    require(fuzz::has_only_crlf(content_ + (content_.ends_with('\r') ? "\n" : "")), "content has CRLF alone");
  }

  void end() {
    const auto whole = message_->check_whole();
    if (!whole) check_error(whole.error());
    else
      require(
        content_.size() == message_->stored.envelope.size && fuzz::has_only_crlf(content_) &&
          (content_.empty() || content_.ends_with('\n')),
        "what is taken is whole, and ends a line"
      );
    message_.reset();
  }

  std::optional<IncomingMessage> message_;
  std::string content_;
};

}  // namespace
}  // namespace relay::engine

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  relay::fuzz::InputView input(data, size);
  relay::engine::Import import;
  while (!input.rest().empty()) import.read(input.line());
  return 0;
}
