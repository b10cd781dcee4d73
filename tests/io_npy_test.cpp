// heed::io, npy: what goes in comes out, and nothing that a hostile file says is believed.
#include "io_files.hpp"

TEST_CASE("an npy file comes back as it was written") {
  const Folder folder;
  const std::string path = folder / "a.npy";
  NpyArray array;
  for (const Shape& shape : {Shape{2, 3}, Shape{6}, Shape{1, 1, 1, 1, 1, 1, 2, 3}}) {
    REQUIRE_FALSE(write_npy(path, {Dtype::f32, shape, kFloats, {}}));
    REQUIRE_FALSE(load_npy(path, array));
    CHECK((array.dtype == Dtype::f32 && array.shape == shape && same_bits(array.f32, kFloats)));
    CHECK(slurp(path).size() % 64 == 24);
  }
  REQUIRE_FALSE(write_npy(path, {Dtype::boolean, {3, 1}, {}, kBools}));
  REQUIRE_FALSE(load_npy(path, array));
  CHECK((array.dtype == Dtype::boolean && array.shape == Shape{3, 1} && array.boolean == kBools));
  CHECK(array.f32.empty());
  REQUIRE_FALSE(write_npy(path, {Dtype::f32, {}, {5}, {}}));
  REQUIRE_FALSE(load_npy(path, array));
  CHECK((array.shape.empty() && array.f32 == std::vector<float>{5}));
  REQUIRE_FALSE(write_npy(path, {Dtype::f32, {4, 0}, {}, {}}));
  REQUIRE_FALSE(load_npy(path, array));
  CHECK((array.shape == Shape{4, 0} && array.f32.empty()));

  CHECK(write_npy(path, {Dtype::f32, Shape(9, 1), {1}, {}}).status == Status::bad_shape);
  CHECK(write_npy(path, {Dtype::f64, {}, {1}, {}}).status == Status::bad_dtype);
  CHECK(write_npy(path, {Dtype::boolean, {}, {}, {9}}).status == Status::bad_value);
}

TEST_CASE("npy values are converted to float in C order") {
  NpyArray array;
  // 0 1 2 / 3 4 5, stored column by column.
  Bytes bytes = npy("{'descr': '<f2', 'fortran_order': True, 'shape': (2, 3), }\n");
  for (const unsigned half : {0x0000u, 0x4200u, 0x3c00u, 0x4400u, 0x4000u, 0x4500u}) {
    for (const std::uint8_t byte : little_endian(half, 2)) bytes.push_back(byte);
  }
  REQUIRE(parse(bytes, array) == Status::ok);
  CHECK(array.f32 == std::vector<float>{0, 1, 2, 3, 4, 5});
  bytes = npy("{'shape':(2,2,2),'fortran_order':True,'descr':'|b1'}", 0, 3);
  const Bytes column_major = {0, 1, 0, 0, 1, 0, 1, 1};
  bytes.insert(bytes.end(), column_major.begin(), column_major.end());
  REQUIRE(parse(bytes, array) == Status::ok);
  CHECK(array.boolean == Bytes{0, 1, 0, 1, 1, 0, 0, 1});
  CHECK(array.f32.empty());
  bytes = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", 0, 2);
  for (const std::uint8_t byte : little_endian(0x3fb999999999999a, 8)) bytes.push_back(byte);
  REQUIRE(parse(bytes, array) == Status::ok);
  CHECK(array.f32 == std::vector<float>{0.1f});
}

