/// glibc's memchr for any amd64 takes more instructions where what it searches crosses a multiple of 64: a string that moved by
/// an octet, because the program grew elsewhere, would look like a path that became a seventh dearer. While instructions are
/// counted this one takes its place, in the program and in its libraries: it takes the same wherever the octets lie.

#include <cstddef>
#include <emmintrin.h>

extern "C" void* memchr(const void* octets, int wanted, std::size_t count) noexcept {
  const auto* at = static_cast<const char*>(octets);
  const auto* end = at + count;
  const auto octet = static_cast<char>(wanted);
  const auto pattern = _mm_set1_epi8(octet);
  for (; end - at >= 16; at += 16) {
    const auto block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, pattern)));
    if (found != 0) return const_cast<char*>(at + __builtin_ctz(found));
  }
  for (; at != end; ++at) {
    if (*at == octet) return const_cast<char*>(at);
  }
  return nullptr;
}
