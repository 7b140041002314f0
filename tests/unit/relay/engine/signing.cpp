#include "relay/engine/signing.hpp"

#include "relay/dkim/signer.hpp"
#include "tests/unit/relay/dkim/keys.hpp"
#include "tests/unit/relay/engine/spool_fixture.hpp"

namespace relay::engine {
namespace {

const std::string kContent = "From: a@example.com\r\nSubject: x\r\n\r\nbody\r\n";

class SigningTest : public SpoolTest {
 protected:
  void sign_for(const std::string& domain) {
    dkim::Rule rule;
    rule.domain = domain;
    rule.selector = "s1";
    rule.key = dkim::test::key(dkim::test::kRfc8463Ed25519);
    settings.change([&](Limits& limits) {
      limits.signing = std::make_shared<const dkim::Rules>(dkim::Rules{rule});
    });
  }
  /// In the spool, with its content in two chunks.
  Attempt stored_attempt() {
    const auto id = store->next_id();
    auto stored = envelope({"c@d"}, "a@example.com");
    stored.chunks = 2;
    write(
      {spool::put_record(Family::content, spool::indexed_key(id, 0), kContent.substr(0, 25)),
       spool::put_record(Family::content, spool::indexed_key(id, 1), kContent.substr(25))}
    );
    const auto at = place(id);
    store_message(stored, {at});
    return load(at);
  }
};

TEST_F(SigningTest, OfContentInMemoryAndInTheSpoolIsTheSame) {
  sign_for("example.com");
  Dispatched from_spool{stored_attempt(), nullptr};
  ASSERT_TRUE(sign(*context, from_spool));
  EXPECT_TRUE(from_spool.attempt.has_signature);
  EXPECT_THAT(from_spool.attempt.signature, ::testing::StartsWith("DKIM-Signature: v=1; a=ed25519-sha256;"));
  EXPECT_THAT(from_spool.attempt.signature, ::testing::EndsWith("\r\n"));
  auto in_memory = from_spool;
  in_memory.attempt.signature.clear();
  in_memory.attempt.has_signature = false;
  in_memory.content = std::make_shared<const Chunks>(Chunks{kContent});
  ASSERT_TRUE(sign(*context, in_memory));
  EXPECT_EQ(in_memory.attempt.signature, from_spool.attempt.signature);
}

TEST_F(SigningTest, CoversTheHeaderAsItIsSentOn) {
  sign_for("example.com");
  Dispatched plain{
    stored_attempt(),
    std::make_shared<const Chunks>(Chunks{"X-Tag: y\r\nFrom: a@example.com\r\n\r\nbody\r\n"})
  };
  ASSERT_TRUE(sign(*context, plain));
  Dispatched edited{stored_attempt(), nullptr};
  edited.attempt.stored.envelope.edits = {"X-Tag: y\r\n", {"Subject"}, 12};
  ASSERT_TRUE(sign(*context, edited));
  EXPECT_EQ(edited.attempt.signature, plain.attempt.signature) << "from the spool";
  Dispatched in_memory{
    stored_attempt(), std::make_shared<const Chunks>(Chunks{kContent.substr(0, 25), kContent.substr(25)})
  };
  in_memory.attempt.stored.envelope.edits = edited.attempt.stored.envelope.edits;
  ASSERT_TRUE(sign(*context, in_memory));
  EXPECT_EQ(in_memory.attempt.signature, plain.attempt.signature);
}

TEST_F(SigningTest, IsMadeOnce) {
  sign_for("example.com");
  Dispatched dispatched{stored_attempt(), nullptr};
  dispatched.attempt.has_signature = true;
  dispatched.attempt.signature = "DKIM-Signature: of the first attempt\r\n";
  ASSERT_TRUE(sign(*context, dispatched));
  EXPECT_EQ(dispatched.attempt.signature, "DKIM-Signature: of the first attempt\r\n");
}

TEST_F(SigningTest, IsNoneWithoutARule) {
  Dispatched dispatched{stored_attempt(), nullptr};
  ASSERT_TRUE(sign(*context, dispatched));
  EXPECT_TRUE(dispatched.attempt.signature.empty());
  sign_for("other.example");
  ASSERT_TRUE(sign(*context, dispatched));
  EXPECT_TRUE(dispatched.attempt.signature.empty());
  EXPECT_TRUE(dispatched.attempt.has_signature) << "there is nothing to ask again";
  EXPECT_TRUE(log.records("not_signed").empty());
}

TEST_F(SigningTest, IsNoneOfAHeaderThatIsTooLargeAndTheLogSaysSo) {
  sign_for("example.com");
  Dispatched dispatched{stored_attempt(), nullptr};
  std::string header = "From: a@example.com\r\n";
  while (header.size() <= dkim::kMaxHeader) header += "X: " + std::string(900, 'x') + "\r\n";
  dispatched.content = std::make_shared<const Chunks>(Chunks{header + "\r\nbody\r\n"});
  ASSERT_TRUE(sign(*context, dispatched));
  EXPECT_TRUE(dispatched.attempt.signature.empty());
  EXPECT_TRUE(dispatched.attempt.has_signature);
  EXPECT_EQ(log.records("not_signed").size(), 1U);
}

TEST_F(SigningTest, NeedsTheContent) {
  sign_for("example.com");
  Dispatched dispatched{stored_attempt(), nullptr};
  const auto key = spool::indexed_key(dispatched.attempt.id(), 1);
  write({spool::remove(Family::content, key)});
  write({spool::put(Family::content, key, "garbage")});
  const auto made = sign(*context, dispatched);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::corrupt);
  EXPECT_FALSE(dispatched.attempt.has_signature);
}

TEST_F(SigningTest, IsThatOfTheSpoolAtALaterAttempt) {
  const auto id = store->next_id();
  const auto at = place(id);
  store_message(envelope({"c@d"}, "a@example.com"), {at}, kContent);
  write({spool::put_record(Family::signature, spool::id_key(id), "DKIM-Signature: old\r\n")});
  sign_for("example.com");
  start();
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  EXPECT_EQ(attempt.signature, "DKIM-Signature: old\r\n");
  EXPECT_TRUE(attempt.signature_is_stored);
}

TEST_F(SigningTest, ThatIsDamagedSetsTheMessageAside) {
  const auto id = store->next_id();
  store_message(envelope({"c@d"}), {place(id)}, kContent);
  write({spool::put(Family::signature, spool::id_key(id), "garbage")});
  start();
  relay::test::eventually([this] { return quarantined() == 1; }, "the quarantine");
  EXPECT_EQ(shipped.count(), 0U);
}

}  // namespace
}  // namespace relay::engine
