#include "operator/kube/failure.hpp"

#include <gmock/gmock.h>

namespace op::kube {
namespace {

using relay::Errc;
using relay::Fate;
using ::testing::HasSubstr;

std::string status(const std::string& message) {
  return R"({"kind":"Status","status":"Failure","message":")" + message + R"("})";
}

TEST(Failure, SaysWhatWasAskedAndWhatTheServerAnswered) {
  const auto failure = refused("GET /api/v1/x", 404, status("x not found"), std::nullopt);
  EXPECT_EQ(failure.kind, Kind::not_found);
  EXPECT_EQ(failure.error.fate, Fate::permanent);
  EXPECT_EQ(failure.message(), "GET /api/v1/x: 404 x not found (not_found)");
}

TEST(Failure, OfAConflictIsTransient) {
  const auto failure = refused("PUT /x", 409, status("the object has been modified"), std::nullopt);
  EXPECT_EQ(failure.kind, Kind::conflict);
  EXPECT_EQ(failure.error.fate, Fate::transient);
}

TEST(Failure, OfAVersionThatIsGoneMeansToListAgain) {
  EXPECT_EQ(refused("GET /x", 410, status("too old resource version"), std::nullopt).kind, Kind::gone);
}

TEST(Failure, OfAVersionThatTheServerHasNotSeenYetMeansToListAgainToo) {
  EXPECT_EQ(refused("GET /x", 504, status("Too large resource version: 9, current: 5"), 1).kind, Kind::gone);
}

TEST(Failure, OfThrottlingHoldsTheTimeToWait) {
  const auto failure = refused("GET /x", 429, status("too many requests"), 3);
  EXPECT_EQ(failure.kind, Kind::throttled);
  EXPECT_EQ(failure.retry_after, seconds{3});
  EXPECT_EQ(refused("GET /x", 503, "", 2).kind, Kind::throttled);
  EXPECT_EQ(refused("GET /x", 503, "", std::nullopt).kind, Kind::server);
}

TEST(Failure, DoesNotWaitForHoursBecauseAServerSaysSo) {
  EXPECT_EQ(refused("GET /x", 429, "", 1'000'000).retry_after, seconds{300});
}

TEST(Failure, OfRightsIsTransientAndOfContentPermanent) {
  EXPECT_EQ(refused("GET /x", 403, status("no"), std::nullopt).kind, Kind::forbidden);
  EXPECT_EQ(refused("GET /x", 401, status("no"), std::nullopt).error.fate, Fate::transient);
  EXPECT_EQ(refused("PATCH /x", 422, status("no"), std::nullopt).kind, Kind::invalid);
  EXPECT_EQ(refused("PATCH /x", 400, status("no"), std::nullopt).error.fate, Fate::permanent);
}

TEST(Failure, ShowsWhatAProxyWroteInsteadOfAStatus) {
  EXPECT_THAT(
    refused("GET /x", 502, "<html>bad\ngateway</html>", std::nullopt).message(),
    HasSubstr("<html>bad?gateway")
  );
}

TEST(Failure, OfAnExchangeIsUnreachableUnlessWeStoppedIt) {
  EXPECT_EQ(
    failed_exchange("GET /x", {Errc::connection_failed, Fate::transient, "refused"}).kind, Kind::unreachable
  );
  EXPECT_EQ(failed_exchange("GET /x", {Errc::cancelled, Fate::transient, "stopped"}).kind, Kind::cancelled);
}

}  // namespace
}  // namespace op::kube
