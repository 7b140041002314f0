#include "relay/ctl/terminal.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace relay::ctl {
namespace {

/// What ends or stops a process that somebody has at a terminal.
constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

volatile std::sig_atomic_t caught = 0;

extern "C" void note_signal(int number) { caught = number; }

/// While it lives these signals wait, and are noted while input is waited for, at no other time: none is lost between a look
/// at `caught` and a read that blocks.
class HeldSignals {
 public:
  HeldSignals() {
    caught = 0;
    sigset_t held;
    sigemptyset(&held);
    for (const int number : kSignals) sigaddset(&held, number);
    sigprocmask(SIG_BLOCK, &held, &mask_);
    struct sigaction noting{};
    noting.sa_handler = note_signal;
    sigemptyset(&noting.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      sigaction(kSignals[i], nullptr, &actions_[i]);
      if (actions_[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &noting, nullptr);
    }
  }
  ~HeldSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &actions_[i], nullptr);
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  /// Whether there is some, or an end of it; not, when a signal came first.
  [[nodiscard]] bool wait_for_input(int descriptor) const {
    pollfd waited{descriptor, POLLIN, 0};
    while (caught == 0) {
      if (ppoll(&waited, 1, nullptr, &mask_) > 0) return true;
      if (errno != EINTR) return true;  // reading tells what is wrong
    }
    return false;
  }

 private:
  sigset_t mask_{};
  std::array<struct sigaction, kSignals.size()> actions_{};
};

/// While it lives the terminal shows nothing of what is typed.
class NoEcho {
 public:
  explicit NoEcho(int terminal) : terminal_(terminal) {
    if (tcgetattr(terminal_, &before_) != 0) return;
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_on_ = tcsetattr(terminal_, TCSAFLUSH, &quiet) == 0;
  }
  ~NoEcho() {
    if (is_on_) tcsetattr(terminal_, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  [[nodiscard]] bool is_on() const { return is_on_; }

 private:
  int terminal_;
  termios before_{};
  bool is_on_ = false;
};

/// What nobody reads nobody misses.
void show(int out, std::string_view text) {
  while (!text.empty()) {
    const auto written = write(out, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// A terminal gives a line at a time, or what there is of it when the input ends.
std::string read_line(int in, const HeldSignals& signals) {
  std::string line;
  std::array<char, 4096> octets{};
  while (!line.ends_with('\n') && signals.wait_for_input(in)) {
    const auto count = read(in, octets.data(), octets.size());
    if (count <= 0) break;
    line.append(octets.data(), static_cast<std::size_t>(count));
  }
  if (line.ends_with('\n')) line.pop_back();
  return line;
}

}  // namespace

bool is_terminal(int descriptor) { return isatty(descriptor) == 1; }

Result<std::string> ask_quietly(int in, int out, std::string_view prompt) {
  while (true) {
    std::string line;
    {
      const HeldSignals signals;
      const NoEcho quiet(in);
      if (!quiet.is_on())
        return permanent(
          Errc::unavailable, "the terminal would show the password: pass it on standard input"
        );
      show(out, prompt);
      line = read_line(in, signals);
      show(out, "\n");
    }
    if (caught == 0) return line;
    std::raise(static_cast<int>(caught));
  }
}

Result<std::string> ask_password(int in, int out) {
  auto password = ask_quietly(in, out, "Password: ");
  if (!password || password->empty()) return password;
  const auto again = ask_quietly(in, out, "Again: ");
  if (!again) return again;
  if (*again != *password) return permanent(Errc::invalid_argument, "the two passwords differ");
  return password;
}

}  // namespace relay::ctl
