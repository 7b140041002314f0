#include "relay/engine/signing.hpp"

#include "relay/dkim/signer.hpp"

namespace relay::engine {
namespace {

/// As it is sent on.
Result<void> feed(const Context& context, const Dispatched& dispatched, dkim::Signer& signer) {
  const auto& attempt = dispatched.attempt;
  const auto& edits = attempt.stored.envelope.edits;
  mail::FieldFilter filter(edits.removed);
  std::string passed;
  signer.feed(edits.added);
  const auto pass = [&](std::string_view chunk) {
    if (filter.is_over()) return signer.feed(chunk);
    passed.clear();
    filter.feed(chunk, passed);
    signer.feed(passed);
  };
  if (dispatched.content) {
    for (const auto& chunk : *dispatched.content) pass(chunk);
  } else {
    for (std::uint32_t index = 0; index < attempt.stored.chunks && signer.wants_more(); ++index) {
      const auto chunk = context.store.chunk(attempt.id(), index);
      if (!chunk) return tl::unexpected(chunk.error());
      pass(*chunk);
    }
  }
  passed.clear();
  filter.finish(passed);
  signer.feed(passed);
  return {};
}

}  // namespace

Result<void> sign(const Context& context, Dispatched& dispatched) {
  auto& attempt = dispatched.attempt;
  const auto rules = context.limits.limits()->signing;
  if (attempt.has_signature || !rules) return {};
  const auto& envelope = attempt.stored.envelope;
  dkim::Signer signer(rules, envelope.reverse_path, envelope.arrival);
  if (auto fed = feed(context, dispatched, signer); !fed) return fed;
  auto signature = signer.finish();
  if (!signature && signature.error().fate == Fate::transient)
    return tl::unexpected(std::move(signature.error()));
  if (!signature) {
    context.log.write(log::warning("not_signed")
                        .with("queue_id", attempt.id().to_text())
                        .with("error", signature.error().message()));
  }
  attempt.signature = std::move(signature).value_or("");
  attempt.has_signature = true;
  return {};
}

}  // namespace relay::engine
