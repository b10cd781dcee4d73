// A parser for exactly one Python dict: three keys, four kinds of values. It goes
// forward only, never recurses, and takes nothing that it does not know.
#include "npy_header.hpp"

#include <limits>

#include "fail.hpp"

namespace heed::io {

namespace {

class DictReader {
 public:
  DictReader(std::string_view dict, std::string_view file, NpyHeader& out)
      : dict_(dict), file_(file), out_(out) {}

  Error read();

 private:
  // Each of these skips white space first; false leaves the position behind it.
  bool take(std::string_view word);
  bool take_string(std::string_view& value);
  bool take_number(std::uint64_t& value);

  Error item();
  Error shape();
  Error expected(const char* what, Status status = Status::bad_header) const {
    return fail(status, file_, "expected ", what, " at byte ", at_, " of the npy header, found ",
                at_ < dict_.size() ? quote_name(dict_.substr(at_, 12)) : "its end");
  }

  std::string_view dict_;
  std::string_view file_;
  NpyHeader& out_;
  std::size_t at_ = 0;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

bool DictReader::take(std::string_view word) {
  // The white space that Python's own parser skips inside brackets.
  while (at_ < dict_.size() &&
         std::string_view(" \t\n\r\f").find(dict_[at_]) != std::string_view::npos) {
    ++at_;
  }
  if (dict_.substr(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

// 'abc' or "abc". Nothing that we know needs an escape.
bool DictReader::take_string(std::string_view& value) {
  const bool single = take("'");
  if (!single && !take("\"")) return false;
  const std::size_t end = dict_.find(single ? '\'' : '"', at_);
  if (end == std::string_view::npos) return false;
  value = dict_.substr(at_, end - at_);
  at_ = end + 1;
  return value.find('\\') == std::string_view::npos;
}

bool DictReader::take_number(std::uint64_t& value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  take("");
  const std::size_t start = at_;
  value = 0;
  for (; at_ < dict_.size() && dict_[at_] >= '0' && dict_[at_] <= '9'; ++at_) {
    const auto digit = static_cast<std::uint64_t>(dict_[at_] - '0');
    if (value > (kMost - digit) / 10) return false;
    value = value * 10 + digit;
  }
  // Python refuses 007, as do we.
  return at_ > start && (at_ == start + 1 || dict_[start] != '0');
}

// A tuple: () or (3,) or (3, 4) or (3, 4,), but not (3), which is a number.
Error DictReader::shape() {
  if (!take("(")) return expected("the tuple of sizes", Status::bad_shape);
  bool comma = true;
  while (!take(")")) {
    std::uint64_t size = 0;
    if (!comma || !take_number(size))
      return expected("a size of at most 64 bits", Status::bad_shape);
    if (out_.shape.size() == kMaxNpyDims) {
      return fail(Status::bad_shape, file_, "expected at most ", kMaxNpyDims,
                  " dimensions, found more");
    }
    out_.shape.push_back(size);
    comma = take(",");
  }
  if (out_.shape.size() == 1 && !comma)
    return expected("a comma after the only size", Status::bad_shape);
  return {};
}

Error DictReader::item() {
  std::string_view key;
  if (!take_string(key)) return expected("a key in quotes");
  bool* has = key == "descr"           ? &has_descr_
              : key == "fortran_order" ? &has_order_
              : key == "shape"         ? &has_shape_
                                       : nullptr;
  if (has == nullptr) {
    return fail(Status::unknown_key, file_,
                "expected descr, fortran_order and shape, found the key ", quote_name(key));
  }
  if (*has) return fail(Status::duplicate_key, file_, "expected ", key, " once, found it twice");
  *has = true;
  if (!take(":")) return expected("a colon");
  if (has == &has_shape_) return shape();
  if (has == &has_order_) {
    out_.fortran_order = take("True");
    if (!out_.fortran_order && !take("False")) return expected("True or False");
    return {};
  }
  std::string_view descr;
  if (!take_string(descr)) return expected("a type in quotes", Status::bad_dtype);
  out_.descr = descr;
  return {};
}

Error DictReader::read() {
  if (!take("{")) return expected("'{'");
  bool comma = true;
  while (!take("}")) {
    if (!comma) return expected("a comma or '}'");
    if (Error error = item()) return error;
    comma = take(",");
  }
  take("");
  if (at_ != dict_.size()) return expected("nothing but spaces");
  if (has_descr_ && has_order_ && has_shape_) return {};
  return fail(Status::missing_key, file_, "expected descr, fortran_order and shape, but ",
              !has_descr_   ? "descr"
              : !has_order_ ? "fortran_order"
                            : "shape",
              " is missing");
}

}  // namespace

Error parse_npy_dict(std::string_view dict, std::string_view file, NpyHeader& out) {
  return DictReader(dict, file, out).read();
}

}  // namespace heed::io
