#pragma once
/// Who may send as whom.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/address.hpp"
#include "relay/mail/reply.hpp"
#include "relay/policy/header_fields.hpp"
#include "relay/policy/relay_access.hpp"

namespace relay::policy {

/// Binds clients and senders to each other: where one that is bound names the client or the sender, there must be one that
/// names both. So a bound client sends as its senders alone, and a bound sender is sent by its clients alone. Clients and
/// senders in no binding are free.
struct SenderBinding {
  std::string name;
  std::vector<std::string>
    users;           ///< patterns for those logged in; one of them, or of the networks, names a client
  Networks clients;  ///< by address; one that hides clients must be listed alone, as in RelayAccess
  std::vector<std::string> senders;  ///< patterns as glob.hpp has them for addresses
  bool covers_header = false;        ///< From in the header is bound too
  friend bool operator==(const SenderBinding&, const SenderBinding&) = default;
};
using SenderBindings = std::vector<SenderBinding>;

/// Who sends.
struct Sending {
  IpAddress client;
  bool is_hidden = false;  ///< the address stands for several clients: hides_clients()
  std::string user{};      ///< empty: nobody has logged in
};

/// 553 5.7.1 for a reverse path that is not the client's to use; nothing when it is. The null sender always is: reports have it.
[[nodiscard]] std::optional<mail::Reply> refuse_sender(
  const SenderBindings& bindings, const Sending& who, const mail::Address& sender
);

/// Whether one asks for From at all.
[[nodiscard]] bool cover_header(const SenderBindings& bindings);

/// 550 5.7.1 for a header whose From names somebody as whom the client may not send, or cannot be read; all its From fields
/// count. Nothing when it may, when there is no From, and where no binding covers the header.
/// @param from  a header's From fields, whole
[[nodiscard]] std::optional<mail::Reply> refuse_from(
  const SenderBindings& bindings, const Sending& who, const HeaderFields& from
);

}  // namespace relay::policy
