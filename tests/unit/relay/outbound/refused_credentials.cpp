#include "relay/outbound/refused_credentials.hpp"

#include <gtest/gtest.h>

namespace relay::outbound {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

constexpr SteadyTime kStart{1h};

class RefusedCredentialsTest : public ::testing::Test {
 protected:
  RefusedCredentialsTest() {
    uses["a"] = {1, true};
    uses["b"] = {1, true};
  }
  Names refusing(SteadyTime now = kStart) { return refusals.now(uses, now); }

  RefusedCredentials refusals;
  std::map<std::string, RefusedCredentials::Use> uses;
};

TEST_F(RefusedCredentialsTest, AreThoseOfNobodyAtFirst) { EXPECT_EQ(refusing(), Names{}); }

TEST_F(RefusedCredentialsTest, StayRefusedUntilTheyAreAccepted) {
  refusals.refused("a", 1, kStart);
  EXPECT_EQ(refusing(), Names{"a"});
  EXPECT_EQ(refusing(kStart + 12h), Names{"a"}) << "its mail waits, and its next attempt may be far away";
  refusals.accepted("a", 1);
  EXPECT_EQ(refusing(), Names{});
}

TEST_F(RefusedCredentialsTest, AreNotTakenForGoodSinceAnotherSmarthostAcceptsItsOwn) {
  refusals.refused("a", 1, kStart);
  refusals.refused("b", 1, kStart);
  refusals.accepted("b", 1);
  EXPECT_EQ(refusing(), Names{"a"});
}

TEST_F(RefusedCredentialsTest, AreForgottenOnceThereAreOthers) {
  refusals.refused("a", 1, kStart);
  uses["a"].generation = 2;
  EXPECT_EQ(refusing(), Names{});
  refusals.refused("a", 2, kStart);
  refusals.accepted("a", 1);
  EXPECT_EQ(refusing(), Names{"a"}) << "an old connection was made with the old ones";
}

TEST_F(RefusedCredentialsTest, OfAnOldConnectionDoNotHideThoseOfANewOne) {
  uses["a"].generation = 2;
  refusals.refused("a", 2, kStart);
  refusals.refused("a", 1, kStart);
  EXPECT_EQ(refusing(), Names{"a"});
}

TEST_F(RefusedCredentialsTest, AreForgottenWithTheirSmarthost) {
  refusals.refused("a", 1, kStart);
  uses.erase("a");
  EXPECT_EQ(refusing(), Names{});
}

TEST_F(RefusedCredentialsTest, AreForgottenWhenNoMailWaitsAndNothingWasTriedForAWhile) {
  refusals.refused("a", 1, kStart);
  uses["a"].is_waited_for = false;
  EXPECT_EQ(refusing(kStart + RefusedCredentials::kUnused - 1ms), Names{"a"})
    << "other smarthosts take its mail: the next may be tried with it again";
  EXPECT_EQ(refusing(kStart + RefusedCredentials::kUnused), Names{});
  uses["a"].is_waited_for = true;
  EXPECT_EQ(refusing(kStart + RefusedCredentials::kUnused), Names{}) << "new mail has not been refused yet";
}

}  // namespace
}  // namespace relay::outbound
