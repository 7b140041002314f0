#include "relay/net/resolver_config.hpp"

#include <gtest/gtest.h>

namespace relay::net {
namespace {

using Names = std::vector<std::string>;

TEST(SearchList, IsReadFromResolvConf) {
  const auto list = parse_search_list(
    "nameserver 10.0.0.1\ndomain old.example\n# search no.example\nsearch\ta.example b.example\noptions "
    "rotate ndots:5\n"
  );
  EXPECT_EQ(list.domains, (Names{"a.example", "b.example"}));
  EXPECT_EQ(list.ndots, 5U);
  EXPECT_EQ(parse_search_list("options ndots:99").ndots, 15U);
  EXPECT_TRUE(parse_search_list("").domains.empty());
}

TEST(SearchList, DecidesWhichNamesAreAskedInWhichOrder) {
  const SearchList list{{"a.example", "b.example."}, 2};
  EXPECT_EQ(candidates("smtp", list), (Names{"smtp.a.example.", "smtp.b.example.", "smtp."}));
  EXPECT_EQ(
    candidates("smtp.mail.test", list),
    (Names{"smtp.mail.test.", "smtp.mail.test.a.example.", "smtp.mail.test.b.example."})
  );
  EXPECT_EQ(candidates("smtp.mail.test.", list), Names{"smtp.mail.test."});
  EXPECT_EQ(candidates("smtp", {}), Names{"smtp."});
}

}  // namespace
}  // namespace relay::net
