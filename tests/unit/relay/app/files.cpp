#include "relay/app/files.hpp"

#include <gtest/gtest.h>

#include "relay/config/load.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"

namespace relay::app {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    test::write_text(folder.path(name), text);
    return folder.path(name);
  }
  static config::Settings settings(const std::string& json) {
    const auto loaded = config::load({json, "relay.json", {}});
    for (const auto& fault : loaded.faults) ADD_FAILURE() << fault.to_text();
    return loaded.settings;
  }

  test::Folder folder;
};

TEST_F(FilesTest, AreAllThatTheSettingsName) {
  std::map<std::string, std::string> paths;
  for (const auto* name :
       {"passwd", "mx_ca", "redaction", "ca", "certificate", "key", "user", "password", "id", "secret",
        "refresh", "dkim", "tls_certificate", "tls_key", "users", "nodes"})
    paths[name] = file(name, std::string("text of ") + name);
  const auto quoted = [&](const char* name) { return "\"" + paths[name] + "\""; };
  const auto files = read_files(settings(
    R"({"passwd_client": )" + quoted("passwd") + R"(, "mx_ca": )" + quoted("mx_ca") +
    R"(, "log_redaction_key": )" + quoted("redaction") + R"(, "tls_certificate_file": )" +
    quoted("tls_certificate") + R"(, "tls_key_file": )" + quoted("tls_key") + R"(, "auth_users_file": )" +
    quoted("users") + R"(, "hidden_sources_file": )" + quoted("nodes") +
    R"(, "smarthosts": [{"name": "a", "host": "a.test", "ca": )" + quoted("ca") +
    R"(, "client_certificate": )" + quoted("certificate") + R"(, "client_key": )" + quoted("key") +
    R"(, "username_file": )" + quoted("user") + R"(, "password_file": )" + quoted("password") +
    R"(, "client_id_file": )" + quoted("id") + R"(, "client_secret_file": )" + quoted("secret") +
    R"(, "refresh_token_file": )" + quoted("refresh") +
    R"(}], "dkim": [{"domain": "example.org", "selector": "s", "key": )" + quoted("dkim") + "}]}"
  ));
  ASSERT_TRUE(files) << files.error().message();
  EXPECT_EQ(files->size(), paths.size());
  for (const auto& [name, path] : paths) EXPECT_EQ(text_of(*files, path), "text of " + name);
}

TEST_F(FilesTest, OfTheSingleSmarthostAreAmongThem) {
  const auto path = file("ca", "authorities");
  const auto files = read_files(settings(R"({"smarthost": "a:25", "smarthost_ca": ")" + path + "\"}"));
  ASSERT_TRUE(files);
  EXPECT_EQ(text_of(*files, path), "authorities");
}

TEST_F(FilesTest, ThatAreMissingAreEmpty) {
  const auto files = read_files(settings(R"({"mx_ca": "/nowhere/at/all"})"));
  ASSERT_TRUE(files);
  EXPECT_EQ(text_of(*files, "/nowhere/at/all"), "");
  EXPECT_EQ(text_of(*files, "/never/named"), "");
  EXPECT_EQ(text_of(*files, ""), "");
}

TEST_F(FilesTest, ThatAreEmptyAreThere) {
  const auto path = file("users", "");
  const auto files = read_files(settings(
    R"({"mx_ca": "/nowhere/at/all", "auth_requires_tls": "off", "auth_users_file": ")" + path + "\"}"
  ));
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->contains(path));
  EXPECT_FALSE(files->contains("/nowhere/at/all"));
}

TEST_F(FilesTest, ThatCannotBeReadAreAnErrorThatNamesThem) {
  const auto files = read_files(settings(R"({"mx_ca": ")" + folder.path() + "\"}"));
  ASSERT_FALSE(files) << "a folder";
  EXPECT_EQ(files.error().fate, Fate::transient);
  EXPECT_NE(files.error().context.find(folder.path()), std::string::npos);
}

TEST_F(FilesTest, OfOneWordLoseTheLineEnd) {
  const Files files{{"/a", "pass word \r\n\n"}, {"/b", "\n"}, {"/c", "two\nlines"}};
  EXPECT_EQ(word_of(files, "/a"), "pass word ") << "a blank may belong to it";
  EXPECT_EQ(word_of(files, "/b"), "");
  EXPECT_EQ(word_of(files, "/c"), "two\nlines");
  EXPECT_EQ(word_of(files, "/none"), "");
}

}  // namespace
}  // namespace relay::app
