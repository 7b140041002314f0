#include "relay/milter/circuit.hpp"

#include <gtest/gtest.h>

namespace relay::milter {
namespace {

using namespace std::chrono_literals;
constexpr SteadyTime kStart{1000s};

void fail(Circuit& circuit, unsigned times, SteadyTime now) {
  for (unsigned i = 0; i < times; ++i) {
    EXPECT_TRUE(circuit.may_ask(now));
    circuit.failed(now);
  }
}

TEST(Circuit, LetsAllAskWhileItWorks) {
  Circuit circuit;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(circuit.may_ask(kStart));
    circuit.failed(kStart);
    EXPECT_TRUE(circuit.may_ask(kStart));
    circuit.succeeded();
  }
}

TEST(Circuit, LetsOneAskForEachPauseWhenItIsDown) {
  Circuit circuit;
  fail(circuit, Circuit::kFailures, kStart);
  EXPECT_FALSE(circuit.may_ask(kStart + 999ms));
  EXPECT_TRUE(circuit.may_ask(kStart + 1s));
  EXPECT_FALSE(circuit.may_ask(kStart + 1s)) << "another does already";
  circuit.failed(kStart + 1s);
  EXPECT_FALSE(circuit.may_ask(kStart + 2999ms)) << "the pause doubles";
  EXPECT_TRUE(circuit.may_ask(kStart + 3s));
  circuit.succeeded();
  EXPECT_TRUE(circuit.may_ask(kStart + 3s));
  EXPECT_TRUE(circuit.may_ask(kStart + 3s));
}

TEST(Circuit, PausesForHalfAMinuteAtMost) {
  Circuit circuit;
  auto now = kStart;
  fail(circuit, Circuit::kFailures, now);
  for (int i = 0; i < 20; ++i) {
    now += Circuit::kLongestPause;
    fail(circuit, 1, now);
  }
  EXPECT_FALSE(circuit.may_ask(now + 29s));
  EXPECT_TRUE(circuit.may_ask(now + 30s));
}

TEST(Circuit, IsNotHurtByThoseThatWereUnderWay) {
  Circuit circuit;
  fail(circuit, Circuit::kFailures, kStart);
  for (int i = 0; i < 100; ++i) circuit.failed(kStart + 500ms);
  EXPECT_TRUE(circuit.may_ask(kStart + 1s));
}

TEST(Circuit, LetsAnotherAskWhenNobodyHeardOfTheLast) {
  Circuit circuit;
  fail(circuit, Circuit::kFailures, kStart);
  EXPECT_TRUE(circuit.may_ask(kStart + 1s));
  EXPECT_TRUE(circuit.may_ask(kStart + 2s));
}

}  // namespace
}  // namespace relay::milter
