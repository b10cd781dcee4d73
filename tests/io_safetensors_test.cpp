// heed::io, safetensors: what goes in comes out, and nothing that a hostile file says is believed.
#include "io_files.hpp"

TEST_CASE("a safetensors file comes back as it was written") {
  const Folder folder;
  REQUIRE_FALSE(write_sample(folder / "a.safetensors"));
  CHECK(folder.files() == 1);
  SafetensorsFile file;
  const Error error = load_safetensors(folder / "a.safetensors", file);
  INFO(error.message);
  REQUIRE_FALSE(error);
  CHECK(file.metadata() == Metadata{{"format", "pt"}, {"", "\xe2\x82\xac"}});
  const Bytes bytes = slurp(folder / "a.safetensors"), euro = bytes_of("\xe2\x82\xac");  // as it is, not \u20ac
  CHECK(std::search(bytes.begin(), bytes.end(), euro.begin(), euro.end()) != bytes.end());
  std::string order;
  for (const TensorInfo& tensor : file.tensors()) order += tensor.name + " ";
  CHECK(order == "d i w\"\n\xc3\xa9 none mask raw ");  // wide first, for alignment

  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int64_t> ints;
  std::vector<std::uint8_t> bools;
  Shape shape;
  REQUIRE_FALSE(file.read_f32("w\"\n\xc3\xa9", floats, shape));
  CHECK((same_bits(floats, kFloats) && shape == Shape{2, 3}));
  REQUIRE_FALSE(file.read_f64("d", doubles, shape));
  CHECK((same_bits(doubles, kDoubles) && shape == Shape{2, 1}));
  REQUIRE_FALSE(file.read_f32("d", floats, shape));
  CHECK((floats == std::vector<float>{0.1f, -INFINITY}));
  REQUIRE_FALSE(file.read_i64("i", ints, shape));
  CHECK((ints == kInts && shape == Shape{3}));
  REQUIRE_FALSE(file.read_bool("mask", bools, shape));
  CHECK(bools == kBools);
  REQUIRE_FALSE(file.read_bool("raw", bools, shape));
  CHECK((bools == Bytes{1} && shape.empty()));
  REQUIRE_FALSE(file.read_f32("none", floats, shape));
  CHECK((floats.empty() && shape == Shape{0, 7}));

  CHECK(file.read_f64("i", doubles, shape).status == Status::bad_dtype);
  CHECK(file.read_i64("d", ints, shape).status == Status::bad_dtype);
  CHECK(file.read_bool("i", bools, shape).status == Status::bad_dtype);
  CHECK(file.read_f32("mask", floats, shape).status == Status::bad_dtype);
  CHECK(file.read_f32("nobody", floats, shape).status == Status::not_found);
  CHECK(file.read_f64("nobody", doubles, shape).status == Status::not_found);
  CHECK(file.read_i64("nobody", ints, shape).status == Status::not_found);
  CHECK(file.read_bool("nobody", bools, shape).status == Status::not_found);
  CHECK((doubles == kDoubles && ints == kInts && shape == Shape{0, 7}));  // untouched
}

TEST_CASE("the data of a safetensors file begin at a multiple of 8 bytes") {
  const Folder folder;
  for (const std::string name :
       {"a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"}) {
    REQUIRE_FALSE(write_safetensors(folder / "a", {view_u8(name, {1}, {7})}, {}));
    const Bytes bytes = slurp(folder / "a");
    CHECK(bytes.size() % 8 == 1);
    CHECK(bytes[bytes.size() - 9] != ' ');  // and not 8 bytes later than need be
  }
  REQUIRE_FALSE(write_safetensors(folder / "a", {}, {}));
  CHECK(slurp(folder / "a") == safetensors("{}      "));
}

