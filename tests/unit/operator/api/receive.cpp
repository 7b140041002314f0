#include "operator/api/receive.hpp"

#include <gmock/gmock.h>

#include "operator/api/smtp_relay.hpp"

namespace op::api {
namespace {

using ::testing::HasSubstr;

relay::Result<SmtpRelay> read(const Json& milter) {
  return parse_smtp_relay({{"spec", {{"receive", {{"milters", Json::array({milter})}}}}}});
}

TEST(Milters, AreNoneUnlessTheResourceHasSome) {
  EXPECT_TRUE(parse_smtp_relay({{"spec", Json::object()}})->spec.milters.empty());
}

TEST(Milters, AreReadWithAllTheirFields) {
  const auto one = read(
    {{"name", "spam"},
     {"host", "rspamd.mail"},
     {"port", 11332},
     {"onFailure", "Accept"},
     {"connectTimeout", "2s"},
     {"commandTimeout", "3s"},
     {"messageTimeout", "4s"}}
  );
  ASSERT_TRUE(one) << one.error().context;
  EXPECT_EQ(one->spec.milters.at(0), (Milter{"spam", "rspamd.mail", 11332, "Accept", "2s", "3s", "4s"}));
}

TEST(Milters, TellWhichFieldHasTheWrongType) {
  const auto wrong = read({{"name", "spam"}, {"port", "many"}});
  EXPECT_THAT(wrong.error().context, HasSubstr("spec.receive.milters[0].port has the wrong type"));
}

}  // namespace
}  // namespace op::api
