#include "operator/resources/receive_settings.hpp"

#include <gtest/gtest.h>

#include "relay/config/object_tables.hpp"

namespace op::resources {
namespace {

using relay::config::MilterFailure;

TEST(ReceiveSettings, AreNotWrittenWhereThereAreNone) { EXPECT_TRUE(milters({}).is_null()); }

TEST(ReceiveSettings, SayEachFieldAsTheRelayReadsIt) {
  api::Spec spec;
  spec.milters = {
    {"sign", "opendkim.mail", 8891},
    {"spam", "10.1.2.3", 11332, "Accept", "1s", "2s", "3s"},
    {"av", "av.test", 1, "Reject"}
  };
  const auto read =
    relay::config::read_objects(relay::config::fields_of<relay::config::Milter>(), milters(spec).dump());
  ASSERT_TRUE(read) << read.error().context;
  using std::chrono::seconds;
  EXPECT_EQ(
    *read, (std::vector<relay::config::Milter>{
             {"sign", "opendkim.mail", 8891, MilterFailure::defer, seconds{5}, seconds{15}, seconds{60}},
             {"spam", "10.1.2.3", 11332, MilterFailure::accept, seconds{1}, seconds{2}, seconds{3}},
             {"av", "av.test", 1, MilterFailure::reject, seconds{5}, seconds{15}, seconds{60}}
           })
  );
}

}  // namespace
}  // namespace op::resources
