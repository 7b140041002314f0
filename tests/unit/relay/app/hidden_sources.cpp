#include "relay/app/hidden_sources.hpp"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

#include "tests/support/folder.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> texts(const Networks& networks) {
  std::vector<std::string> all;
  for (const auto& network : networks) all.push_back(network.to_text());
  return all;
}

class HiddenSourcesTest : public ::testing::Test {
 protected:
  HiddenSourcesTest() {
    std::filesystem::create_directory(folder.path("nodes"));
    settings.hidden_sources_file = folder.path("nodes/list");
    settings.spool_path = folder.path();
  }
  [[nodiscard]] Files files(const std::string& text) const { return {{settings.hidden_sources_file, text}}; }
  /// What a relay that starts now takes from this text.
  [[nodiscard]] std::vector<std::string> started_with(const std::string& text) {
    HiddenSources fresh(log);
    return texts(fresh.follow(settings, files(text)));
  }

  test::Folder folder;
  test::QuietLog log;
  config::Settings settings;
  HiddenSources sources{log};
};

TEST_F(HiddenSourcesTest, ComplainOncePerText) {
  for (int turn = 0; turn < 3; ++turn)
    EXPECT_THAT(texts(sources.follow(settings, files("x\n10.1.40.11\n"))), ElementsAre("10.1.40.11/32"));
  EXPECT_EQ(log.records("hidden_sources").size(), 1U);
  EXPECT_THAT(texts(sources.follow(settings, files("x\n"))), ElementsAre("10.1.40.11/32"))
    << "a list that has become unreadable opens nothing";
  EXPECT_EQ(log.records("hidden_sources").size(), 2U);
}

TEST_F(HiddenSourcesTest, StayWhenTheFileIsGone) {
  EXPECT_THAT(texts(sources.follow(settings, files("10.1.40.11"))), ElementsAre("10.1.40.11/32"));
  EXPECT_THAT(texts(sources.follow(settings, files(""))), ElementsAre("10.1.40.11/32"));
  settings.hidden_sources_file = "";
  EXPECT_THAT(texts(sources.follow(settings, {})), ElementsAre("10.1.40.11/32"));
  EXPECT_TRUE(log.records("hidden_sources").empty());
}

TEST_F(HiddenSourcesTest, OutliveARestartThatMeetsNoList) {
  (void)sources.follow(settings, files("10.1.40.11\n10.140.1.0/31\n"));
  (void)sources.follow(settings, files("10.1.40.12\n10.140.1.0/31\n"));
  for (const auto* nothing : {"", "# nothing\n"})
    EXPECT_THAT(started_with(nothing), ElementsAre("10.1.40.12/32", "10.140.1.0/31"));
  const auto told = log.records("hidden_sources");
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0]["networks"], 2);
  EXPECT_THAT(told[0]["message"].get<std::string>(), HasSubstr("the one that was read last is in force"));
  EXPECT_THAT(log.levels("hidden_sources"), ElementsAre(log::Level::warning, log::Level::warning));
  EXPECT_THAT(started_with("10.1.40.13"), ElementsAre("10.1.40.13/32"))
    << "a list that is there is the newest";
  EXPECT_EQ(log.records("hidden_sources").size(), 2U);
  settings.hidden_sources_file = "";
  EXPECT_THAT(started_with(""), IsEmpty()) << "somebody wants none";
}

TEST_F(HiddenSourcesTest, AreMissedAtTheStartWhereThereShouldBeSome) {
  EXPECT_THAT(started_with(""), IsEmpty());
  ASSERT_EQ(log.records("hidden_sources").size(), 1U);
  EXPECT_THAT(
    log.records("hidden_sources")[0]["message"].get<std::string>(), HasSubstr("none was read before")
  );
  settings.hidden_sources_file = folder.path("nowhere/list");
  EXPECT_THAT(started_with(""), IsEmpty());
  EXPECT_EQ(log.records("hidden_sources").size(), 1U) << "where there is no such folder nobody writes lists";
}

TEST_F(HiddenSourcesTest, AreInForceAllTheSameWhereTheyCannotBeKept) {
  settings.spool_path = folder.path("nowhere");
  EXPECT_THAT(texts(sources.follow(settings, files("10.1.40.11"))), ElementsAre("10.1.40.11/32"));
  ASSERT_EQ(log.records("hidden_sources").size(), 1U);
  EXPECT_THAT(
    log.records("hidden_sources")[0]["error"].get<std::string>(), HasSubstr("nowhere/hidden_sources")
  );
}

}  // namespace
}  // namespace relay::app
