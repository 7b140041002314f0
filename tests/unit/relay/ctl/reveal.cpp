#include "relay/ctl/reveal.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "relay/redaction/tokens.hpp"
#include "tests/support/folder.hpp"

namespace relay::ctl {
namespace {

class Reveal : public ::testing::Test {
 protected:
  Reveal() { std::ofstream(key_file) << key << "\n"; }
  std::string run(std::vector<std::string> arguments, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    const auto done = reveal({key_file, std::move(arguments)}, in, out);
    return done ? out.str() : "failed: " + done.error().context;
  }

  test::Folder folder;
  std::string key = "0123456789abcdef";
  std::string key_file = folder.path("key");
  std::string token = (*redaction::Tokens::make(key))->seal("alice");
};

TEST_F(Reveal, ReadsTokensOfItsArguments) {
  EXPECT_EQ(run({token, token + "@example.net"}), "alice\nalice@example.net\n");
}

TEST_F(Reveal, ReplacesTokensInTheLinesOfItsInput) {
  const auto lines = "{\"sender\":\"" + token + "@a.b\"}\nplain\n";
  EXPECT_EQ(run({}, lines), "{\"sender\":\"alice@a.b\"}\nplain\n");
  EXPECT_EQ(run({"-"}, lines), run({}, lines));
}

TEST_F(Reveal, SaysWhatIsWrongWithTheKeyFile) {
  std::ofstream(key_file) << "short";
  EXPECT_EQ(run({token}), "failed: a redaction key has 16 octets at least");
  key_file = folder.path("missing");
  EXPECT_EQ(run({token}), "failed: cannot read a key in " + key_file + ", or the file is empty");
}

}  // namespace
}  // namespace relay::ctl
