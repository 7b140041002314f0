/// Plays every tests/transcript/*.smtp against the pure session and against the live one behind a socket.
///
/// A line starts with what it is:
///   C: text      the client sends text and CRLF (in it, \n is a bare LF, \r a bare CR, \0 a NUL, \\ a
///   backslash)
///   C< text      the same without a line end
///   S: pattern   a line of the relay; * stands for anything
///   T:           the client begins TLS, and the rest goes over it; STARTTLS is offered where a transcript names it,
///                and so is AUTH, to the user `test` with the password `1234`
///   X:           the relay closes the connection
///   M: a -> b c  a message was committed, from a to b and c ...
///   M| text      ... with this line of content
///   # text       a comment
/// All that the client sends between two S lines goes out at once.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "tests/support/certificates.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/live_session.hpp"
#include "tests/support/secure_peer.hpp"
#include "tests/support/users.hpp"

namespace relay {
namespace {

struct Line {
  char kind;
  std::string text;
};

std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char next = text[++i];
    out += next == 'n' ? '\n' : next == 'r' ? '\r' : next == '0' ? '\0' : next;
  }
  return out;
}

std::vector<Line> read_transcript(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Line> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    EXPECT_GE(line.size(), 2U) << path << ": " << line;
    const char mark = line[1];
    const auto text = line.size() > 3 ? line.substr(3) : "";
    if (line[0] == 'C') lines.push_back({'C', unescaped(text) + (mark == ':' ? "\r\n" : "")});
    else if (line[0] == 'M' && mark == '|') lines.push_back({'|', unescaped(text)});
    else lines.push_back({line[0], text});
  }
  return lines;
}

bool matches(std::string_view text, std::string_view pattern) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const auto rest = pattern.substr(star + 1);
  if (rest.empty()) return true;
  for (std::size_t at = star; at <= text.size(); ++at) {
    if (matches(text.substr(at), rest)) return true;
  }
  return false;
}

/// What a transcript needs besides.
struct Needs {
  bool tls = false;
  bool auth = false;
};

/// What a transcript is played against.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual void send(const std::string& octets) = 0;
  virtual void start_tls() = 0;
  virtual std::string line() = 0;
  virtual std::string rest() = 0;
  virtual std::vector<test::StoredMessage> messages() = 0;
};

class PureStage : public Stage {
 public:
  explicit PureStage(Needs needs) : talk_(test::allowed_client(), limits(needs)) {
    talk_.users = test::users(test::user_line("test", "1234"));
    replies_ = talk_.said();
  }
  void send(const std::string& octets) override { replies_ += talk_.send(octets); }
  void start_tls() override { EXPECT_EQ(talk_.handshakes(), 1U) << "the session asks for it"; }
  std::string line() override {
    const auto end = replies_.find("\r\n");
    if (end == std::string::npos) return "(nothing) " + std::exchange(replies_, {});
    const auto line = replies_.substr(0, end);
    replies_.erase(0, end + 2);
    return line;
  }
  std::string rest() override {
    return (talk_.is_closed() ? "" : "(still open) ") + std::exchange(replies_, {});
  }
  std::vector<test::StoredMessage> messages() override { return talk_.messages(); }

 private:
  static smtp::ServerLimits limits(Needs needs) {
    smtp::ServerLimits limits;
    limits.has_tls = needs.tls;
    limits.has_auth = needs.auth;
    return limits;
  }

  test::Conversation talk_;
  std::string replies_;
};

class LiveStage : public Stage {
 public:
  explicit LiveStage(Needs needs) : relay_(rules(needs)) {}
  void send(const std::string& octets) override { secured_ ? secured_->send(octets) : client_.send(octets); }
  void start_tls() override {
    secured_.emplace(std::move(client_));
    EXPECT_TRUE(secured_->is_ready());
  }
  std::string line() override { return secured_ ? secured_->line() : client_.line(); }
  std::string rest() override { return secured_ ? secured_->rest() : client_.rest(); }
  std::vector<test::StoredMessage> messages() override { return relay_.messages(); }

 private:
  static session::Rules rules(Needs needs) {
    auto rules = test::LiveSession::allowing_loopback();
    if (needs.auth) rules.users = test::users(test::user_line("test", "1234"));
    rules.wants_users = needs.auth;
    if (!needs.tls) return rules;
    const test::Folder folder;
    const auto certificate = test::make_certificate({});
    test::write_text(folder.path("tls.crt"), test::pem(certificate));
    test::write_text(folder.path("tls.key"), test::key_pem(certificate));
    rules.tls = *net::TlsServer::make({folder.path("tls.crt"), folder.path("tls.key"), {}});
    return rules;
  }

  test::LiveSession relay_;
  test::Peer client_ = relay_.client();
  std::optional<test::SecurePeer> secured_;
};

std::string envelope_text(const mail::Envelope& envelope) {
  std::string text = "<" + envelope.reverse_path.to_text() + "> ->";
  for (const auto& recipient : envelope.recipients) text += " <" + recipient.to_text() + ">";
  return text;
}

void play(const std::vector<Line>& lines, Stage& stage) {
  std::string sending;
  std::vector<std::pair<std::string, std::string>> expected_messages;
  const auto flush = [&] {
    if (!sending.empty()) stage.send(std::exchange(sending, {}));
  };
  for (const auto& line : lines) {
    switch (line.kind) {
      case 'C': sending += line.text; break;
      case 'S': {
        flush();
        const auto said = stage.line();
        EXPECT_TRUE(matches(said, line.text)) << "expected: " << line.text << "\n     got: " << said;
        break;
      }
      case 'T': stage.start_tls(); break;
      case 'X':
        flush();
        EXPECT_EQ(stage.rest(), "");
        break;
      case 'M': expected_messages.emplace_back(line.text, ""); break;
      case '|': expected_messages.back().second += line.text + "\r\n"; break;
      default: FAIL() << "unknown kind of line: " << line.kind;
    }
  }
  const auto messages = stage.messages();
  ASSERT_EQ(messages.size(), expected_messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(envelope_text(messages[i].envelope), expected_messages[i].first);
    EXPECT_EQ(messages[i].content, expected_messages[i].second);
  }
}

std::vector<std::filesystem::path> transcripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator("tests/transcript")) {
    if (entry.path().extension() == ".smtp") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class Transcript : public ::testing::TestWithParam<std::filesystem::path> {};

Needs needs_of(const std::vector<Line>& lines) {
  const auto names = [&](std::string_view word) {
    return std::any_of(lines.begin(), lines.end(), [word](const Line& line) {
      return line.text.find(word) != std::string::npos;
    });
  };
  return {names("STARTTLS"), names("AUTH ")};
}

TEST_P(Transcript, HoldsForThePureSession) {
  const auto lines = read_transcript(GetParam());
  PureStage stage(needs_of(lines));
  play(lines, stage);
}

TEST_P(Transcript, HoldsOverASocket) {
  const auto lines = read_transcript(GetParam());
  LiveStage stage(needs_of(lines));
  play(lines, stage);
}

INSTANTIATE_TEST_SUITE_P(Files, Transcript, ::testing::ValuesIn(transcripts()), [](const auto& path) {
  auto name = path.param.stem().string();
  std::replace_if(
    name.begin(), name.end(), [](char c) { return !isalnum(static_cast<unsigned char>(c)); }, '_'
  );
  return name;
});

}  // namespace
}  // namespace relay
