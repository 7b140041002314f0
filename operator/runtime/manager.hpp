#pragma once
/// Starts the parts in their order, keeps them until told to stop, and knows how they are.

#include <memory>
#include <vector>

#include "operator/runtime/controller.hpp"
#include "operator/runtime/elector.hpp"
#include "operator/runtime/informer.hpp"

namespace op::runtime {

struct Health {
  bool is_good = true;
  std::string why;  ///< in words, also when good
};

/// Order: caches, then the election, then work; back the same way: work ends, the lease is freed, the caches end. A
/// process that does not lead keeps its caches current, so that taking over costs no list.
class Manager {
 public:
  struct Options {
    milliseconds resync = std::chrono::hours{10};  ///< all keys are looked at this often, whatever happened
    std::function<void()> enqueue_all;             ///< adds every key there is; also when a term begins
  };
  /// @param elector  null: always lead
  /// @param controller, leadership  outlive this
  Manager(
    Options options, std::vector<std::unique_ptr<Informer>> informers, Controller& controller,
    Leadership& leadership
  );

  /// The election calls these.
  void lead(std::stop_token term);
  void stand_by() { controller_.pause(); }

  /// Returns when `stop` is requested and all has ended.
  void run(Elector* elector, const std::stop_token& stop);

  /// All caches have been filled once. A process that does not lead is ready too.
  [[nodiscard]] Health readiness() const;
  /// Nothing hangs. An API server that does not answer is no fault of ours.
  [[nodiscard]] Health liveness() const;

 private:
  void wait_until_synced(const std::stop_token& stop) const;
  static void rest(milliseconds time, const std::stop_token& stop);

  Options options_;
  std::vector<std::unique_ptr<Informer>> informers_;
  Controller& controller_;
  Leadership& leadership_;
};

}  // namespace op::runtime
