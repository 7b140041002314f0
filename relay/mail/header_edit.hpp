#pragma once
/// Changes the header part of a message as it streams by: fields are changed, taken out or added.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relay::mail {

/// Says what becomes of each field. Called in their order, on the thread of the edit.
class HeaderEditor {
 public:
  enum class Treatment : std::uint8_t {
    pass,  ///< as it is
    edit,  ///< asked again once the field is whole
    drop,  ///< it goes
  };
  virtual ~HeaderEditor() = default;
  /// @param name  as it stands, without blanks behind it
  virtual Treatment met(std::string_view name) = 0;
  /// What stands behind the colon instead of `text`, which ends with the field's last line end (or the end of the content)
  /// and may be folded. What comes back ends likewise.
  virtual std::string edited(std::string_view name, std::string text) = 0;
  /// Behind the last field: whole fields to add, each with its final CRLF; or nothing.
  virtual std::string end() = 0;
};

/// Where fields begin and end, and where the header does, is as HeaderScan has it: what is edited is what it counts, and
/// what comes out is read by it as what the editor meant. Content without a header gets one when fields are added.
/// Input: content whose line ends are all CRLF, in pieces of any size. Holds back at most kMaxName octets of a name, and
/// kMaxField of a field that is to be edited: a longer one passes as it is. Behind the header nothing is looked at.
/// Complexity O(octets of the header), and the editor's. Thread: one at a time.
class HeaderEdit {
 public:
  static constexpr std::size_t kMaxName = 1024;
  static constexpr std::size_t kMaxField = 16U << 10U;

  /// Appends what may pass to `out`. @param editor  the same in all calls
  void feed(std::string_view content, HeaderEditor& editor, std::string& out);
  /// Appends what was held back. Call once, at the end of data.
  void finish(HeaderEditor& editor, std::string& out);

 private:
  enum class State : std::uint8_t { line_start, name, field, body };
  std::string_view begin_line(std::string_view content, HeaderEditor& editor, std::string& out);
  std::string_view read_name(std::string_view content, HeaderEditor& editor, std::string& out);
  std::string_view read_field(std::string_view content, std::string& out);
  void begin_field(HeaderEditor& editor, std::string& out);
  void end_field(HeaderEditor& editor, std::string& out);
  void break_header(HeaderEditor& editor, std::string& out);

  State state_ = State::line_start;
  bool is_first_line_ = true;
  HeaderEditor::Treatment treatment_ = HeaderEditor::Treatment::pass;
  std::string
    name_;  // the start of a line that may yet be a field; of one that is edited, its name as it stands
  std::string text_;  // of a field that is edited, so far
};

}  // namespace relay::mail
