#pragma once
/// The content of one message on its way from the client to the sink.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "relay/base/units.hpp"
#include "relay/mail/header_scan.hpp"
#include "relay/mail/mending.hpp"
#include "relay/smtp/chunk_decoder.hpp"
#include "relay/smtp/data_decoder.hpp"
#include "relay/smtp/input.hpp"
#include "relay/smtp/reply.hpp"
#include "relay/smtp/server_limits.hpp"

namespace relay::smtp {

inline constexpr std::uint64_t kMaxContentLine = 1U << 20U;  ///< octets of one line of content
/// A session holds at most 64 KiB of a message: one read, what became of 4 KiB of it (doubled when all were
/// bare line ends), and this. Where it mends, one header field of addresses comes on top, mail::kMaxQualified at most; of
/// BINARYMIME what mail::BinaryMime holds.
inline constexpr std::size_t kChunkSize = 32U << 10U;
/// Octets of content that one turn of the decoder takes, so that what it gives stays bounded too.
inline constexpr std::size_t kSlice = 4U << 10U;

/// 552 5.3.4 with the limit.
[[nodiscard]] Reply too_large(const ServerLimits& limits);
/// Octets of content that is refused, before the connection is closed instead.
[[nodiscard]] std::uint64_t most_swallowed(const ServerLimits& limits);

/// Decodes what DATA or BDAT announced, mends its header, scans that as it will be sent on, and holds all to the limits.
/// What is refused is still read to its end, of the data or of the chunk, and then refused. Its time is counted as well:
/// min_data_rate, behind idle_timeout of credit.
///
/// `limits` are the same in all calls; their bulk_headers outlive this. Thread: one at a time.
class IncomingContent {
 public:
  /// It comes by DATA, or by BDAT.
  using Decoder = std::variant<DataDecoder, ChunkDecoder>;
  /// @param hostname  ours, by which loops are told
  IncomingContent(
    Decoder decoder, std::string_view hostname, const mail::Mending& mending, const ServerLimits& limits
  );

  /// What is due before read() is called again.
  enum class Due : std::uint8_t {
    nothing,     ///< all that came was taken: more of it
    hand_on,     ///< take_chunk() is due for the sink
    discard,     ///< what the sink has of a message that is refused is to be forgotten
    next_chunk,  ///< a chunk of BDAT is at its end, and not the last one: begin_chunk()
    end,         ///< it is whole, and its last part in take_chunk(); or refusal() is what the client is told
    bare_line_ending,  ///< the connection is to be closed: what follows cannot be told from commands, and was not read
    too_much           ///< likewise, and refusal() says why: it is swallowed no longer
  };
  [[nodiscard]] Due read(Input& input, const ServerLimits& limits);

  /// BDAT announced this. It comes by BDAT, and the chunk before is at its end.
  void begin_chunk(const Chunk& chunk) { std::get<ChunkDecoder>(decoder_).begin(chunk); }
  /// The one that began last.
  [[nodiscard]] const Chunk& chunk() const { return std::get<ChunkDecoder>(decoder_).chunk(); }

  /// What is for the sink; from then on it has some of the message.
  [[nodiscard]] std::string take_chunk();
  [[nodiscard]] bool has_reached_sink() const { return has_reached_sink_; }

  void refuse(Reply refusal) { refusal_ = std::move(refusal); }
  [[nodiscard]] const std::optional<Reply>& refusal() const { return refusal_; }

  /// Octets read of it.
  [[nodiscard]] std::uint64_t taken() const { return taken_; }
  /// Octets of content, as it goes on.
  [[nodiscard]] std::uint64_t size() const { return size_ + chunk_.size(); }
  [[nodiscard]] const mail::HeaderScan& header() const { return header_; }

  /// So many octets came, after so long.
  void wait(milliseconds waited, std::size_t octets, const ServerLimits& limits);
  /// Left for it, and 1 ms where nothing is.
  [[nodiscard]] milliseconds time_left() const;

 private:
  struct Mended {  // content on its way through the mender
    mail::HeaderEdit edit;
    mail::Mender mender;
    std::string octets;
  };

  [[nodiscard]] bool is_at_end() const;
  void take_slice(Input& input);
  void scan_decoded();
  void finish_header();
  Due check(const ServerLimits& limits);
  Due watch_limits(std::uint64_t longest_line, const ServerLimits& limits);
  Due end_chunk(ChunkDecoder& chunks, const ServerLimits& limits);
  Due end();

  Decoder decoder_;
  std::string decoded_;           // what the decoder gave, on its way to the scan
  std::optional<Mended> mended_;  // nothing: the header is not mended
  mail::HeaderScan header_;
  std::string chunk_;  // what is not with the sink yet
  bool has_reached_sink_ = false;
  std::uint64_t size_ = 0;  // octets that are
  std::uint64_t taken_ = 0;
  std::optional<Reply> refusal_;  // set: swallow to the end of data or chunk, then say this
  milliseconds credit_;           // time left at min_data_rate
};

}  // namespace relay::smtp
