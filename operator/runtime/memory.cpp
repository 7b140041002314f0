#include "operator/runtime/memory.hpp"

#include <cstdint>
#include <link.h>
#include <malloc.h>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

namespace op::runtime {
namespace {

/// What can't be written is as it is in the file: to drop it loses nothing. Relocations are in segments that can.
int drop_unwritable(dl_phdr_info* object, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const auto begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const auto end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // Where the kernel will not, the pages stay.
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void give_back_memory() {
  // One at a time: where a sanitizer has a heap of its own, the first call sets up glibc's, which is not safe from two threads.
  static std::mutex mutex;
  const std::scoped_lock lock(mutex);
  malloc_trim(0);
  dl_iterate_phdr(drop_unwritable, nullptr);
}

}  // namespace op::runtime
