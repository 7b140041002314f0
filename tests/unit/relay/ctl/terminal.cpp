#include "relay/ctl/terminal.hpp"

#include <array>
#include <csignal>
#include <functional>
#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace relay::ctl {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kDeadline = 20'000;  // ms, for what comes at once

/// A process at a terminal of its own, at which the test sits.
class Typist {
 public:
  /// @param ask  in the process; what it returns is written to the terminal between `<` and `>`
  explicit Typist(const std::function<Result<std::string>()>& ask) {
    child_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ != 0) return;
    const auto answer = ask();
    const auto words = "<" + (answer ? *answer : "failed: " + answer.error().context) + ">";
    const auto written = write(STDOUT_FILENO, words.data(), words.size());
    _exit(written == static_cast<ssize_t>(words.size()) ? 0 : 1);
  }
  ~Typist() {
    close(terminal_);  // hangs up
    if (!is_gone_) (void)end();
  }
  Typist(const Typist&) = delete;
  Typist& operator=(const Typist&) = delete;

  /// All that is on the screen, once it ends so; or what there is when nothing more comes.
  std::string screen(const std::string& end) {
    while (!text_.ends_with(end)) {
      pollfd waited{terminal_, POLLIN, 0};
      std::array<char, 256> octets{};
      if (poll(&waited, 1, kDeadline) <= 0) break;
      const auto count = read(terminal_, octets.data(), octets.size());
      if (count <= 0) break;
      text_.append(octets.data(), static_cast<std::size_t>(count));
    }
    return text_;
  }
  void type(const std::string& keys) {
    EXPECT_EQ(write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  bool has_echo() const {
    termios settings{};
    EXPECT_EQ(tcgetattr(terminal_, &settings), 0);
    return (settings.c_lflag & static_cast<tcflag_t>(ECHO)) != 0;
  }
  /// As waitpid() has it.
  int end() {
    int status = 0;
    waitpid(child_, &status, 0);
    is_gone_ = true;
    return status;
  }

 private:
  int terminal_ = -1;
  pid_t child_ = -1;
  bool is_gone_ = false;
  std::string text_;
};

Result<std::string> ask() { return ask_password(STDIN_FILENO, STDERR_FILENO); }

TEST(Terminal, AsksTwiceForAPasswordAndShowsNothingOfIt) {
  Typist typist(ask);
  EXPECT_THAT(typist.screen("Password: "), EndsWith("Password: "));
  EXPECT_FALSE(typist.has_echo());
  typist.type("pencil\n");
  EXPECT_THAT(typist.screen("Again: "), Not(HasSubstr("pencil")));
  EXPECT_FALSE(typist.has_echo());
  typist.type("pencil\n");
  EXPECT_THAT(typist.screen(">"), EndsWith("Again: \r\n<pencil>"));
  EXPECT_TRUE(typist.has_echo());
}

TEST(Terminal, TakesNoPasswordThatIsAnotherTheSecondTime) {
  Typist typist(ask);
  (void)typist.screen("Password: ");
  typist.type("pencil\n");
  (void)typist.screen("Again: ");
  typist.type("pencli\n");
  EXPECT_THAT(typist.screen(">"), EndsWith("<failed: the two passwords differ>"));
}

TEST(Terminal, AsksNoSecondTimeWhereThereWasNothing) {
  for (const auto* nothing : {"\n", "\x04"}) {
    Typist typist(ask);
    (void)typist.screen("Password: ");
    typist.type(nothing);
    EXPECT_THAT(typist.screen(">"), EndsWith("Password: \r\n<>"));
  }
}

TEST(Terminal, ShowsWhatIsTypedAgainBehindCtrlC) {
  const std::pair<const char*, int> keys[]{{"\x03", SIGINT}, {"\x1c", SIGQUIT}};
  for (const auto& [key, signal] : keys) {
    for (const auto* prompt : {"Password: ", "Again: "}) {
      Typist typist(ask);
      (void)typist.screen("Password: ");
      if (std::string(prompt) == "Again: ") typist.type("pencil\n");
      (void)typist.screen(prompt);
      EXPECT_FALSE(typist.has_echo());
      typist.type(std::string("pen") + key);
      const auto status = typist.end();
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
      EXPECT_TRUE(typist.has_echo()) << prompt;
    }
  }
}

/// Nobody would let it go on behind Ctrl-Z here, so it is not stopped.
TEST(Terminal, AsksAgainBehindASignalThatEndsNothing) {
  Typist typist([] { return ask_quietly(STDIN_FILENO, STDERR_FILENO, "Word: "); });
  (void)typist.screen("Word: ");
  typist.type("pen\x1a");
  EXPECT_THAT(typist.screen("\r\nWord: "), HasSubstr("Word: \r\nWord: "));
  typist.type("pencil\n");
  EXPECT_THAT(typist.screen(">"), EndsWith("<pencil>")) << "what was typed before is forgotten";
}

TEST(Terminal, IsNoneWhereThereIsNone) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(is_terminal(ends[0]));
  EXPECT_EQ(ask_quietly(ends[0], ends[1], "Word: ").error().code, Errc::unavailable);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace relay::ctl
