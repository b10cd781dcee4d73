// Packed weights as a file: pack, unpack, and whatever else a file may hold.
#include "tools/packed.hpp"

#include "core/crc32c.hpp"
#include "plan.hpp"
#include "refusal.hpp"
#include "tools/failure.hpp"

using namespace heed_test;
using heed::tool::Module;
using heed::tool::NamedTensor;
using heed::tool::Packed;

namespace {

struct Layout {
  uint32_t embed_dim, num_heads, kdim, vdim;
  bool bias, add_bias_kv;
};

std::string describe(const Layout& l) {
  return heed::io::text("E ", l.embed_dim, " H ", l.num_heads, " kdim ", l.kdim, " vdim ", l.vdim,
                        l.bias ? " bias" : "", l.add_bias_kv ? " bias_kv" : "");
}

// Any bits: numbers, NaN of any payload, infinities, -0, denormals.
std::vector<float> any_bits(Random& random, size_t n) {
  constexpr uint32_t kOdd[] = {0x7fa12345, 0xffc00001, 0x7f800000, 0xff800000, 0x80000000, 0x00000001, 0x807fffff};
  std::vector<float> values(n);
  for (float& x : values) {
    uint32_t bits = random.chance(20) ? kOdd[random.below(7)] : uint32_t(random.next());
    std::memcpy(&x, &bits, sizeof x);
  }
  return values;
}

// A module with the state_dict that PyTorch would have saved.
class Source {
 public:
  Source(const Layout& l, uint64_t seed) : random_(seed) {
    const uint32_t e = l.embed_dim;
    heed_state_dict& s = module.state_dict;
    module.path = "source";
    module.embed_dim = e, module.kdim = l.kdim, module.vdim = l.vdim;
    module.bias = l.bias, module.add_bias_kv = l.add_bias_kv;
    if (l.kdim == e && l.vdim == e) {
      s.in_proj_weight = add("in_proj_weight", {3 * e, e});
    } else {
      s.q_proj_weight = add("q_proj_weight", {e, e});
      s.k_proj_weight = add("k_proj_weight", {e, l.kdim});
      s.v_proj_weight = add("v_proj_weight", {e, l.vdim});
    }
    if (l.bias) s.in_proj_bias = add("in_proj_bias", {3 * e});
    if (l.add_bias_kv) {
      s.bias_k = add("bias_k", {1, 1, e});
      s.bias_v = add("bias_v", {1, 1, e});
    }
    s.out_proj_weight = add("out_proj.weight", {e, e});
    if (l.bias) s.out_proj_bias = add("out_proj.bias", {e});
  }
  Module module;
  std::vector<NamedTensor> tensors;

 private:
  heed_tensor add(const char* name, const std::vector<uint32_t>& shape) {
    size_t count = 1;
    uint32_t d[3] = {};
    for (size_t i = 0; i < shape.size(); ++i) count *= d[i] = shape[i];
    tensors.push_back({name, {shape.begin(), shape.end()}, any_bits(random_, count)});
    module.values.push_back(tensors.back().values);
    return heed_contiguous(module.values.back().data(), HEED_FLOAT32, uint32_t(shape.size()), d[0], d[1], d[2], 0);
  }
  Random random_;
};

std::vector<uint8_t> bytes_of(const Packed& p) {
  const uint8_t* begin = static_cast<const uint8_t*>(p.bytes.data());
  return {begin, begin + p.bytes.size()};
}

// The bytes after a change that knows how to hide: the checksum is right again.
std::vector<uint8_t> with_right_crc(std::vector<uint8_t> file) {
  constexpr size_t kCrc = offsetof(heed::WeightsHeader, crc);
  std::memset(&file[kCrc], 0, 4);
  const uint32_t crc = heed::crc32c(file.data(), file.size());
  std::memcpy(&file[kCrc], &crc, 4);
  return file;
}

// "" if the bytes are taken.
std::string refusal(const std::vector<uint8_t>& file) {
  try {
    const Packed packed = heed::tool::parse_packed(file, "x.heed");
    heed::tool::unpack(packed, "x.heed");
  } catch (const heed::tool::Failure& failure) { return failure.what(); }
  return "";
}

constexpr Layout kFourKiB{16, 2, 13, 14, true, false};

}  // namespace

