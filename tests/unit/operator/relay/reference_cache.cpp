#include "operator/relay/reference_cache.hpp"

#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = api::KeyReference::Kind;

const Key kRelay{"mail", "edge"};
const Reference kSecret{Kind::secret, {"mail", "credentials"}};

Json metadata(const std::string& name, const std::string& version) {
  return {{"metadata", {{"namespace", "mail"}, {"name", name}, {"resourceVersion", version}}}};
}
std::string secret(const std::string& version) {
  auto object = metadata("credentials", version);
  object["data"] = {{"passwd.client", relay::base64("a:b:c")}};
  return object.dump();
}

class ReferenceCacheTest : public ::testing::Test {
 protected:
  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  std::vector<std::string> told;
  ReferenceCache cache{client, [this](const Key& key) { told.push_back(key.name); }};
  std::unique_ptr<runtime::Sink> watch = cache.sink(Kind::secret, "mail");
};

TEST_F(ReferenceCacheTest, ReadsEachVersionOnce) {
  cache.use(kRelay, {kSecret});
  transport.answers(200, secret("5"));
  EXPECT_EQ(cache.read(kSecret, {})->resource_version, "5");
  EXPECT_EQ(cache.read(kSecret, {})->resource_version, "5");
  EXPECT_THAT(transport.requests, SizeIs(1));
}

TEST_F(ReferenceCacheTest, TellsWhoNamesWhatChanged) {
  cache.use(kRelay, {kSecret});
  cache.use({"mail", "other"}, {kSecret});
  transport.answers(200, secret("5"));
  (void)cache.read(kSecret, {});
  watch->upsert(metadata("credentials", "6"));
  EXPECT_THAT(told, ElementsAre("edge", "other"));
  transport.answers(200, secret("6"));
  EXPECT_EQ(cache.read(kSecret, {})->resource_version, "6");
}

TEST_F(ReferenceCacheTest, SaysNothingOfTheVersionItKnowsOrOfSecretsThatNobodyNames) {
  cache.use(kRelay, {kSecret});
  transport.answers(200, secret("5"));
  (void)cache.read(kSecret, {});
  watch->upsert(metadata("credentials", "5"));
  watch->upsert(metadata("unrelated", "9"));
  watch->keep_only({{"mail", "credentials"}});
  EXPECT_THAT(told, IsEmpty());
  EXPECT_THAT(transport.requests, SizeIs(1));
}

TEST_F(ReferenceCacheTest, KnowsWhatIsMissingUntilItAppears) {
  cache.use(kRelay, {kSecret});
  transport.answers(404, "{}");
  EXPECT_FALSE(cache.read(kSecret, {})->exists);
  EXPECT_FALSE(cache.read(kSecret, {})->exists);
  EXPECT_THAT(transport.requests, SizeIs(1));
  watch->upsert(metadata("credentials", "5"));
  EXPECT_THAT(told, ElementsAre("edge"));
  transport.answers(200, secret("5"));
  EXPECT_TRUE(cache.read(kSecret, {})->exists);
}

TEST_F(ReferenceCacheTest, FindsInAListWhatWasDeletedMeanwhile) {
  cache.use(kRelay, {kSecret});
  transport.answers(200, secret("5"));
  (void)cache.read(kSecret, {});
  watch->keep_only({{"mail", "unrelated"}});
  EXPECT_THAT(told, ElementsAre("edge"));
  transport.answers(404, "{}");
  EXPECT_FALSE(cache.read(kSecret, {})->exists);
}

TEST_F(ReferenceCacheTest, DoesNotKeepAReadingThatWasOvertaken) {
  cache.use(kRelay, {kSecret});
  // The watch speaks while the answer is on its way.
  class Overtaking : public kube::ScriptedTransport {
   public:
    relay::Result<kube::Response> send(const kube::Request& request, std::stop_token stop) override {
      auto answer = ScriptedTransport::send(request, stop);
      if (meanwhile) meanwhile();
      return answer;
    }
    std::function<void()> meanwhile;
  } slow;
  kube::Client slow_client(slow, gate, "smtp-relay-operator");
  ReferenceCache overtaken(slow_client, [this](const Key& key) { told.push_back(key.name); });
  const auto feed = overtaken.sink(Kind::secret, "mail");
  overtaken.use(kRelay, {kSecret});
  slow.meanwhile = [&] { feed->upsert(metadata("credentials", "6")); };
  slow.answers(200, secret("5"));
  EXPECT_EQ(overtaken.read(kSecret, {})->resource_version, "5");
  EXPECT_THAT(told, ElementsAre("edge"));
  slow.meanwhile = nullptr;
  slow.answers(200, secret("6"));
  EXPECT_EQ(overtaken.read(kSecret, {})->resource_version, "6");
}

TEST_F(ReferenceCacheTest, AsksAgainForWhatItMayNotRead) {
  cache.use(kRelay, {kSecret});
  transport.answers(403, R"({"message":"secrets is forbidden"})");
  EXPECT_FALSE(cache.read(kSecret, {})->unreadable.empty());
  transport.answers(200, secret("5"));
  EXPECT_TRUE(cache.read(kSecret, {})->exists);
}

TEST_F(ReferenceCacheTest, PassesOnAFailureThatMayPass) {
  cache.use(kRelay, {kSecret});
  transport.fails(relay::Errc::connection_lost);
  EXPECT_EQ(cache.read(kSecret, {}).error().kind, kube::Kind::unreachable);
}

TEST_F(ReferenceCacheTest, ForgetsWhatNobodyNamesAnyMore) {
  cache.use(kRelay, {kSecret});
  transport.answers(200, secret("5"));
  (void)cache.read(kSecret, {});
  cache.use(kRelay, {});
  watch->upsert(metadata("credentials", "6"));
  EXPECT_THAT(told, IsEmpty());
}

}  // namespace
}  // namespace op::smtp_relay