TEST_CASE("all 65536 values of F16 and BF16 convert exactly") {
  Bytes data;
  for (std::uint64_t i = 0; i < 65536; ++i) {
    for (const std::uint8_t byte : little_endian(i, 2)) data.push_back(byte);
  }
  const auto read = [&](const std::string& dtype) {
    SafetensorsFile file;
    std::vector<float> values;
    Shape shape;
    REQUIRE(parse(safetensors("{\"a\":{\"dtype\":\"" + dtype +
                                  "\",\"shape\":[65536],\"data_offsets\":[0,131072]}}",
                              data),
                  file) == Status::ok);
    REQUIRE_FALSE(file.read_f32("a", values, shape));
    return values;
  };
  // The definition of the format, in double precision.
  const auto value = [](int bits, int fraction_bits) {
    const int exponent_bits = 15 - fraction_bits;
    const int top = (1 << exponent_bits) - 1;
    const int exponent = bits >> fraction_bits & top;
    const double fraction = std::ldexp(bits & ((1 << fraction_bits) - 1), -fraction_bits);
    double result = std::ldexp(exponent == 0 ? fraction : 1 + fraction,
                               (exponent == 0 ? 1 : exponent) - top / 2);
    if (exponent == top) result = fraction == 0 ? INFINITY : NAN;
    return (bits & 0x8000) != 0 ? -result : result;
  };
  for (const int fraction_bits : {10, 7}) {
    const std::vector<float> values = read(fraction_bits == 10 ? "F16" : "BF16");
    int wrong = 0;
    for (int i = 0; i < 65536; ++i) {
      const double want = value(i, fraction_bits);
      const float got = values[static_cast<std::size_t>(i)];
      const bool same = std::isnan(want) ? std::isnan(got) : static_cast<double>(got) == want;
      wrong += !same || std::signbit(got) != ((i & 0x8000) != 0);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("F64 is rounded to the nearest float, ties to even") {
  const double ulp = std::ldexp(1.0, -23);
  const std::vector<double> in = {1 + ulp / 2, 1 + 1.5 * ulp, 1 + 0.51 * ulp, 3.5e38, 1e-46,
                                  NAN,         -0.0};
  const std::vector<float> want = {1.0f, static_cast<float>(1 + 2 * ulp),
                                   static_cast<float>(1 + ulp), INFINITY, 0.0f};
  const Folder folder;
  REQUIRE_FALSE(write_safetensors(folder / "a", {view_f64("a", {7}, in)}, {}));
  SafetensorsFile file;
  REQUIRE_FALSE(load_safetensors(folder / "a", file));
  std::vector<float> out;
  Shape shape;
  REQUIRE_FALSE(file.read_f32("a", out, shape));
  CHECK((std::isnan(out[5]) && std::signbit(out[6])));
  out.resize(5);
  CHECK(out == want);
}

TEST_CASE("each way to break a safetensors header has its own status") {
  const auto one = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  const auto two = [](const std::string& a, const std::string& b) {
    return "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" + a +
           "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + b + "}}";
  };
  const std::string d = R"("dtype":"F32")", s = R"("shape":[2])", o = R"("data_offsets":[0,8])";
  const auto shape = [&](const std::string& list) {
    return one(d + "," + o + ",\"shape\":" + list);
  };
  const auto offsets = [&](const std::string& list) {
    return one(d + "," + s + ",\"data_offsets\":" + list);
  };
  struct Case {
    Status status;
    std::string header;
    std::size_t data_size;
  };
  const Case cases[] = {
      {Status::ok, kF32x2, 8},
      {Status::ok, two("[0,8]", "[8,12]"), 12},
      {Status::ok, two("[4,12]", "[0,4]"), 12},
      {Status::overlap, two("[0,8]", "[7,11]"), 11},
      {Status::overlap, two("[0,8]", "[0,4]"), 8},
      {Status::gap, two("[0,8]", "[9,13]"), 13},
      {Status::gap, two("[8,16]", "[0,4]"), 16},
      {Status::gap, offsets("[4,12]"), 12},
      {Status::misaligned, two("[5,13]", "[0,4]"), 13},
      {Status::misaligned, offsets("[2,10]"), 10},
      {Status::trailing_bytes, kF32x2, 9},
      {Status::trailing_bytes, "{}", 1},
      {Status::bad_offsets, kF32x2, 7},
      {Status::bad_offsets, offsets("[8,0]"), 8},
      {Status::bad_offsets, offsets("[18446744073709551608,18446744073709551615]"), 8},
      {Status::bad_offsets, offsets("[0]"), 8},
      {Status::bad_offsets, offsets("[0,8,8]"), 8},
      {Status::bad_offsets, offsets("[0,8e0]"), 8},
      {Status::bad_offsets, offsets("[0,18446744073709551616]"), 8},
      {Status::bad_offsets, offsets("null"), 8},
      {Status::size_mismatch, shape("[3]"), 8},
      {Status::size_mismatch, shape("[0,2]"), 8},
      {Status::size_mismatch, shape("[2305843009213693952,0]"), 8},
      {Status::bad_shape, shape("[9223372036854775808,0]"), 8},
      {Status::bad_shape, shape("[9223372036854775808]"), 8},
      {Status::bad_shape, shape("[4294967296,4294967296,0]"), 8},
      {Status::bad_shape, shape("[0,4294967296,4294967296]"), 8},
      {Status::bad_shape, shape("[4611686018427387905,4]"), 8},  // wraps to 4 elements
      {Status::bad_shape, shape("[18446744073709551616]"), 8},
      {Status::bad_shape, shape("[-2]"), 8},
      {Status::bad_shape, shape("[-0]"), 8},
      {Status::bad_shape, shape("[2.0]"), 8},
      {Status::bad_shape, shape("[1e3]"), 8},
      {Status::bad_shape, shape("[\"2\"]"), 8},
      {Status::bad_shape, shape("[[2]]"), 8},
      {Status::bad_shape, shape("2"), 8},
      {Status::ok, shape("[2" + many(",1", 31) + "]"), 8},
      {Status::bad_shape, shape("[2" + many(",1", 32) + "]"), 8},
      {Status::bad_dtype, one("\"dtype\":\"F33\"," + s + "," + o), 8},
      {Status::bad_dtype, one("\"dtype\":\"f32\"," + s + "," + o), 8},
      {Status::bad_dtype, one("\"dtype\":4," + s + "," + o), 8},
      {Status::duplicate_key, one(d + "," + d + "," + s + "," + o), 8},
      {Status::duplicate_key, one(d + "," + s + "," + o + ",\"\\u0073hape\":[2]"), 8},
      {Status::duplicate_key, R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{)", 0},
      {Status::duplicate_key, R"({"__metadata__":{},"__metadata__":{}})", 0},
      {Status::duplicate_key, R"({"__metadata__":{"k":"1","k":"1"}})", 0},
      {Status::unknown_key, one(d + "," + s + "," + o + ",\"strides\":[1]"), 8},
      {Status::missing_key, one(d + "," + s), 8},
      {Status::missing_key, one(d + "," + o), 8},
      {Status::missing_key, one(""), 0},
      {Status::bad_metadata, R"({"__metadata__":{"k":1}})", 0},
      {Status::bad_metadata, R"({"__metadata__":{"k":{}}})", 0},
      {Status::bad_metadata, R"({"__metadata__":"k"})", 0},
      {Status::bad_header, R"({"a":[]})", 0},
      {Status::bad_header, R"({"a":true})", 0},
      {Status::bad_header, "", 0},
      {Status::bad_header, " {}", 0},
      {Status::bad_header, "[]", 0},
      {Status::bad_header, std::string(10'000'000, '['), 0},
      {Status::bad_json, std::string(10'000'000, '{'), 0},
      {Status::bad_shape, shape(std::string(10'000'000, '[')), 0},
      {Status::bad_json, "{\"a\xff\":{}}", 0},
      {Status::bad_json, "{", 0},
      {Status::bad_json, "{}{}", 0},
      {Status::bad_json, "{}//", 0},
      {Status::bad_json, std::string("{}\0{", 4), 0},
      {Status::bad_json, "{'a':1}", 0},
  };
  for (const Case& c : cases) {
    INFO(c.header.substr(0, 200));
    SafetensorsFile file;
    CHECK(std::string(status_name(parse(safetensors(c.header, Bytes(c.data_size)), file))) ==
          status_name(c.status));
  }
}

TEST_CASE("lengths that lie are found out before anything is allocated") {
  SafetensorsFile file;
  const auto with_length = [](std::uint64_t length) {
    Bytes bytes = safetensors(kF32x2, Bytes(8));
    const Bytes lie = little_endian(length, 8);
    std::copy(lie.begin(), lie.end(), bytes.begin());
    return bytes;
  };
  CHECK(parse(with_length(1ull << 63), file) == Status::header_too_large);
  CHECK(parse(with_length(UINT64_MAX), file) == Status::header_too_large);
  CHECK(parse(with_length(UINT64_MAX - 7), file) == Status::header_too_large);
  CHECK(parse(with_length(kMaxSafetensorsHeader + 1), file) == Status::header_too_large);
  CHECK(parse(with_length(kMaxSafetensorsHeader), file) == Status::truncated);
  CHECK(parse(with_length(kF32x2.size() + 9), file) == Status::truncated);
  CHECK(parse(with_length(kF32x2.size() - 1), file) == Status::bad_json);
  CHECK(parse(with_length(0), file) == Status::bad_header);

  std::string tensors, metadata;
  for (std::size_t i = 0; i <= kMaxSafetensorsTensors; ++i) {
    const std::string key = (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":";
    tensors += key + R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
    metadata += key + "\"\"";
  }
  CHECK(parse(safetensors("{" + tensors + "}"), file) == Status::too_many);
  CHECK(parse(safetensors("{\"__metadata__\":{" + metadata + "}}"), file) == Status::too_many);
}

TEST_CASE("a cut or flipped safetensors file is refused or still sound") {
  const Folder folder;
  REQUIRE_FALSE(write_sample(folder / "a"));
  const Bytes whole = slurp(folder / "a");
  SafetensorsFile file;
  REQUIRE(parse(whole, file) == Status::ok);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(parse(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), file) !=
          Status::ok);
  }
  CHECK(file.tensors().size() == 6);  // the object survived every failure
  std::size_t header_end = 8;
  header_end += whole[0] + 256u * whole[1];
  for (std::size_t bit = 0; bit < 8 * header_end; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ 1u << bit % 8);
    if (parse(flipped, file) != Status::ok) continue;
    for (const TensorInfo& tensor : file.tensors()) {
      Shape shape;
      std::vector<float> floats;
      std::vector<std::uint8_t> bools;
      const Error a = file.read_f32(tensor.name, floats, shape);
      const Error b = file.read_bool(tensor.name, bools, shape);
      CHECK((a.status == Status::ok || a.status == Status::bad_dtype));
      CHECK((b.status == Status::ok || b.status == Status::bad_dtype ||
             b.status == Status::bad_value));
    }
  }
}

