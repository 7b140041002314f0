#include "relay/tlspolicy/policy_folder.hpp"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>

#include "tests/support/folder.hpp"

namespace relay::tlspolicy {
namespace {

using std::chrono::hours;

const WallTime kStart{milliseconds{1'800'000'000'123}};

StoredPolicy stored(const std::string& host = "mx.example.com", WallTime used = kStart) {
  return {{{sts::Mode::enforce, seconds{86'400}, {host, "*.example.net"}}, "id1", kStart}, used};
}

class PolicyFolderTest : public ::testing::Test {
 protected:
  test::Folder root;
  PolicyFolder folder{root.path("policies"), 3};
};

TEST_F(PolicyFolderTest, GivesBackWhatItWasGiven) {
  EXPECT_FALSE(folder.load("example.com").value()) << "also before there is a folder";
  ASSERT_TRUE(folder.save("example.com", stored()));
  const auto loaded = folder.load("example.com");
  ASSERT_TRUE(loaded && *loaded);
  EXPECT_EQ((*loaded)->cached, stored().cached);
  EXPECT_EQ((*loaded)->used, kStart);
  ASSERT_TRUE(folder.save("example.com", stored("other.example.com")));
  EXPECT_EQ(folder.load("example.com").value()->cached, stored("other.example.com").cached);
  EXPECT_EQ(folder.domains(), std::vector<std::string>{"example.com"}) << "nothing is left beside it";
  folder.remove("example.com");
  EXPECT_FALSE(folder.load("example.com").value());
}

TEST_F(PolicyFolderTest, SaysWhenAFileHoldsNoPolicy) {
  ASSERT_TRUE(folder.save("example.com", stored()));
  const auto path = root.path("policies/example.com.json");
  std::string good;
  std::getline(std::ifstream(path), good);
  std::string other_domain = good;
  other_domain.replace(other_domain.find("example.com\""), 11, "example.org");
  for (const auto& text :
       {std::string{}, std::string("{}"), good.substr(0, good.size() / 2), other_domain,
        std::string("{\"domain\":\"example.com\",\"id\":1,\"fetched\":2,\"policy\":\"version: STSv1\"}")}) {
    std::ofstream(path) << text;
    const auto loaded = folder.load("example.com");
    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().code, Errc::corrupt);
  }
  std::ofstream(path) << std::string(1'000'000, ' ');
  const auto loaded = folder.load("example.com");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::storage_failed);
}

TEST_F(PolicyFolderTest, LeavesTheLeastRecentlyUsedOut) {
  ASSERT_TRUE(folder.save("a.example", stored("mx", kStart + hours{2})));
  ASSERT_TRUE(folder.save("b.example", stored("mx", kStart + hours{1})));
  ASSERT_TRUE(folder.save("c.example", stored("mx", kStart + hours{3})));
  ASSERT_TRUE(folder.save("d.example", stored("mx", kStart + hours{4})));
  auto domains = folder.domains();
  std::sort(domains.begin(), domains.end());
  EXPECT_EQ(domains, (std::vector<std::string>{"a.example", "c.example", "d.example"}));
}

TEST_F(PolicyFolderTest, HasNoFileForNamesThatAreNone) {
  for (const auto& domain :
       {std::string("../x"), std::string("a/b"), std::string(""), std::string(".."), std::string("a\0b", 3)
       }) {
    EXPECT_TRUE(folder.save(domain, stored()));
    EXPECT_FALSE(folder.load(domain).value());
  }
  std::string longest = "example";
  while (longest.size() < 250) longest.insert(0, "a.");
  EXPECT_TRUE(folder.save(longest, stored()));
  EXPECT_FALSE(folder.load(longest).value());
  EXPECT_TRUE(folder.domains().empty());
}

TEST_F(PolicyFolderTest, SaysWhenItCannotWrite) {
  std::ofstream(root.path("file")) << "in the way";
  const PolicyFolder blocked(root.path("file"), 3);
  const auto saved = blocked.save("example.com", stored());
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, Errc::storage_failed);
}

}  // namespace
}  // namespace relay::tlspolicy
