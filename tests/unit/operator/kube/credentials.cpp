#include "operator/kube/credentials.hpp"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

#include "tests/support/folder.hpp"

namespace op::kube {
namespace {

using ::testing::HasSubstr;

class FakeClock : public relay::Clock {
 public:
  [[nodiscard]] relay::WallTime wall() const override { return {}; }
  [[nodiscard]] relay::SteadyTime steady() const override { return now; }
  relay::SteadyTime now{};
};

class CredentialsTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  [[nodiscard]] std::string path(const std::string& name) const { return folder.path(name); }
  relay::test::Folder folder;
  FakeClock clock;
};

TEST_F(CredentialsTest, ReadTheTokenAgainAsItRotates) {
  write("token", "first\n");
  Credentials credentials({"https://x", "", {}, {}, {}, {"", path("token")}}, clock);
  EXPECT_EQ(credentials.token(), "first");
  write("token", "second\n");
  EXPECT_EQ(credentials.token(), "first");
  clock.now += seconds{61};
  EXPECT_EQ(credentials.token(), "second");
}

TEST_F(CredentialsTest, ReadTheTokenAtOnceWhenTheServerRefusedIt) {
  write("token", "first");
  Credentials credentials({"https://x", "", {}, {}, {}, {"", path("token")}}, clock);
  EXPECT_EQ(credentials.token(), "first");
  write("token", "second");
  credentials.forget_token();
  EXPECT_EQ(credentials.token(), "second");
}

TEST_F(CredentialsTest, KeepTheLastTokenWhileItsFileIsAway) {
  write("token", "first");
  Credentials credentials({"https://x", "", {}, {}, {}, {"", path("token")}}, clock);
  EXPECT_EQ(credentials.token(), "first");
  std::filesystem::remove(path("token"));
  clock.now += seconds{61};
  EXPECT_EQ(credentials.token(), "first");
}

TEST_F(CredentialsTest, ReadTheAuthorityForEachConnection) {
  write("ca.crt", "one");
  const Credentials credentials(
    {"https://x", "", {"", path("ca.crt")}, {"certificate", ""}, {"key", ""}, {}}, clock
  );
  EXPECT_EQ(credentials.tls()->authority, "one");
  write("ca.crt", "two");
  EXPECT_EQ(credentials.tls()->authority, "two");
  EXPECT_EQ(credentials.tls()->certificate, "certificate");
}

TEST_F(CredentialsTest, SayWhichFileTheyCannotRead) {
  const Credentials credentials({"https://x", "", {"", path("absent")}, {}, {}, {}}, clock);
  ASSERT_FALSE(credentials.tls());
  EXPECT_THAT(credentials.tls().error().context, HasSubstr(path("absent")));
}

TEST_F(CredentialsTest, InAPodAreThoseOfItsServiceAccount) {
  write("namespace", "mail\n");
  const auto access = in_cluster_access(
    {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}, {"KUBERNETES_SERVICE_PORT", "6443"}}, folder.path()
  );
  ASSERT_TRUE(access);
  EXPECT_EQ(access->server, "https://10.0.0.1:6443");
  EXPECT_EQ(access->name_space, "mail");
  EXPECT_EQ(access->token.file, path("token"));
  EXPECT_EQ(access->authority.file, path("ca.crt"));
}

TEST_F(CredentialsTest, InAPodWithIpv6UseTheServersName) {
  EXPECT_EQ(
    in_cluster_access({{"KUBERNETES_SERVICE_HOST", "fd00::1"}}, folder.path())->server,
    "https://kubernetes.default.svc:443"
  );
}

TEST_F(CredentialsTest, OutsideAPodSayWhatToDo) {
  EXPECT_THAT(in_cluster_access({}, folder.path()).error().context, HasSubstr("give --kubeconfig"));
}

}  // namespace
}  // namespace op::kube
