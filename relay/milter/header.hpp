#pragma once
/// A message's header as filters see and change it.

#include <string>
#include <string_view>
#include <vector>

#include "relay/milter/wire.hpp"

namespace relay::milter {

/// Where a message's header ends, as its content streams by: behind its empty line. Content is what mail::HeaderScan lets
/// through, whose header part holds fields alone. Thread: one at a time. Complexity O(octets).
class HeaderEnd {
 public:
  /// @return  how many octets of `content`, which follows what came before, are header; less than all: the rest is body
  [[nodiscard]] std::size_t feed(std::string_view content);
  [[nodiscard]] bool is_met() const { return is_met_; }

 private:
  bool is_met_ = false;
  std::size_t in_line_ = 0;  // octets of the line so far
  char last_ = 0;
};

/// Keeps each field as it was written; only what a filter changes is written anew. Thread: one at a time.
class Header {
 public:
  struct Field {
    std::string name;
    std::string rest;  ///< what stands behind the name: colon, value, CRLF, folded lines and their CRLF
    friend bool operator==(const Field&, const Field&) = default;
  };

  /// @param text  from its first field to its empty line, if it has one
  [[nodiscard]] static Header parse(std::string_view text);
  /// What parse() reads as the same; the same octets, too, when nothing was changed.
  [[nodiscard]] std::string to_text() const;

  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  /// A field's value for a filter: lines joined by LF. @param with_space  the blanks behind the colon are part of it
  [[nodiscard]] static std::string value_of(const Field& field, bool with_space);

  /// Changes of header fields; all others are not for here. Fields that are not there can't be removed, which is no
  /// fault; one that is to be changed and is not there is added.
  /// A filter's value can't end the header or begin another field: what follows an LF becomes a folded line.
  /// @param with_space  as in value_of(): the filter writes these blanks itself
  void apply(const Edit& edit, bool with_space);

 private:
  void insert(std::size_t at, Field field);

  std::vector<Field> fields_;
  std::string end_;  // the empty line, or nothing
};

}  // namespace relay::milter
