#include "relay/config/hidden_sources.hpp"

#include <gmock/gmock.h>

namespace relay::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(const Networks& networks) {
  std::vector<std::string> all;
  for (const auto& network : networks) all.push_back(network.to_text());
  return all;
}

TEST(HiddenSources, AreANetworkOrAnAddressALine) {
  const auto parsed =
    parse_hidden_sources("# nodes\n10.1.40.11\r\n\n 10.140.1.0/31  # gateway\n2001:db8::1\nfd00:1::/127");
  EXPECT_THAT(
    texts(parsed.networks), ElementsAre("10.1.40.11/32", "10.140.1.0/31", "2001:db8::1/128", "fd00:1::/127")
  );
  EXPECT_THAT(parsed.complaints, IsEmpty());
  EXPECT_THAT(parse_hidden_sources("").networks, IsEmpty());
}

TEST(HiddenSources, AreReadAllTheSameWhereALineCanNot) {
  const auto parsed = parse_hidden_sources("10.1.40.11\nnode-2\n10.1.40.1/24\n10.1.40.12\n");
  EXPECT_THAT(texts(parsed.networks), ElementsAre("10.1.40.11/32", "10.1.40.12/32"));
  EXPECT_THAT(
    parsed.complaints, ElementsAre(
                         "line 2: 'node-2' is not a network such as 10.20.0.0/16 or 2001:db8::/32",
                         "line 3: '10.1.40.1/24' has bits set behind its prefix length"
                       )
  );
}

}  // namespace
}  // namespace relay::config
