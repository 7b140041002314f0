#include "relay/net/io_thread.hpp"

#include "relay/base/thread.hpp"

namespace relay::net {

IoThread::IoThread(std::string name, Precedence precedence)
    : name_(std::move(name)), precedence_(precedence), work_(context_.get_executor()) {}

IoThread::~IoThread() { stop(); }

void IoThread::start() {
  thread_ = std::thread([this] {
    name_thread(name_);
    if (precedence_ == Precedence::behind_others) run_behind_others();
    context_.run();
  });
}

void IoThread::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace relay::net
