#include "relay/dkim/signer.hpp"

#include "keys.hpp"
#include "relay/dkim/signature.hpp"

namespace relay::dkim {
namespace {

constexpr WallTime kArrival{milliseconds(1'528'637'909'999)};

const std::string kBody = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
const std::string kHeader =
  "From: Joe SixPack <joe@football.example.com>\r\n"
  "To: Suzie Q <suzie@shopping.example.net>\r\n"
  "Subject: Is dinner ready?\r\n"
  "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
  "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
const std::string kMessage = kHeader + "\r\n" + kBody;

Rule rule(std::string_view pem = test::kRfc8463Ed25519) {
  return Rule{.domain = "football.example.com", .selector = "s1", .key = test::key(pem)};
}

Result<std::string> result_of(
  const Rules& rules, std::string_view content, std::string_view reverse_path = "",
  std::size_t piece = 1 << 20
) {
  const auto from = reverse_path.empty() ? mail::Address() : mail::Address::parse(reverse_path).value();
  Signer signer(std::make_shared<const Rules>(rules), from, kArrival);
  for (std::size_t i = 0; i < content.size(); i += piece) signer.feed(content.substr(i, piece));
  return signer.finish();
}

std::string signed_by(const Rules& rules, std::string_view content, std::string_view reverse_path = "") {
  const auto result = result_of(rules, content, reverse_path);
  EXPECT_TRUE(result) << result.error().message();
  return result.value_or("");
}

std::string names_of(const std::string& field) { return test::tags_of(field).at("h"); }

/// Every signature holds, and every cut gives the same.
void expect_verifies(const Rules& rules, const std::string& content, const std::string& message) {
  const auto out = signed_by(rules, content);
  const auto signatures = test::fields_of(out);
  ASSERT_EQ(signatures.size(), rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    EXPECT_EQ(test::verify(signatures[i], message, rules[i].key->dns_record()), "") << content << out;
  }
}
void expect_verifies(const Rules& rules, const std::string& message) {
  expect_verifies(rules, message, message);
}

Rules all_forms() {
  Rules rules;
  for (const auto pem : {test::kRfc8463Ed25519, test::kRfc8463Rsa}) {
    for (const auto header : {Canonicalization::simple, Canonicalization::relaxed}) {
      for (const auto body : {Canonicalization::simple, Canonicalization::relaxed}) {
        rules.push_back(rule(pem));
        rules.back().header = header;
        rules.back().body = body;
      }
    }
  }
  return rules;
}

/// The text that the examples of RFC 8463 appendix A.3 sign, made of our own canonical forms.
std::string rfc8463_text(const std::string& unsigned_field) {
  const auto fields = split_fields(kHeader);
  std::string text;
  for (const std::size_t i : {0U, 1U, 2U, 3U, 4U}) {
    append_canonical(text, fields[i].whole, Canonicalization::relaxed);
    text += "\r\n";
  }
  append_canonical(text, unsigned_field, Canonicalization::relaxed);
  return text;
}

TEST(Rfc8463AppendixA, SignaturesAreReproduced) {
  BodyHash hash(Canonicalization::relaxed);
  hash.feed(kBody);
  EXPECT_EQ(base64(hash.finish()), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
  EXPECT_EQ(
    base64(test::key(test::kRfc8463Ed25519)
             ->sign(rfc8463_text("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                                 " d=football.example.com; i=@football.example.com;\r\n"
                                 " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                                 " subject : date : message-id : from : subject : date;\r\n"
                                 " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                                 " b="))
             .value()),
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
  );
  EXPECT_EQ(
    base64(test::key(test::kRfc8463Rsa)
             ->sign(rfc8463_text("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                                 " d=football.example.com; i=@football.example.com;\r\n"
                                 " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                                 " date : message-id : from : subject : date;\r\n"
                                 " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                                 " b="))
             .value()),
    "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGs"
    "geefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8="
  );
}

TEST(Signer, WritesAFoldedFieldThatVerifies) {
  const auto out = signed_by({rule(test::kRfc8463Rsa)}, kMessage);
  const auto tags = test::tags_of(out);
  EXPECT_TRUE(
    out.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; "
                    "d=football.example.com;\r\n\ts=s1; t=1528637909;\r\n\th=")
  ) << out;
  EXPECT_FALSE(tags.contains("l"));
  EXPECT_FALSE(tags.contains("i"));
  EXPECT_FALSE(tags.contains("x"));
  EXPECT_TRUE(out.ends_with("=\r\n"));
  for (const auto line : split(out, '\n')) EXPECT_LE(line.size(), 79U) << line;
  expect_verifies({rule(test::kRfc8463Rsa)}, kMessage);
}

TEST(Signer, GivesTheSameHoweverTheContentIsCut) {
  const auto rules = Rules{rule(), rule(test::kRfc8463Rsa)};
  const auto whole = signed_by(rules, kMessage);
  EXPECT_EQ(test::fields_of(whole).size(), 2U);
  for (std::size_t cut = 0; cut <= kMessage.size(); ++cut) {
    Signer signer(std::make_shared<const Rules>(rules), {}, kArrival);
    signer.feed(std::string_view(kMessage).substr(0, cut));
    signer.feed(std::string_view(kMessage).substr(cut));
    EXPECT_EQ(signer.finish(), whole) << cut;
  }
  EXPECT_EQ(result_of(rules, kMessage, "", 1), whole);
}

TEST(Signer, VerifiesInEveryForm) {
  const std::string from = "From: a@football.example.com\r\n";
  for (const auto& body :
       {"", "\r\n", "x\r\n", "\r\n\r\n\r\n", " a \t b \r\n \r\nc\r\n\r\n \r\n\r\n", "no end", " \r\n"}) {
    expect_verifies(all_forms(), from + "\r\n" + body);
    expect_verifies(
      all_forms(), from + "SUBJECT :  a\t\r\n\t b \r\n \r\nX y: is the body\r\n" + "\r\n" + body,
      from + "SUBJECT :  a\t\r\n\t b \r\n \r\n\r\nX y: is the body\r\n" + "\r\n" + body
    );
  }
}

TEST(Signer, TakesContentWithoutASeparatorForHeaderOnly) {
  expect_verifies(all_forms(), kHeader);
  const auto whole = signed_by({rule()}, kHeader);
  EXPECT_EQ(signed_by({rule()}, kHeader.substr(0, kHeader.size() - 2)), whole);
  EXPECT_EQ(signed_by({rule()}, kHeader + "\r\n"), whole);
}

TEST(Signer, SignsBodiesOfAnySizeAndHugeFoldedFields) {
  std::string subject = "Subject:";
  for (int i = 0; i < 30'000; ++i) subject += " word\r\n";
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "some  text \t\r\n\r\n";
  const auto message = "From: <a@football.example.com>\r\n" + subject + "\r\n" + body;
  Rules rules = all_forms();
  const auto whole = signed_by(rules, message);
  EXPECT_EQ(result_of(rules, message, "", 7), whole);
  EXPECT_EQ(test::fields_of(whole).size(), rules.size());
  const auto tags = test::tags_of(test::fields_of(whole)[0]);
  std::string_view used = body;
  used.remove_suffix(2);  // simple: one CRLF of the last two stays
  std::string digest(32, '\0');
  unsigned size = 0;
  EVP_Digest(
    used.data(), used.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(), nullptr
  );
  EXPECT_EQ(tags.at("bh"), base64(digest));
}

TEST(Signer, OversignsWhatMustNotBeAddedLaterCase092) {
  const auto out = signed_by({rule()}, kMessage);
  EXPECT_EQ(
    names_of(out),
    "From:From:Reply-To:Subject:Subject:Date:Date:Message-ID:Message-ID:To:To:Cc:MIME-Version:Content-Type"
  );
  const auto record = rule().key->dns_record();
  EXPECT_EQ(test::verify(out, kMessage, record), "");
  for (const auto* added :
       {"From: x@evil.example\r\n", "Subject: y\r\n", "Reply-To: x@evil.example\r\n",
        "Content-Type: text/html\r\n"}) {
    EXPECT_EQ(test::verify(out, added + kMessage, record), "signature") << added;
  }
  EXPECT_EQ(test::verify(out, "X-Other: y\r\nReceived: z\r\n" + kMessage, record), "");
  EXPECT_EQ(test::verify(out, kMessage + "more\r\n", record), "body hash");
}

TEST(Signer, NeverWritesAShortHashALengthOrWhatTheMessageInjectsCase092) {
  const std::string evil = "List-;l=0;b: x\r\nList-\xc3\xbc: x\r\nList-Id : y\r\nList-" +
                           std::string(200, 'x') + ": z\r\n: none\r\n";
  for (const auto pem : {test::kRfc8463Ed25519, test::kRfc8463Rsa}) {
    const auto out = signed_by({rule(pem)}, evil + kMessage);
    const auto tags = test::tags_of(out);
    EXPECT_EQ(tags.size(), 9U) << out;
    EXPECT_FALSE(tags.contains("l"));
    EXPECT_EQ(parse_base64(tags.at("bh")).value().size(), 32U);
    EXPECT_EQ(
      parse_base64(tags.at("b")).value().size(),
      rule(pem).key->algorithm() == Algorithm::rsa_sha256 ? 128U : 64U
    );
    EXPECT_TRUE(tags.at("h").ends_with(":Content-Type:List-Id")) << tags.at("h");
    EXPECT_EQ(test::verify(out, evil + kMessage, rule(pem).key->dns_record()), "");
  }
}

TEST(Signer, SignsFromEvenWhenItsRuleDoesNotSaySoCase092) {
  auto bare = rule();
  bare.headers = {"Subject"};
  bare.oversigned = {};
  EXPECT_EQ(names_of(signed_by({bare}, kMessage)), "From:From:Subject");
}

TEST(Signer, ListsDuplicatesFromTheBottomUp) {
  auto some = rule();
  some.headers = {"From", "X-A", "List-*", "List-Id"};
  some.oversigned = {"List-Id"};
  const std::string message =
    "X-A: 1\r\nList-Id: i\r\nx-a: 2\r\nList-Help: h\r\nFrom: a@football.example.com\r\nX-A: 3\r\n\r\n";
  EXPECT_EQ(names_of(signed_by({some}, message)), "From:From:X-A:X-A:X-A:List-Help:List-Id:List-Id");
  const auto fields = split_fields(message);
  const auto entries = select_fields(some, fields).value();
  EXPECT_EQ(entries[2].whole, "X-A: 3");
  EXPECT_EQ(entries[4].whole, "X-A: 1");
  EXPECT_EQ(entries[1].whole, "");
  expect_verifies({some}, message);
}

TEST(Signer, LeavesOutWhatChangesOnItsWay) {
  auto greedy = rule();
  greedy.headers = {"From", "R*", "Dkim-Signature", "D*", "Received", "Authentication-Results"};
  greedy.oversigned = {"Received"};
  const auto message =
    "Received: r\r\nReturn-Path: <p>\r\nDKIM-Signature: v=1\r\nAuthentication-Results: x\r\nReply-To: y\r\n" +
    kMessage;
  EXPECT_EQ(names_of(signed_by({greedy}, message)), "From:From:Reply-To:Date");
}

TEST(Signer, ChoosesRulesByTheFirstFromField) {
  auto other = rule();
  other.domain = "other.example";
  const auto domain_of = [&](std::string_view content, std::string_view reverse_path = "") {
    const auto out = signed_by({rule(), other}, content, reverse_path);
    return out.empty() ? std::string() : test::tags_of(out).at("d");
  };
  EXPECT_EQ(domain_of("From: a@OTHER.example\r\nFrom: b@football.example.com\r\n\r\n"), "other.example");
  EXPECT_EQ(domain_of("from : a@x.other.example\r\n\r\n", "b@football.example.com"), "other.example");
  EXPECT_EQ(domain_of("From: broken\r\n\r\n", "b@football.example.com"), "football.example.com");
  EXPECT_EQ(
    domain_of("Subject: x\r\n\r\nFrom: a@other.example\r\n", "b@football.example.com"), "football.example.com"
  );
  EXPECT_EQ(domain_of("From: a@third.example\r\n\r\n", "b@football.example.com"), "");
  EXPECT_EQ(domain_of("From: broken\r\n\r\n"), "");
  EXPECT_EQ(domain_of("", "b@[10.0.0.1]"), "");
  EXPECT_EQ(domain_of(""), "");
}

TEST(Signer, WritesOneFieldForEachRuleInTheirOrder) {
  auto other = rule(test::kRfc8463Rsa);
  other.domain = "provider.example";
  other.senders = {"*"};
  other.expires = seconds(3600);
  const auto fields = test::fields_of(signed_by({other, rule()}, kMessage));
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(test::tags_of(fields[0]).at("d"), "provider.example");
  EXPECT_EQ(test::tags_of(fields[0]).at("x"), "1528641509");
  EXPECT_EQ(test::tags_of(fields[1]).at("d"), "football.example.com");
  EXPECT_EQ(test::verify(fields[0], kMessage, other.key->dns_record()), "");
}

TEST(Signer, SaysWhenItNeedsNoMore) {
  Signer none(nullptr, {}, kArrival);
  EXPECT_FALSE(none.wants_more());
  none.feed(kMessage);
  EXPECT_EQ(none.finish(), "");
  Signer other(std::make_shared<const Rules>(Rules{rule()}), {}, kArrival);
  other.feed("From: a@b.example\r\n");
  EXPECT_TRUE(other.wants_more());
  other.feed("\r\n");
  EXPECT_FALSE(other.wants_more());
  other.feed("body\r\n");
  EXPECT_EQ(other.finish(), "");
}

TEST(Signer, RefusesTooMuchHeader) {
  const auto large =
    result_of({rule()}, "From: a@football.example.com\r\nX: " + std::string(kMaxHeader, 'x'));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::too_large);
  std::string many = "From: a@football.example.com\r\n";
  for (std::size_t i = 0; i < kMaxSignedFields; ++i) many += "To: x\r\n";
  const auto refused = result_of({rule()}, many);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::too_large);
  EXPECT_EQ(refused.error().fate, Fate::permanent);
}

}  // namespace
}  // namespace relay::dkim
