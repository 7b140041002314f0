#pragma once
/// NAME      dkim -- DKIM-Signature fields for what is sent (RFC 6376, RFC 8301, RFC 8463)
/// USES      mail, base, libcrypto
///
/// INVARIANT pure; the same content, rules and time give the same octets, however the content is cut. Memory
///           grows with the header part and never with the body. No key is in an error, `l=` is never written
/// FAILURES  Errc::invalid_argument (permanent) for keys and rules; Errc::too_large (permanent) for a header
///           part that is not signed; Errc::unavailable (transient) when libcrypto fails
/// LIMITS    keys: RSA of 1024 to 4096 bits, Ed25519; header part 1 MiB (kMaxHeader); 512 fields a signature
///           (kMaxSignedFields)

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace relay::dkim {

/// RFC 6376 section 3.4.
enum class Canonicalization : std::uint8_t { simple, relaxed };

/// As the `c=` tag names it.
[[nodiscard]] std::string_view name(Canonicalization how);

/// Appends one header field in its canonical form (sections 3.4.1 and 3.4.2), without the final CRLF.
/// @param field  name, colon and value, without the final CRLF; every line of it but the first begins with a
///               space or tab
void append_canonical(std::string& out, std::string_view field, Canonicalization how);

/// The SHA-256 of a body in its canonical form (sections 3.4.3 and 3.4.4), as it streams by. Holds no content
/// back: only how many line ends wait to see whether more follows.
/// Complexity O(octets), also for bodies of nothing but line ends. Thread: one at a time.
class BodyHash {
 public:
  explicit BodyHash(Canonicalization how);

  /// Content with CRLF line ends, in pieces of any size.
  void feed(std::string_view content);
  /// The 32 octets, or nothing when libcrypto failed. Call once, at the end of the body.
  [[nodiscard]] std::string finish();

 private:
  [[nodiscard]] std::string_view take_blanks(std::string_view content);
  void append_text(std::string_view text);
  void flush_held();
  void digest(std::string_view octets);

  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };

  Canonicalization how_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
  std::string ready_;            // canonical octets that are not digested yet: capped
  std::uint64_t line_ends_ = 0;  // CRLFs that count only when text follows
  bool holds_cr_ = false;        // the last octet was a CR
  bool holds_blank_ = false;     // relaxed: blanks that count only when text follows on the line
  bool has_text_ = false;        // a line that is not empty was seen
  bool has_failed_ = false;
};

}  // namespace relay::dkim
