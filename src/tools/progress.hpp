// progress.hpp - tells a waiting person that work goes on: seconds on stderr, from the second
// one on, and only on a terminal.
#pragma once
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <system_error>
#include <thread>

namespace heed::tool {

class Progress {
 public:
  Progress() {
    if (!isatty(STDERR_FILENO)) return;
    try {
      thread_ = std::thread([this] { tick(); });
    } catch (const std::system_error&) {
      // A run without progress is still a run.
    }
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  void tick() {
    std::unique_lock<std::mutex> lock(mutex_);
    int seconds = 0;
    while (!changed_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; }))
      std::fprintf(stderr, "\rheed: computing for %d s", ++seconds);
    if (seconds > 0) std::fputs("\r\033[K", stderr);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace heed::tool
