#include "relay/config/reference.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

namespace relay::config {
namespace {

TEST(SettingsTable, HasEachKeyOnceAndEachDefaultValid) {
  std::set<std::string_view> keys;
  for (const auto& row : settings_table()) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
    Settings settings;
    EXPECT_TRUE(row.set(settings, row.default_value)) << row.key;
    const auto text = row.get(settings);
    EXPECT_TRUE(row.set(settings, text)) << row.key;
    EXPECT_EQ(row.get(settings), text) << row.key;
  }
}

TEST(SettingsTable, KeepsTheNamesThatOthersDependOn) {
  for (const auto* name : {"HOSTNAME",         "LISTEN",
                           "HTTP_LISTEN",      "METRICS_LISTEN",
                           "SPOOL_PATH",       "ALLOWED_NETWORKS",
                           "PROXY_TRUSTED",    "SMARTHOST",
                           "SMARTHOST_TLS",    "SMARTHOST_CA",
                           "PASSWD_CLIENT",    "HIDDEN_SOURCES",
                           "MAX_MESSAGE_SIZE", "RETRY_INITIAL_DELAY",
                           "LAME_DUCK",        "BARE_LINE_ENDINGS",
                           "ADMIN_LISTEN",     "NODE_NAME",
                           "POD_NAME",         "POD_NAMESPACE"}) {
    const auto names = settings_table();
    EXPECT_TRUE(std::any_of(
      names.begin(), names.end(),
      [&](const auto& row) { return row.environment_name() == "SMTP_RELAY_" + std::string(name); }
    )) << name;
  }
}

TEST(SettingsTable, IsSearchedByKey) {
  ASSERT_NE(find_setting("smarthosts"), nullptr);
  EXPECT_EQ(find_setting("smarthosts")->environment_name(), "SMTP_RELAY_SMARTHOSTS");
  for (const auto* key : {"", "SMARTHOSTS", "smarthost_", "name"})
    EXPECT_EQ(find_setting(key), nullptr) << key;
}

TEST(SettingsTable, DescribesTheFieldsOfListsOfObjects) {
  const auto page = reference_page();
  std::set<std::string> lists;
  for (const auto& row : settings_table()) {
    EXPECT_EQ(row.fields != nullptr, row.shape == Shape::objects) << row.key;
    if (row.fields == nullptr) continue;
    lists.emplace(row.key);
    const auto section = page.find("\n## " + std::string(row.key) + "\n");
    ASSERT_NE(section, std::string::npos) << row.key;
    for (const auto& field : row.fields()) {
      EXPECT_NE(page.find("| `" + std::string(field.key) + "` |", section), std::string::npos) << field.key;
      EXPECT_FALSE(field.meaning.empty() || field.accepted.empty()) << field.key;
    }
  }
  EXPECT_EQ(
    lists, (std::set<std::string>{
             "destinations", "dkim", "listeners", "milters", "policies", "providers", "sender_bindings",
             "smarthosts", "sources"
           })
  );
}

TEST(SettingsTable, IsWhatTheReferencePageSays) {
  std::ifstream file("docs/configuration.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), reference_page()) << "run `make docs`";
}

}  // namespace
}  // namespace relay::config