TEST_CASE("the safetensors writer refuses what the reader would") {
  const Folder folder;
  const std::string path = folder / "a";
  const std::vector<float> one = {1};
  const auto write = [&](std::vector<TensorView> tensors, const Metadata& metadata = {}) {
    return write_safetensors(path, tensors, metadata).status;
  };
  CHECK(write({view_f32("a", {2}, one)}) == Status::size_mismatch);
  CHECK(write({view_f32("a", {1ull << 62, 4}, one)}) == Status::bad_shape);
  CHECK(write({view_bool("a", {1}, {2})}) == Status::bad_value);
  CHECK(write({{"a", Dtype::f16, {1}, &one, 1}}) == Status::bad_dtype);
  CHECK(write({{"a", Dtype::f32, {1}, nullptr, 1}}) == Status::size_mismatch);
  CHECK(write({view_f32("a", {1}, one), view_f32("a", {1}, one)}) == Status::duplicate_key);
  CHECK(write({view_f32("__metadata__", {1}, one)}) == Status::bad_name);
  CHECK(write({view_f32("a\xff", {1}, one)}) == Status::bad_name);
  CHECK(write({}, {{"a", "\xc0\x80"}}) == Status::bad_name);
  CHECK(write({view_f32("a", Shape(33, 1), one)}) == Status::bad_shape);
  CHECK(write({}, {{"a", std::string(kMaxSafetensorsHeader, 'x')}}) == Status::header_too_large);
  CHECK(folder.files() == 0);
  CHECK(write({view_f32(std::string("\0\n", 2), {1}, one)}) == Status::ok);
}

