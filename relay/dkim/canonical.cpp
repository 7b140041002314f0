#include "relay/dkim/canonical.hpp"

#include <algorithm>
#include <array>
#include <openssl/evp.h>

#include "relay/base/text.hpp"

namespace relay::dkim {
namespace {

/// Octets handed to libcrypto at once.
constexpr std::size_t kDigestBlock = 16 * 1024;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

void append_relaxed(std::string& out, std::string_view field) {
  const auto colon = std::min(field.find(':'), field.size());
  out.append(lower(trimmed(field.substr(0, colon)))).append(1, ':');
  bool has_text = false;
  bool holds_blank = false;
  for (auto i = colon + 1; i < field.size(); ++i) {
    if (field.substr(i, 2) == "\r\n") {
      ++i;
    } else if (is_blank(field[i])) {
      holds_blank = true;
    } else {
      if (has_text && holds_blank) out += ' ';
      out += field[i];
      has_text = true;
      holds_blank = false;
    }
  }
}

}  // namespace

std::string_view name(Canonicalization how) {
  switch (how) {
    case Canonicalization::simple: return "simple";
    case Canonicalization::relaxed: return "relaxed";
  }
  return "unknown";
}

void append_canonical(std::string& out, std::string_view field, Canonicalization how) {
  switch (how) {
    case Canonicalization::simple: out.append(field); break;
    case Canonicalization::relaxed: append_relaxed(out, field); break;
  }
}

void BodyHash::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

BodyHash::BodyHash(Canonicalization how) : how_(how), context_(EVP_MD_CTX_new()) {
  has_failed_ = !context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1;
}

void BodyHash::feed(std::string_view content) {
  while (!content.empty()) {
    if (holds_cr_) {
      holds_cr_ = false;
      if (content.front() == '\n') {
        // Blanks at the end of a line do not count, so a line of nothing else is empty.
        holds_blank_ = false;
        ++line_ends_;
        content.remove_prefix(1);
        continue;
      }
      append_text("\r");
    }
    if (how_ == Canonicalization::relaxed) content = take_blanks(content);
    const auto stops = how_ == Canonicalization::relaxed ? std::string_view("\r \t") : std::string_view("\r");
    const auto text = content.substr(0, content.find_first_of(stops));
    if (!text.empty()) append_text(text);
    content.remove_prefix(text.size());
    if (content.starts_with('\r')) {
      holds_cr_ = true;
      content.remove_prefix(1);
    }
  }
}

std::string BodyHash::finish() {
  if (holds_cr_) append_text("\r");
  if (has_text_ || how_ == Canonicalization::simple) ready_ += "\r\n";
  digest(ready_);
  std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
  unsigned size = 0;
  if (has_failed_ || EVP_DigestFinal_ex(context_.get(), octets.data(), &size) != 1) return {};
  return {octets.begin(), octets.begin() + size};
}

std::string_view BodyHash::take_blanks(std::string_view content) {
  const auto end = std::min(content.find_first_not_of(" \t"), content.size());
  if (end > 0) holds_blank_ = true;
  return content.substr(end);
}

void BodyHash::append_text(std::string_view text) {
  flush_held();
  has_text_ = true;
  if (text.size() >= kDigestBlock) {
    digest(ready_);
    ready_.clear();
    digest(text);
    return;
  }
  ready_.append(text);
  if (ready_.size() >= kDigestBlock) {
    digest(ready_);
    ready_.clear();
  }
}

void BodyHash::flush_held() {
  for (; line_ends_ > 0; --line_ends_) {
    ready_ += "\r\n";
    if (ready_.size() >= kDigestBlock) {
      digest(ready_);
      ready_.clear();
    }
  }
  if (holds_blank_) ready_ += ' ';
  holds_blank_ = false;
}

void BodyHash::digest(std::string_view octets) {
  if (!has_failed_) has_failed_ = EVP_DigestUpdate(context_.get(), octets.data(), octets.size()) != 1;
}

}  // namespace relay::dkim
