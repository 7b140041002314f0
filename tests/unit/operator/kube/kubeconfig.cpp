#include <gmock/gmock.h>

#include "operator/kube/credentials.hpp"
#include "relay/base/text.hpp"

namespace op::kube {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string config(const std::string& cluster, const std::string& user, const std::string& current = "two") {
  return "apiVersion: v1\nkind: Config\ncurrent-context: " + current +
         "\ncontexts:\n- {name: one, context: {cluster: other, user: other}}\n"
         "- {name: two, context: {cluster: c, user: u, namespace: mail}}\n"
         "clusters:\n- {name: other, cluster: {server: 'https://other:1'}}\n- {name: c, cluster: {" +
         cluster +
         "}}\n"
         "users:\n- {name: other, user: {}}\n- {name: u, user: {" +
         user + "}}\n";
}
const std::string kServer = "server: 'https://api.test:6443/'";

std::string fault(const std::string& cluster, const std::string& user) {
  const auto access = parse_kubeconfig(config(cluster, user), "/home/x");
  return access ? "" : access.error().context;
}

TEST(Kubeconfig, GivesTheCurrentContextsServerAndNamespace) {
  const auto access = parse_kubeconfig(config(kServer, "token: t"), "/home/x");
  ASSERT_TRUE(access);
  EXPECT_EQ(access->server, "https://api.test:6443");
  EXPECT_EQ(access->name_space, "mail");
  EXPECT_EQ(access->token.text, "t");
  EXPECT_FALSE(access->authority.is_given());
}

TEST(Kubeconfig, TakesCertificatesAsDataOrAsFilesBesideIt) {
  const auto data = relay::base64("PEM");
  const auto access = parse_kubeconfig(
    config(
      kServer + ", certificate-authority-data: " + data, "client-certificate: me.crt, client-key: /etc/me.key"
    ),
    "/home/x"
  );
  ASSERT_TRUE(access) << access.error().context;
  EXPECT_EQ(access->authority.text, "PEM");
  EXPECT_EQ(access->certificate.file, "/home/x/me.crt");
  EXPECT_EQ(access->key.file, "/etc/me.key");
}

TEST(Kubeconfig, TakesATokenFromAFile) {
  EXPECT_EQ(parse_kubeconfig(config(kServer, "tokenFile: t"), "/home/x")->token.file, "/home/x/t");
}

TEST(Kubeconfig, IsRefusedWithAReasonWhenItCannotBeUsed) {
  EXPECT_THAT(fault("server: 'http://api.test'", ""), HasSubstr("https://"));
  EXPECT_THAT(
    fault(kServer + ", insecure-skip-tls-verify: true", ""), HasSubstr("insecure-skip-tls-verify is refused")
  );
  EXPECT_THAT(fault(kServer + ", tls-server-name: x", ""), HasSubstr("tls-server-name is not supported"));
  EXPECT_THAT(fault(kServer, "exec: {command: aws}"), HasSubstr("exec is not supported"));
  EXPECT_THAT(
    fault(kServer, "client-certificate: a"), HasSubstr("client-certificate and client-key come together")
  );
  EXPECT_THAT(
    fault(kServer + ", certificate-authority-data: '%%'", ""),
    HasSubstr("certificate-authority-data is not base64")
  );
}

TEST(Kubeconfig, IsRefusedWhenWhatItNamesIsMissing) {
  EXPECT_THAT(
    parse_kubeconfig(config(kServer, "", "three"), "/").error().context,
    HasSubstr("no entry named 'three' in contexts")
  );
  EXPECT_THAT(parse_kubeconfig("{}", "/").error().context, HasSubstr("current-context is not set"));
  EXPECT_THAT(parse_kubeconfig("- a", "/").error().context, HasSubstr("not a YAML mapping"));
}

TEST(Kubeconfig, DoesNotShowItsContentWhenItIsNotYaml) {
  const auto access = parse_kubeconfig("token: 'sesame\nusers: [", "/");
  ASSERT_FALSE(access);
  EXPECT_THAT(access.error().context, Not(HasSubstr("sesame")));
}

}  // namespace
}  // namespace op::kube