TEST_CASE("a failed write leaves the older file and nothing else") {
  const Folder folder;
  const std::string path = folder / "a";
  REQUIRE_FALSE(write_npy(path, {Dtype::f32, {1}, {1}, {}}));
  const Bytes before = slurp(path);
  CHECK(write_npy(path, {Dtype::f32, {2}, {1}, {}}).status == Status::size_mismatch);
  CHECK(write_npy(folder / "no/such", {Dtype::f32, {1}, {1}, {}}).status == Status::open_failed);
  CHECK(write_npy(folder / ".", {Dtype::f32, {1}, {1}, {}}).status == Status::open_failed);
  CHECK(write_npy("/dev/null", {Dtype::f32, {1}, {1}, {}}).status == Status::open_failed);
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(slurp(path) == before);
  CHECK(folder.files() == 1);
}

TEST_CASE("only regular files are read, and messages name them") {
  const Folder folder;
  SafetensorsFile file;
  NpyArray array;
  CHECK(load_safetensors(folder / "none", file).status == Status::open_failed);
  CHECK(load_npy(folder / ".", array).status == Status::open_failed);
  CHECK(load_npy("/dev/zero", array).status == Status::open_failed);
  std::ofstream(folder / "empty").close();
  CHECK(load_npy(folder / "empty", array).status == Status::truncated);
  CHECK(load_safetensors(folder / "empty", file).message ==
        (folder / "empty") + ": expected at least 8 bytes, found 0.");
  const Bytes bytes = safetensors(R"({"a\u001b[2J":{"dtype":"F99"}})");
  CHECK(parse_safetensors(bytes.data(), bytes.size(), "w", file).message ==
        "w: tensor \"a\\x1b[2J\": expected a known dtype, found \"F99\".");
}
