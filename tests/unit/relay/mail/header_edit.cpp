#include "relay/mail/header_edit.hpp"

#include <gtest/gtest.h>
#include <vector>

#include "relay/mail/header_scan.hpp"

namespace relay::mail {
namespace {

/// Drops `Drop`, shouts in `Edit`, and adds what it is told.
class Shouting : public HeaderEditor {
 public:
  explicit Shouting(std::string more = {}) : more_(std::move(more)) {}
  Treatment met(std::string_view name) override {
    names.emplace_back(name);
    if (name == "Drop") return Treatment::drop;
    return name == "Edit" ? Treatment::edit : Treatment::pass;
  }
  std::string edited(std::string_view, std::string text) override {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
  }
  std::string end() override {
    ++ends;
    return more_;
  }
  std::vector<std::string> names;
  int ends = 0;

 private:
  std::string more_;
};

std::string edited(std::string_view content, std::size_t piece, std::string more = {}) {
  Shouting editor(std::move(more));
  HeaderEdit edit;
  std::string out;
  for (std::size_t at = 0; at < content.size(); at += piece)
    edit.feed(content.substr(at, piece), editor, out);
  edit.finish(editor, out);
  EXPECT_EQ(editor.ends, 1) << content;
  return out;
}

/// However it is cut.
void expect(std::string_view content, const std::string& wanted, const std::string& more = {}) {
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 1000U, 100'000U})
    EXPECT_EQ(edited(content, piece, more), wanted) << "in pieces of " << piece;
}

TEST(HeaderEdit, PassesWhatNobodyChanges) {
  for (const std::string content :
       {"", "\r\n", "A: b\r\n\r\nEdit: body\r\n", "A: b\r\n c\r\nB: d", "no header\r\n", " folds\r\nA: b\r\n",
        "A\r\n", "A : b\r\n\r\n", "A", "A: b\r\nno field\r\nDrop: body\r\n"}) {
    expect(content, content);
  }
}

TEST(HeaderEdit, ChangesAndDropsWholeFields) {
  expect(
    "A: b\r\nEdit: one\r\n two\r\nDrop: x\r\n y\r\nEdit : z\r\nC: d\r\n\r\nEdit: a\r\n",
    "A: b\r\nEdit: ONE\r\n TWO\r\nEdit : Z\r\nC: d\r\n\r\nEdit: a\r\n"
  );
  expect("Edit: one", "Edit: ONE");
  expect("Edit:\r\n\r\n", "Edit:\r\n\r\n");
  expect("Drop: x\r\n", "");
}

TEST(HeaderEdit, AddsFieldsBehindTheLast) {
  expect("A: b\r\n\r\nbody", "A: b\r\nX: y\r\n\r\nbody", "X: y\r\n");
  expect("A: b\r\n c\r\n", "A: b\r\n c\r\nX: y\r\n", "X: y\r\n");
  expect("A: b", "A: b\r\nX: y\r\n", "X: y\r\n");
  expect("\r\nbody", "X: y\r\n\r\nbody", "X: y\r\n");
  expect("", "X: y\r\n", "X: y\r\n");
}

TEST(HeaderEdit, GivesContentWithoutAHeaderOneThatEnds) {
  expect("Hello world\r\nA: b\r\n", "X: y\r\n\r\nHello world\r\nA: b\r\n", "X: y\r\n");
  expect(" folded\r\n", "X: y\r\n\r\n folded\r\n", "X: y\r\n");
  expect("A: b\r\nbody\r\n", "A: b\r\nX: y\r\n\r\nbody\r\n", "X: y\r\n");
  expect("word", "X: y\r\n\r\nword", "X: y\r\n");
}

TEST(HeaderEdit, PassesAFieldThatIsTooLongToEdit) {
  const std::string most(HeaderEdit::kMaxField - 3, 'a');
  const std::string shouted(HeaderEdit::kMaxField - 3, 'A');
  expect("Edit:" + most + "\r\n\r\n", "Edit:" + shouted + "\r\n\r\n");
  expect("Edit:a" + most + "\r\nEdit:b\r\n\r\n", "Edit:a" + most + "\r\nEdit:B\r\n\r\n");
}

TEST(HeaderEdit, EndsTheHeaderWhereTheScanDoes) {
  const std::string name(1025, 'n');
  for (const std::string content :
       {"A: b\r\nEdit: x\r\nbad line\r\nEdit: y\r\n", "Edit\t: x\r\n\tz\r\n\r\nEdit: y\r\n"})
    expect(content, [&] {
      auto wanted = content;
      wanted[wanted.find('x')] = 'X';
      if (const auto z = wanted.find('z'); z != std::string::npos) wanted[z] = 'Z';
      return wanted;
    }());
  const auto out = edited(name + ": x\r\nEdit: y\r\n", 100, "X: y\r\n");
  EXPECT_EQ(out, "X: y\r\n\r\n" + name + ": x\r\nEdit: y\r\n") << "no field has such a name";
  HeaderScan scan("h");
  std::string same;
  scan.feed(out, same);
  scan.finish(same);
  EXPECT_EQ(same, out) << "the scan sees nothing to mend";
}

}  // namespace
}  // namespace relay::mail
