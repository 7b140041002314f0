#pragma once
/// The header of one MIME entity, as content of binary parts is made into lines (mail::BinaryMime).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/mime_fields.hpp"
#include "relay/mail/reply.hpp"

namespace relay::mail {

/// What an entity's body is, and becomes.
enum class BodyKind : std::uint8_t {
  lines,      ///< of text, or encoded already: as it is
  binary,     ///< octets, which become base64
  multipart,  ///< parts behind delimiters
  message,    ///< a message, which has a header and a body itself
};

/// Passes a header on line by line, and says by its end what the body is. One field may change: a
/// Content-Transfer-Encoding `binary` says in its place `base64`, or `8bit` for a body of parts (RFC 2045 section 6.4 lets
/// these have no other). What an encoding says that is given after such a field depends on the Content-Type: where that
/// comes later, what stands between is held back.
///
/// Fields are lines as HeaderScan has them. Of two Content-Types the first counts.
/// Thread: one at a time. Holds 8 KiB of a Content-Type or Content-Transfer-Encoding, 8 KiB that wait for the Content-Type,
/// and 1,024 octets of a name.
class MimeHeader {
 public:
  enum class Place : std::uint8_t {
    plain,  ///< a message's, or that of a part
    digest,  ///< a part of multipart/digest: a message where it does not say what it is (RFC 2046 section 5.1.5)
  };
  /// @param is_signed  it stands in a multipart/signed: what is changed there breaks the signature
  MimeHeader(Place place, bool is_signed) : place_(place), is_signed_(is_signed) {}

  static constexpr std::size_t kMaxField = 8U << 10U;
  static constexpr std::size_t kMaxHeld = 8U << 10U;
  static constexpr std::size_t kMaxBoundary = 70;  ///< RFC 2046 section 5.1.1

  /// Takes text of a line, without its end; appends what may pass to `out`. False: the line is no field, and the body
  /// begins with it; call end() and take_back().
  [[nodiscard]] bool feed(std::string_view text, std::string& out);

  enum class Step : std::uint8_t {
    more,
    over,    ///< that was the empty line behind the header; end() was called
    broken,  ///< as feed() says by false
  };
  /// Takes the end of a line.
  [[nodiscard]] Step end_line(std::string& out);

  enum class Ending : std::uint8_t {
    orderly,  ///< an empty line, a delimiter or the end of the content came
    broken,   ///< a line that is no field
  };
  /// The header is over. Call once.
  void end(Ending ending, std::string& out);
  /// The text of the line that is no field, as far as it came.
  [[nodiscard]] std::string take_back();

  /// Set: what the message is refused with, which cannot be made into lines. What was passed on is of no use then.
  [[nodiscard]] const std::optional<Reply>& refusal() const { return refusal_; }
  /// Behind end(): what the body is. `lines` when refused.
  [[nodiscard]] BodyKind kind() const { return kind_; }
  /// Behind end(), of a multipart: at most kMaxBoundary octets, and at least one.
  [[nodiscard]] const std::string& boundary() const { return type_->boundary; }
  /// Behind end(), of a multipart.
  [[nodiscard]] bool is_digest() const { return type_->subtype == "digest"; }
  [[nodiscard]] bool has_signature() const { return type_->subtype == "signed"; }

 private:
  enum class State : std::uint8_t { line_start, name, value };
  enum class Field : std::uint8_t { none, other, type, encoding };
  void begin_field(std::string& out);
  void add(std::string_view text, std::string& out);
  void end_field(std::string& out);
  void end_encoding(std::string& out);
  void end_type(std::string& out);
  void pass(std::string_view text, std::string& out);
  void release(std::string& out);
  void decide();
  [[nodiscard]] BodyKind multipart();
  [[nodiscard]] bool has_plain_encoding() const;
  void refuse(std::string_view why);

  Place place_;
  bool is_signed_;
  State state_ = State::line_start;
  Field field_ = Field::none;  // the open one
  std::string line_;           // the start of a line that may yet be a field
  std::string name_;           // of the open field, blanks behind it and all, when it is an encoding
  std::string text_;           // what it says, from its colon on, when it is of the two that count
  std::optional<MediaType> type_;
  std::optional<std::string> encoding_;
  bool is_binary_ = false;
  bool is_repeated_ = false;                // one of the two came twice
  std::optional<std::string> binary_name_;  // of the encoding that waits for the type; held_ stands behind it
  std::string held_;
  BodyKind kind_ = BodyKind::lines;
  std::optional<Reply> refusal_;
};

/// A message that cannot be made into lines: 554 5.6.3 (RFC 3463: conversion is required, and not supported).
[[nodiscard]] Reply no_conversion(std::string_view why);

}  // namespace relay::mail