TEST_CASE("pack and unpack give every layout of the state_dict back bit for bit", "[packed]") {
  const Layout layouts[] = {{8, 2, 8, 8, true, false},    {8, 2, 8, 8, false, false},   {8, 1, 8, 8, true, true},
                            {8, 2, 8, 8, false, true},    {12, 3, 5, 7, true, false},   {12, 3, 5, 7, false, false},
                            {12, 3, 12, 7, true, true},   {12, 3, 5, 12, false, true},  {1, 1, 1, 1, true, true},
                            {33, 3, 64, 17, true, true},  {17, 17, 17, 17, true, true}, {48, 4, 48, 48, true, false},
                            {96, 12, 80, 48, true, true}, {512, 1, 1, 1, false, false}, kFourKiB};
  uint64_t seed = 1;
  for (const Layout& layout : layouts) {
    CAPTURE(describe(layout));
    const Source source(layout, seed++);
    const Packed packed = heed::tool::pack_module(source.module, layout.num_heads);
    const Packed read = heed::tool::parse_packed(bytes_of(packed), "x.heed");
    CHECK(read.config.embed_dim == layout.embed_dim);
    CHECK(read.config.num_heads == layout.num_heads);
    CHECK(read.config.kdim == layout.kdim);
    CHECK(read.config.vdim == layout.vdim);
    CHECK(read.config.bias == layout.bias);
    CHECK(read.config.add_bias_kv == layout.add_bias_kv);
    const std::vector<NamedTensor> back = heed::tool::unpack(read, "x.heed");
    REQUIRE(back.size() == source.tensors.size());
    for (size_t i = 0; i < back.size(); ++i) {
      CAPTURE(source.tensors[i].name);
      CHECK(back[i].name == source.tensors[i].name);
      CHECK(back[i].shape == source.tensors[i].shape);
      REQUIRE(back[i].values.size() == source.tensors[i].values.size());
      CHECK(std::memcmp(back[i].values.data(), source.tensors[i].values.data(), 4 * back[i].values.size()) == 0);
    }
  }
}

TEST_CASE("every flipped bit of 4 KiB of packed weights is found", "[packed]") {
  const Source source(kFourKiB, 5);
  std::vector<uint8_t> file = bytes_of(heed::tool::pack_module(source.module, kFourKiB.num_heads));
  REQUIRE(file.size() == 4096);
  REQUIRE(refusal(file).empty());
  uint32_t unseen = 0;
  for (size_t bit = 0; bit < file.size() * 8; bit += quick() ? 37 : 1) {
    file[bit / 8] = uint8_t(file[bit / 8] ^ 1u << bit % 8);
    unseen += refusal(file).empty();
    file[bit / 8] = uint8_t(file[bit / 8] ^ 1u << bit % 8);
  }
  CHECK(unseen == 0);
  CHECK(refusal(file).empty());
}

TEST_CASE("packed weights that were cut short anywhere, or that go on, are refused with a status", "[packed]") {
  const Source source(kFourKiB, 6);
  const Packed packed = heed::tool::pack_module(source.module, kFourKiB.num_heads);
  heed_config config = packed.config;
  config.max_query = 1;
  alignas(64) unsigned char memory[HEED_PLAN_BYTES];
  const heed_plan* plan = nullptr;
  heed_error e;
  REQUIRE(heed_plan_init(&config, memory, sizeof memory, &plan, &e) == HEED_OK);
  const std::vector<uint8_t> whole = bytes_of(packed);
  for (size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    Memory cut(n ? n : 1, Place::heap);  // a read beyond it is AddressSanitizer's to see
    std::memcpy(cut.data(), whole.data(), n);
    heed_config untouched = heed_config_default(7, 7);
    CHECK(heed_weights_config(cut.data(), n, &untouched, &e) == HEED_ERROR_WEIGHTS);
    CHECK(untouched.embed_dim == 7);
    CHECK(heed_weights_verify(plan, cut.data(), n, &e) == HEED_ERROR_WEIGHTS);
    CHECK_FALSE(refusal({whole.begin(), whole.begin() + ptrdiff_t(n)}).empty());
  }
  for (const size_t more : {size_t(1), size_t(64), size_t(4096)}) {
    std::vector<uint8_t> longer = whole;
    longer.resize(whole.size() + more);
    CHECK(refusal(longer).find("4096") != std::string::npos);
  }
}

