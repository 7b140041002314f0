#pragma once
/// What sender bindings say of one transaction.

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "relay/policy/sender_bindings.hpp"

namespace relay::session {

/// Asks the bindings that were in force at MAIL, of the reverse path then, and of From at the end of data. Owns no socket, reads
/// no clock. Thread: one at a time.
class SenderCheck {
 public:
  /// @param bindings  not null
  SenderCheck(std::shared_ptr<const policy::SenderBindings> bindings, policy::Sending who)
      : bindings_(std::move(bindings)),
        who_(std::move(who)),
        reads_header_(policy::cover_header(*bindings_)) {}

  [[nodiscard]] std::optional<mail::Reply> judge_sender(const mail::Address& sender) const {
    return policy::refuse_sender(*bindings_, who_, sender);
  }
  /// Content as it comes, in order.
  void see(std::string_view content) {
    if (reads_header_) from_.feed(content);
  }
  /// At the end of data.
  [[nodiscard]] std::optional<mail::Reply> finish() {
    from_.finish();
    return policy::refuse_from(*bindings_, who_, from_);
  }

 private:
  std::shared_ptr<const policy::SenderBindings> bindings_;
  policy::Sending who_;
  bool reads_header_;
  policy::HeaderFields from_{{"From"}};
};

}  // namespace relay::session
