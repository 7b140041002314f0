#include "relay/dkim/signer.hpp"

#include <algorithm>

#include "relay/base/text.hpp"
#include "relay/dkim/signature.hpp"

namespace relay::dkim {
namespace {

std::size_t index(Canonicalization how) { return static_cast<std::size_t>(how); }

}  // namespace

Signer::Signer(std::shared_ptr<const Rules> rules, const mail::Address& reverse_path, WallTime time)
    : rules_(std::move(rules)), time_(time), is_idle_(!rules_ || rules_->empty()) {
  if (!reverse_path.has_literal_domain()) reverse_path_domain_ = lower(reverse_path.domain());
}

void Signer::feed(std::string_view content) {
  while (!content.empty() && !in_body_ && !is_idle_) content = feed_header(content);
  if (!is_idle_) feed_body(content);
}

Result<std::string> Signer::finish() {
  if (!is_idle_ && !in_body_ && line_start_ < header_.size()) end_line();
  if (!is_idle_ && !in_body_) begin_body();
  if (is_too_large_) return permanent(Errc::too_large, "DKIM: header part larger than 1 MiB");
  if (is_idle_) return std::string();

  std::array<std::string, 2> hashes;
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    if (!bodies_[i]) continue;
    hashes[i] = bodies_[i]->finish();
    if (hashes[i].empty()) return transient(Errc::unavailable, "DKIM: libcrypto cannot hash");
  }
  const auto fields = split_fields(header_);
  std::string out;
  for (const auto* rule : chosen_) {
    const auto field = signature_field(*rule, fields, hashes[index(rule->body)], time_);
    if (!field) return tl::unexpected(field.error());
    out += *field;
  }
  return out;
}

/// Takes no more than the rest of a line.
std::string_view Signer::feed_header(std::string_view content) {
  const auto end = content.find('\n');
  const auto line = content.substr(0, end == std::string_view::npos ? end : end + 1);
  if (header_.size() + line.size() > kMaxHeader) {
    is_too_large_ = true;
    is_idle_ = true;
    header_ = {};
    return {};
  }
  header_ += line;
  if (end != std::string_view::npos) end_line();
  return content.substr(line.size());
}

/// Decides what the line that header_ ends with is.
void Signer::end_line() {
  const std::string line = header_.substr(line_start_);
  if (is_header_line(line, line_start_ == 0)) {
    line_start_ = header_.size();
    return;
  }
  header_.resize(line_start_);
  begin_body();
  if (line != "\r\n") feed_body(line);
}

void Signer::begin_body() {
  in_body_ = true;
  const auto domain = sender_domain(split_fields(header_));
  if (!domain.empty()) {
    for (const auto& rule : *rules_) {
      if (is_for(rule, domain)) chosen_.push_back(&rule);
    }
  }
  for (const auto* rule : chosen_) {
    auto& body = bodies_[index(rule->body)];
    if (!body) body.emplace(rule->body);
  }
  is_idle_ = chosen_.empty();
}

void Signer::feed_body(std::string_view content) {
  for (auto& body : bodies_) {
    if (body) body->feed(content);
  }
}

std::string Signer::sender_domain(const std::vector<FieldView>& fields) const {
  const auto from = std::find_if(fields.begin(), fields.end(), [](const auto& field) {
    return equals_ignoring_case(field.name, "from");
  });
  if (from == fields.end()) return reverse_path_domain_;
  return mailbox_domain(from->value).value_or(reverse_path_domain_);
}

}  // namespace relay::dkim
