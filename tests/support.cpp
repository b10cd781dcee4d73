#include "support.hpp"

#include <cstdlib>
#include <new>
#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace heed_test {

bool quick() {
  const char* q = std::getenv("HEED_TEST_QUICK");
  return q && *q && *q != '0';
}

std::vector<std::string> usable_archs() {
  std::vector<std::string> names;
  heed_isa_info info;
  for (uint32_t i = 0; heed_isa_get(i, &info); ++i)
    if (info.usable) names.push_back(info.name);
  return names;
}

std::vector<std::string> fma_archs() {
  std::vector<std::string> names;
  for (const std::string& name : usable_archs())
    if (name != "sse42" && !is_reference_path(name)) names.push_back(name);
  return names;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (bits_of(a[i]) != bits_of(b[i])) return false;
  return true;
}

float float_of_bits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

void Fnv1a::add(const std::vector<float>& values) {
  for (float x : values) {
    const uint32_t bits = bits_of(flushed(x));
    for (int i = 0; i < 4; ++i) hash_ = (hash_ ^ (bits >> 8 * i & 0xff)) * 0x100000001b3u;
  }
}

namespace {
constexpr size_t kCanary = 64;
#if defined(__unix__)
size_t page_bytes() { return size_t(sysconf(_SC_PAGESIZE)); }
#endif
}  // namespace

bool has_guard_pages() {
#if defined(__unix__)
  return true;
#else
  return false;
#endif
}

Memory::Memory(size_t bytes, Place place, size_t offset) : bytes_(bytes) {
#if defined(__unix__)
  if (place != Place::heap) {
    const size_t page = page_bytes(), room = (bytes + page - 1) / page * page;
    base_bytes_ = room + 2 * page;
    void* map = mmap(nullptr, base_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<unsigned char*>(map);
    mapped_ = true;
    if (room && mprotect(base_ + page, room, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    begin_ = page;
    end_ = page + room;
    data_ = base_ + (place == Place::page_end ? end_ - bytes : begin_);
    std::memset(base_ + begin_, 0xff, room);
    return;
  }
#endif
  (void)place;
  base_bytes_ = (bytes + offset + 4 * kCanary - 1) / kCanary * kCanary;
  base_ = static_cast<unsigned char*>(::operator new(base_bytes_, std::align_val_t(kCanary)));
  end_ = base_bytes_;
  data_ = base_ + kCanary + offset;
  std::memset(base_, 0xff, base_bytes_);
}

Memory::Memory(Memory&& o) noexcept
    : base_(o.base_), data_(o.data_), base_bytes_(o.base_bytes_), bytes_(o.bytes_), begin_(o.begin_),
      end_(o.end_), mapped_(o.mapped_) {
  o.base_ = nullptr;
}

Memory::~Memory() {
  if (!base_) return;
#if defined(__unix__)
  if (mapped_) {
    munmap(base_, base_bytes_);
    return;
  }
#endif
  ::operator delete(base_, std::align_val_t(kCanary));
}

bool Memory::intact() const {
  for (const unsigned char* p = base_ + begin_; p < base_ + end_; ++p)
    if ((p < data_ || p >= data_ + bytes_) && *p != 0xff) return false;
  return true;
}

bool Memory::untouched() const {
  for (size_t i = 0; i < bytes_; ++i)
    if (data_[i] != 0xff) return false;
  return intact();
}

}  // namespace heed_test