TEST_CASE("each way to break an npy header has its own status") {
  const auto dict = [](const std::string& descr, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + "}";
  };
  const auto f4 = [&](const std::string& shape) { return dict("'<f4'", shape); };
  struct Case {
    Status status;
    std::string dict;
    std::size_t data_size;
  };
  const Case cases[] = {
      {Status::ok, kDict, 24},
      {Status::ok, "  { \"shape\" :(\t2,3 ,) ,\n'fortran_order':True,'descr':\"<f4\"} \n\n", 24},
      {Status::ok, f4("()"), 4},
      {Status::ok, f4("(2305843009213693952, 0)"), 0},
      {Status::bad_shape, f4("(18446744073709551615, 0)"), 0},
      {Status::truncated, kDict, 23},
      {Status::trailing_bytes, kDict, 25},
      {Status::bad_shape, f4("(4611686018427387904,)"), 0},
      {Status::bad_shape, f4("(0, 4294967296, 4294967296)"), 0},
      {Status::bad_shape, f4("(18446744073709551616,)"), 0},
      {Status::bad_shape, f4("(" + many("1,", 9) + ")"), 4},
      {Status::bad_shape, f4("(6)"), 24},
      {Status::bad_shape, f4("6"), 24},
      {Status::bad_shape, f4("(,)"), 4},
      {Status::bad_shape, f4("(2,,3)"), 24},
      {Status::bad_shape, f4("(2 3)"), 24},
      {Status::bad_shape, f4("(-2,)"), 8},
      {Status::bad_shape, f4("(02,)"), 8},
      {Status::bad_shape, f4("(2.0,)"), 8},
      {Status::bad_shape, f4("(2L,)"), 8},
      {Status::bad_shape, f4("[2,3]"), 24},
      {Status::bad_shape, f4("(2,3"), 24},
      {Status::bad_dtype, dict("'>f4'", "()"), 4},
      {Status::bad_dtype, dict("'<i4'", "()"), 4},
      {Status::bad_dtype, dict("'|u1'", "()"), 1},
      {Status::bad_dtype, dict("'|O'", "()"), 4},
      {Status::bad_dtype, dict("''", "()"), 4},
      {Status::bad_dtype, dict("[('a', '<f4')]", "()"), 4},
      {Status::bad_dtype, dict("'\\x3cf4'", "()"), 4},
      {Status::duplicate_key, dict("'<f4', 'descr': '<f4'", "()"), 4},
      {Status::unknown_key, dict("'<f4', 'order': 1", "()"), 4},
      {Status::missing_key, "{'descr': '<f4', 'fortran_order': False}", 4},
      {Status::missing_key, "{'shape': (), 'fortran_order': False}", 4},
      {Status::missing_key, "{'shape': (), 'descr': '<f4'}", 4},
      {Status::missing_key, "{}", 0},
      {Status::bad_header, "", 0},
      {Status::bad_header, "{", 0},
      {Status::bad_header, "{'descr", 0},
      {Status::bad_header, "{,}", 0},
      {Status::bad_header, "{'fortran_order': 0}", 0},
      {Status::bad_header, "{'fortran_order' False}", 0},
      {Status::bad_header, kDict + "{}", 24},
      {Status::bad_header, std::string(60'000, '('), 0},
  };
  for (const Case& c : cases) {
    INFO(c.dict.substr(0, 200));
    NpyArray array;
    CHECK(std::string(status_name(parse(npy(c.dict, c.data_size), array))) ==
          status_name(c.status));
  }
  NpyArray array;
  Bytes bytes = npy(kDict, 24);
  bytes[7] = 1;
  CHECK(parse(bytes, array) == Status::bad_version);
  CHECK(parse(npy(kDict, 24, 4), array) == Status::bad_version);
  CHECK(parse(bytes_of("\x93NUMPX\1"), array) == Status::bad_magic);
  CHECK(parse(npy(std::string(kMaxNpyHeader + 1, ' '), 0, 2), array) == Status::header_too_large);
  bytes = npy(dict("'|b1'", "()"), 1);
  bytes.back() = 2;
  CHECK(parse(bytes, array) == Status::bad_value);
}

TEST_CASE("a cut or flipped npy file is refused or still sound") {
  for (const int major : {1, 2}) {
    const Bytes whole = npy(kDict, 24, major);
    NpyArray array;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK(parse(cut, array) == Status::truncated);
    }
    for (std::size_t bit = 0; bit < 8 * (whole.size() - 24); ++bit) {
      Bytes flipped = whole;
      flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ 1u << bit % 8);
      if (parse(flipped, array) != Status::ok) continue;
      CHECK(array.f32.size() == 6);  // no flip turns 24 bytes of <f4 into a sound <f8 or <f2
    }
  }
}
