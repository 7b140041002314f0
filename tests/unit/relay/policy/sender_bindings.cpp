#include "relay/policy/sender_bindings.hpp"

#include <gtest/gtest.h>

namespace relay::policy {
namespace {

mail::Address address(std::string_view text) { return *mail::Address::parse(text); }
HeaderFields from(const std::string& content) {
  HeaderFields fields({"From"});
  fields.feed(content);
  fields.finish();
  return fields;
}
Sending client(std::string_view address, std::string user = "") {
  return {*IpAddress::parse(address), false, std::move(user)};
}

/// A network of one application, a user of another, and both of a third.
const SenderBindings kBindings{
  {"erp", {}, {*Cidr::parse("10.1.0.0/16")}, {"erp.test", "invoices@shop.test"}},
  {"shop", {"shop-*"}, {}, {"shop.test"}, true},
};
std::string answer(const Sending& who, const char* sender) {
  const auto refusal = refuse_sender(kBindings, who, sender == nullptr ? mail::Address() : address(sender));
  return refusal ? refusal->to_line().substr(0, 9) : "fine";
}

TEST(SenderBindings, LetClientsSendAsTheirOwnSendersAlone) {
  EXPECT_EQ(answer(client("10.1.0.5"), "a@erp.test"), "fine");
  EXPECT_EQ(answer(client("10.1.0.5"), "Invoices@Shop.test"), "fine");
  EXPECT_EQ(answer(client("10.1.0.5"), "b@shop.test"), "553 5.7.1");
  EXPECT_EQ(answer(client("10.1.0.5"), "x@free.test"), "553 5.7.1") << "it is bound";
  EXPECT_EQ(answer(client("10.9.0.5", "shop-1"), "b@shop.test"), "fine");
  EXPECT_EQ(answer(client("10.9.0.5", "shop-1"), "x@free.test"), "553 5.7.1");
  EXPECT_EQ(answer(client("10.1.0.5", "shop-1"), "b@shop.test"), "fine")
    << "one of those that name it allows it";
}

TEST(SenderBindings, LetSendersBeSentByTheirOwnClientsAlone) {
  EXPECT_EQ(answer(client("10.9.0.5"), "a@erp.test"), "553 5.7.1");
  EXPECT_EQ(answer(client("10.9.0.5", "other"), "b@shop.test"), "553 5.7.1");
  EXPECT_EQ(answer(client("10.9.0.5"), "\"invoices\"@shop.test"), "553 5.7.1") << "quotes are no way around";
}

TEST(SenderBindings, LeaveTheOthersAndTheNullSenderAlone) {
  EXPECT_EQ(answer(client("10.9.0.5"), "x@free.test"), "fine");
  EXPECT_EQ(answer(client("10.1.0.5"), nullptr), "fine");
  EXPECT_FALSE(refuse_sender({}, client("10.1.0.5"), address("a@erp.test")));
}

TEST(SenderBindings, DoNotTakeTheAddressOfANodeForItsClients) {
  auto hidden = client("10.1.0.5");
  hidden.is_hidden = true;
  EXPECT_EQ(answer(hidden, "a@erp.test"), "553 5.7.1");
  const SenderBindings alone{{"erp", {}, {*Cidr::parse("10.1.0.5")}, {"erp.test"}}};
  EXPECT_FALSE(refuse_sender(alone, hidden, address("a@erp.test"))) << "it is listed alone";
}

TEST(SenderBindings, SayWhatToDo) {
  EXPECT_EQ(
    refuse_sender(kBindings, client("10.9.0.5"), address("a@erp.test"))->to_line(),
    "553 5.7.1 This sender is not for 10.9.0.5 without a login: use an address of its own, or log in as a "
    "user who may"
  );
}

TEST(SenderBindings, CoverTheHeaderWhereTheySaySo) {
  EXPECT_TRUE(cover_header(kBindings));
  EXPECT_FALSE(cover_header({kBindings[0]}));
  const auto of = [](const Sending& who, const std::string& content) {
    const auto refusal = refuse_from(kBindings, who, from(content));
    return refusal ? refusal->to_line().substr(0, 9) : "fine";
  };
  const auto shop = client("10.9.0.5", "shop-1");
  EXPECT_EQ(of(shop, "From: Shop <b@shop.test>\r\n\r\n"), "fine");
  EXPECT_EQ(of(shop, "From: Boss <boss@bank.test>\r\n\r\n"), "550 5.7.1");
  EXPECT_EQ(of(shop, "From: b@shop.test,\r\n boss@bank.test\r\n\r\n"), "550 5.7.1") << "each of them";
  EXPECT_EQ(of(shop, "From: b@shop.test\r\nFrom: boss@bank.test\r\n\r\n"), "550 5.7.1") << "each field";
  EXPECT_EQ(of(shop, "From: b@shop.test\r\nFROM : boss@bank.test\r\n\r\n"), "550 5.7.1");
  EXPECT_EQ(of(shop, "From: Boss <boss@bank.test\r\n\r\n"), "550 5.7.1") << "it cannot be read";
  EXPECT_EQ(of(shop, "Subject: x\r\n\r\nFrom: boss@bank.test\r\n"), "fine") << "there is none";
  EXPECT_EQ(of(shop, "From: " + std::string(20'000, ' ') + "boss@bank.test\r\n\r\n"), "550 5.7.1");
  EXPECT_EQ(of(shop, "X-Long: " + std::string(20'000, 'x') + "\r\nFrom: b@shop.test\r\n\r\n"), "fine");
  EXPECT_EQ(of(client("10.9.0.5"), "From: b@shop.test\r\n\r\n"), "550 5.7.1") << "a bound sender";
  EXPECT_EQ(of(client("10.9.0.5"), "From: x@free.test\r\n\r\n"), "fine");
  EXPECT_EQ(of(client("10.1.0.5"), "From: x@free.test\r\n\r\n"), "fine") << "its binding is of the envelope";
  EXPECT_EQ(of(client("10.1.0.5"), "From: invoices@shop.test\r\n\r\n"), "fine") << "but it allows";
}

}  // namespace
}  // namespace relay::policy
