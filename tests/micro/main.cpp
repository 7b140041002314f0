/// Microbenchmarks of the hot paths. hack/micro runs them.
///
///   micro [--benchmark_filter=REGEX ...]   times all of them, with Google Benchmark and its options
///   micro --list                           the paths, one a line, with how often --count repeats each
///   micro --compiler                       what compiled it
///   micro --count PATH                     repeats one path, and turns callgrind's counting on for that alone

#include <benchmark/benchmark.h>
#include <cstdio>
#include <valgrind/callgrind.h>

#include "tests/micro/path.hpp"

namespace relay::micro {
namespace {

std::vector<Path> all_paths() {
  std::vector<Path> all;
  for (const auto paths :
       {base_paths, mail_paths, dkim_paths, smtp_paths, queue_paths, spool_paths, session_paths,
        delivery_paths, engine_paths}) {
    for (auto& path : paths()) all.push_back(std::move(path));
  }
  return all;
}

void list() {
  for (const auto& path : all_paths()) std::printf("%s %u\n", path.name.c_str(), path.repeats);
}

void time(const Path& path, benchmark::State& state) {
  const auto operation = path.make();
  for ([[maybe_unused]] auto _ : state) operation();
}

void count(const Path& path) {
  const auto operation = path.make();
  // The first times differ: symbols and caches, and the allocator's lists, fill.
  for (unsigned i = 0; i < path.repeats / 5 + 3; ++i) operation();
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_TOGGLE_COLLECT;
  for (unsigned i = 0; i < path.repeats; ++i) operation();
  CALLGRIND_TOGGLE_COLLECT;
}

int run(int argc, char** argv) {
  const std::string option = argc > 1 ? argv[1] : "";
  if (option == "--list") return list(), 0;
  if (option == "--compiler") return std::puts("g++ " __VERSION__), 0;
  if (option == "--count") {
    for (const auto& path : all_paths()) {
      if (argc == 3 && path.name == argv[2]) return count(path), 0;
    }
    std::fprintf(stderr, "micro: --count needs the name of a path; --list prints them\n");
    return 2;
  }
  for (const auto& path : all_paths())
    benchmark::RegisterBenchmark(path.name.c_str(), [path](benchmark::State& state) { time(path, state); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace relay::micro

int main(int argc, char** argv) {
  try {
    return relay::micro::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "micro: %s\n", error.what());
    return 1;
  }
}
