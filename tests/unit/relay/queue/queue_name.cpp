#include "relay/queue/queue_name.hpp"

#include <gtest/gtest.h>

namespace relay::queue {
namespace {

TEST(QueueName, OfTheNormalLaneIsTheDestinations) {
  EXPECT_EQ((QueueName{{"smarthost/default"}, Lane::normal}.to_key()), "smarthost/default");
  EXPECT_EQ((QueueName{{"mx/example.org"}, Lane::bulk}.to_key()), "mx/example.org;bulk");
}

TEST(QueueName, IsReadAsItWasWritten) {
  for (const auto lane : kLanes) {
    const QueueName name{{"mx/example.org"}, lane};
    const auto read = QueueName::parse(name.to_key());
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, name);
  }
}

TEST(QueueName, IsRefusedWithoutAMeaning) {
  for (const auto* key : {"", ";bulk", "mx/a;", "mx/a;slow", "mx/a;bulk;bulk"}) {
    const auto read = QueueName::parse(key);
    ASSERT_FALSE(read) << key;
    EXPECT_EQ(read.error().code, Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace relay::queue
