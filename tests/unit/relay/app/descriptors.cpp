#include "relay/app/descriptors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace relay::app {
namespace {

TEST(Descriptors, AreWarnedOfWhereConnectionsMayTakeThoseOfTheSpoolCase110) {
  config::Settings settings;
  settings.max_connections = 500;
  settings.delivery_connections_total = 2000;
  EXPECT_TRUE(warn_of_descriptors(settings, 1024));
  EXPECT_TRUE(warn_of_descriptors(settings, 3011));
  EXPECT_FALSE(warn_of_descriptors(settings, 3012));
  EXPECT_FALSE(warn_of_descriptors(settings, RLIM_INFINITY));
}

TEST(Descriptors, AreAsManyAsTheProcessMayHaveCase110) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_EQ(descriptor_limit(), 64U);
  raise_descriptor_limit();
  EXPECT_EQ(descriptor_limit(), before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace relay::app
