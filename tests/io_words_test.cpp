// heed::io, names, sizes and sentences: what is told is right to the word.
#include <algorithm>

#include "io_files.hpp"

TEST_CASE("flags other than 0 and 1 are refused, and all that is told has a name") {
  SafetensorsFile file;
  REQUIRE(parse(safetensors(R"({"m":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", {1, 0, 2}), file) ==
          Status::ok);
  Bytes flags = {7};
  std::vector<float> floats;
  Shape shape = {9};
  const Error error = file.read_bool("m", flags, shape);
  CHECK(error.status == Status::bad_value);
  CHECK(error.message == "memory: tensor \"m\": expected only 0 and 1, found 2 at element 2.");
  CHECK((flags == Bytes{7} && shape == Shape{9}));

  std::vector<std::string> names;
  for (int i = 0; i <= int(Status::bad_version); ++i) names.push_back(status_name(Status(i)));
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK(std::find(names.begin(), names.end(), "unknown") == names.end());
  CHECK(std::string(status_name(Status(int(Status::bad_version) + 1))) == "unknown");
  CHECK(std::string(status_name(Status::write_failed)) == "write_failed");
  CHECK(std::string(dtype_name(Dtype::c64)) == "C64");
  CHECK(std::string(dtype_name(Dtype(99))) == "unknown");
  CHECK(dtype_size(Dtype::c64) == 8);
  CHECK(dtype_size(Dtype(99)) == 1);  // so that nobody divides by 0

  const std::string long_name(81, 'n'), fits(80, 'n');
  CHECK(file.read_f32(long_name, floats, shape).message ==
        "memory: expected a tensor \"" + fits + "...\", but there is none.");
  CHECK(file.read_f32(fits, floats, shape).message == "memory: expected a tensor \"" + fits + "\", but there is none.");
  CHECK(file.read_f32("a\\\"\x1f\x7e\x7f", floats, shape).message ==
        "memory: expected a tensor \"a\\\\\\\"\\x1f~\\x7f\", but there is none.");
}

TEST_CASE("the field that a tensor lacks is named") {
  const std::string d = R"("dtype":"F32")", s = R"("shape":[2])", o = R"("data_offsets":[0,8])";
  const auto lacks = [](const std::string& field, const std::string& others) {
    const Bytes bytes = safetensors("{\"a\":{" + others + "}}", Bytes(8));
    SafetensorsFile file;
    CHECK(parse_safetensors(bytes.data(), bytes.size(), "f", file).message ==
          "f: tensor \"a\": expected dtype, shape and data_offsets, but " + field + " is missing.");
  };
  lacks("dtype", s + "," + o);
  lacks("shape", d + "," + o);
  lacks("data_offsets", d + "," + s);
}

TEST_CASE("every type takes the bytes that it should, and a file of less than its length says so") {
  const struct {
    const char* name;
    std::size_t bytes;
  } types[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
               {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
               {"F32", 4},  {"I64", 8}, {"U64", 8}, {"F64", 8},     {"C64", 8}};
  for (const auto& type : types) {
    CAPTURE(type.name);
    const auto status = [&](std::size_t bytes) {
      SafetensorsFile file;
      const Status came = parse(safetensors("{\"a\":{\"dtype\":\"" + std::string(type.name) +
                                                "\",\"shape\":[3],\"data_offsets\":[0," + std::to_string(bytes) + "]}}",
                                            Bytes(bytes)),
                                file);
      if (came == Status::ok) CHECK(std::string(dtype_name(file.tensors().front().dtype)) == type.name);
      return came;
    };
    CHECK(status(3 * type.bytes) == Status::ok);
    CHECK(status(3 * type.bytes + 1) == Status::size_mismatch);
    CHECK(status(3 * type.bytes - 1) == Status::size_mismatch);
  }
  SafetensorsFile file;
  for (std::size_t size = 0; size < 8; ++size) CHECK(parse(Bytes(size), file) == Status::truncated);
}

TEST_CASE("an npy header that lacks a key, or ends, is told so") {
  NpyArray array;
  const auto message = [&](const std::string& dict) {
    const Bytes bytes = npy(dict);
    return parse_npy(bytes.data(), bytes.size(), "f", array).message;
  };
  const std::string three = "f: expected descr, fortran_order and shape, but ";
  CHECK(message("{'shape': (), 'fortran_order': False}") == three + "descr is missing.");
  CHECK(message("{'shape': (), 'descr': '<f4'}") == three + "fortran_order is missing.");
  CHECK(message("{'descr': '<f4', 'fortran_order': False}") == three + "shape is missing.");
  CHECK(message("{'descr'") == "f: expected a colon at byte 8 of the npy header, found its end.");
  CHECK(message("{'descr': '>f4', 'fortran_order': False, 'shape': ()}") ==
        "f: expected little-endian values, but descr \">f4\" is big-endian; save a.astype('<f4') instead.");
  CHECK(message("{'descr': '', 'fortran_order': False, 'shape': ()}") ==
        "f: expected descr \"<f4\", \"<f8\", \"<f2\" or \"|b1\", found \"\".");
  CHECK(message(kDict) == "f: expected 24 bytes of data for the shape [2, 3], found 0.");
  CHECK(message("{'descr' 0123456789abcdef") ==
        "f: expected a colon at byte 9 of the npy header, found \"0123456789ab\".");
  CHECK(message("{'descr' 'a") == "f: expected a colon at byte 9 of the npy header, found \"'a\".");
}