TEST_CASE("headers that lie under a right checksum are refused with a sentence", "[packed]") {
  const Source source(kFourKiB, 7);
  const Packed packed = heed::tool::pack_module(source.module, kFourKiB.num_heads);
  using Header = heed::WeightsHeader;
  struct Lie {
    size_t offset;
    uint32_t value;
    const char* word;
  };
  const Lie lies[] = {{offsetof(Header, magic), 0x64656567, "\"heed\""},
                      {offsetof(Header, version), 2, "version 2"},
                      {offsetof(Header, version), 0, "version 0"},
                      {offsetof(Header, panel), 8, "panels of 8"},
                      {offsetof(Header, embed_dim), 0, "greater than 0"},
                      {offsetof(Header, embed_dim), 0xffffffff, "damaged packed weights: embed_dim must be at most"},
                      {offsetof(Header, embed_dim), 15, "divisible"},
                      {offsetof(Header, embed_dim), 32, "bytes"},
                      {offsetof(Header, num_heads), 0, "greater than 0"},
                      {offsetof(Header, num_heads), 0xffffffff, "damaged packed weights: num_heads must be at most"},
                      {offsetof(Header, kdim), 0, "damaged"},
                      {offsetof(Header, kdim), 0x80000000, "damaged packed weights: kdim must be at most"},
                      {offsetof(Header, vdim), 0, "damaged"},
                      {offsetof(Header, vdim), 15, "bytes"},
                      {offsetof(Header, bias), 2, "damaged"},
                      {offsetof(Header, bias), 0, "bytes"},
                      {offsetof(Header, add_bias_kv), 1, "bytes"},
                      {offsetof(Header, bytes), 4095, "4095"},
                      {offsetof(Header, bytes) + 4, 1, "bytes"},
                      {offsetof(Header, spare) + 12, 1, "damaged"}};
  heed_config right = packed.config;
  right.max_query = 1;
  alignas(64) unsigned char memory[HEED_PLAN_BYTES];
  const heed_plan* plan = nullptr;
  heed_error e;
  REQUIRE(heed_plan_init(&right, memory, sizeof memory, &plan, &e) == HEED_OK);
  for (const Lie& lie : lies) {
    CAPTURE(lie.offset, lie.value);
    std::vector<uint8_t> file = bytes_of(packed);
    std::memcpy(&file[lie.offset], &lie.value, 4);
    file = with_right_crc(file);
    const std::string sentence = refusal(file);
    CAPTURE(sentence);
    CHECK(sentence.find(lie.word) != std::string::npos);
    Memory aligned(file.size(), Place::page_end);
    std::memcpy(aligned.data(), file.data(), file.size());
    heed_config config;
    check_error(e, heed_weights_config(aligned.data(), file.size(), &config, &e), HEED_ERROR_WEIGHTS, {lie.word});
    CHECK(heed_weights_verify(plan, aligned.data(), file.size(), &e) == HEED_ERROR_WEIGHTS);
  }
  heed_config config;
  check_error(e, heed_weights_config(nullptr, 64, &config, &e), HEED_ERROR_NULL, {"weights"});
  check_error(e, heed_weights_config(packed.bytes.data(), 64, nullptr, &e), HEED_ERROR_NULL, {"config"});
  const unsigned char* askew = static_cast<const unsigned char*>(packed.bytes.data()) + 4;
  check_error(e, heed_weights_config(askew, 4092, &config, &e), HEED_ERROR_MEMORY, {"aligned to 64"});
}

TEST_CASE("a number of heads that does not divide embed_dim is refused", "[packed]") {
  const Source source(kFourKiB, 8);
  CHECK_THROWS_AS(heed::tool::pack_module(source.module, 3), heed::tool::Failure);
  CHECK_THROWS_AS(heed::tool::pack_module(source.module, 0), heed::tool::Failure);
}

TEST_CASE("padding that is not zero is refused", "[packed]") {
  const Layout layout{12, 3, 12, 12, true, false};
  const Source source(layout, 9);
  const std::vector<uint8_t> file = bytes_of(heed::tool::pack_module(source.module, 3));
  REQUIRE(refusal(file).empty());
  uint32_t taken = 0;
  for (size_t at = 64 + 12 * 4; at < file.size(); at += 64)  // feature 12 of every panel's row
    for (const uint8_t value : {uint8_t(1), uint8_t(0x80)}) {
      std::vector<uint8_t> other = file;
      other[at + 3] = value;
      taken += refusal(with_right_crc(other)).find("padding") == std::string::npos;
    }
  CHECK(taken == 0);
}
