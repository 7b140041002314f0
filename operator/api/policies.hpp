#pragma once
/// Rules on mail that comes in, as the resource says them. Networks, sizes and patterns stay text: the relay's own rules
/// (relay/config) read them. Empty text means that nothing was said.

#include <optional>
#include <string>
#include <vector>

namespace op::api {

struct PolicyMatch {
  std::vector<std::string> clients{};
  std::vector<std::string> helo{};
  std::vector<std::string> senders{};
  std::vector<std::string> recipients{};
  std::optional<bool> tls{};
  std::string larger_than{};
  std::string header{};        ///< header.name
  std::string header_value{};  ///< header.value
  std::vector<std::string> listeners{};
  std::vector<std::string> users{};
  std::optional<bool> authenticated{};
  friend bool operator==(const PolicyMatch&, const PolicyMatch&) = default;
};

/// Of Limit.
struct PolicyLimit {
  std::string rate{};  ///< `100/1h`
  std::string key{};   ///< Client, User, Sender, SenderDomain
  std::string unit{};  ///< Messages, Recipients
  friend bool operator==(const PolicyLimit&, const PolicyLimit&) = default;
};

struct Policy {
  std::string name;
  PolicyMatch match{};
  std::string
    action;  ///< Accept, Reject, Defer, Discard, Hold, Redirect, Route, Limit, AddHeader, RemoveHeader,
             ///< RewriteSender, SetPriority, Copy
  std::string reply{};        ///< of Reject, Defer and Limit
  std::string redirect_to{};  ///< of Redirect: an address
  std::string smarthost{};    ///< of Route: its name
  PolicyLimit limit{};
  std::string field{};             ///< of AddHeader and RemoveHeader: field.name
  std::string field_value{};       ///< of AddHeader: field.value
  std::string new_sender{};        ///< of RewriteSender: an address
  std::optional<bool> new_from{};  ///< of RewriteSender
  std::string priority{};          ///< of SetPriority: Normal, Bulk
  std::string copy_to{};           ///< of Copy: an address
  friend bool operator==(const Policy&, const Policy&) = default;
};

/// Who may send as whom.
struct SenderBinding {
  std::string name;
  std::vector<std::string> users{};
  std::vector<std::string> clients{};
  std::vector<std::string> senders{};
  bool header_from = false;
  friend bool operator==(const SenderBinding&, const SenderBinding&) = default;
};

}  // namespace op::api
