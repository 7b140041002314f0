#include "relay/base/log.hpp"

#include <gtest/gtest.h>

namespace relay::log {
namespace {

constexpr WallTime kNoon{milliseconds{1'767'268'800'250}};

TEST(LogRecord, IsOneJsonObjectInTheOrderItWasWritten) {
  EXPECT_EQ(
    info("reception").with("queue_id", "1").with("size", 42).to_line(kNoon),
    R"({"time":"2026-01-01T12:00:00.250Z","level":"info","event":"reception","queue_id":"1","size":42})"
  );
}

TEST(LogRecord, CannotBeForgedByWhatAPeerSent) {
  const auto line = info("rejection").with("helo", "x\r\n{\"event\":\"delivery\"}\x1b[2J\xff").to_line(kNoon);
  EXPECT_EQ(line.find_first_of("\r\n\x1b"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::accept(line));
}

}  // namespace
}  // namespace relay::log
