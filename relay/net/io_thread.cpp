#include "relay/net/io_thread.hpp"

#include <pthread.h>

namespace relay::net {

IoThread::IoThread(std::string name) : name_(std::move(name)), work_(context_.get_executor()) {}

IoThread::~IoThread() { stop(); }

void IoThread::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    context_.run();
  });
}

void IoThread::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace relay::net
