// The JSON half of a safetensors header, as a machine over parser events.
//
// Events instead of a document tree, because a tree keeps only the last of two
// equal keys, costs a multiple of the text in memory, and can be nested ten
// million deep. Here a bracket where none belongs ends the parse at once: no
// more than three are ever open.
//
//   outside { header  "__metadata__": { metadata  "key": "value" }
//                     "name":         { tensor    "dtype": "F32"
//                                                 "shape": [ list ]
//                                                 "data_offsets": [ list ] } }
#include <nlohmann/json.hpp>

#include <set>
#include <string>

#include "dtype.hpp"
#include "fail.hpp"
#include "safetensors_header.hpp"

namespace heed::io {

namespace {

using Json = nlohmann::json;

enum class Place { outside, header, metadata, tensor, list };

// Bits, so that the fields seen so far are one number.
enum Field : unsigned { kNoField = 0, kDtype = 1, kShape = 2, kOffsets = 4 };

class HeaderReader {
 public:
  HeaderReader(std::string_view file, Header& out) : file_(file), out_(out) {}

  Error error;

  // The events, named by nlohmann::json. False ends the parse.
  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a boolean"); }
  bool number_integer(Json::number_integer_t) { return refuse("a negative number"); }
  bool number_unsigned(Json::number_unsigned_t value);
  bool number_float(Json::number_float_t, const std::string&) {
    return refuse("a number with a fraction, an exponent or more than 64 bits");
  }
  bool string(std::string& value);
  bool binary(Json::binary_t&) { return refuse("binary data"); }  // GCOVR_EXCL_LINE: JSON has none
  bool start_object(std::size_t);
  bool key(std::string& name);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array();
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    return stop(Status::bad_json, "expected JSON in UTF-8, but the header is broken at byte ",
                position);
  }

 private:
  template <class... Parts>
  bool stop(Status status, const Parts&... parts) {
    error = fail(status, file_, parts...);
    return false;
  }
  template <class... Parts>
  bool stop_tensor(Status status, const Parts&... parts) {
    return stop(status, "tensor ", quote_name(tensor().name), ": ", parts...);
  }
  bool refuse(const char* found);
  bool refuse_field(const char* found);
  bool name_key(std::string& name);
  bool field_key(const std::string& name);
  TensorInfo& tensor() { return out_.tensors.back(); }

  std::string_view file_;
  Header& out_;
  Place place_ = Place::outside;
  std::string key_;              // in the header and in metadata: whose value comes next
  std::set<std::string> names_;  // a tree: hash collisions can be forged
  unsigned seen_ = 0;            // fields of this tensor
  Field field_ = kNoField;
  std::size_t offsets_ = 0;  // numbers read of data_offsets
};

// The value cannot stand here. Every wrong type ends up in this one place.
bool HeaderReader::refuse(const char* found) {
  switch (place_) {
    case Place::outside:  // GCOVR_EXCL_START: parse_header has seen the brace
      return stop(Status::bad_header, "expected the header to be an object, found ", found);
      // GCOVR_EXCL_STOP
    case Place::header:
      if (key_ == kMetadataKey) {
        return stop(Status::bad_metadata, "expected __metadata__ to be an object, found ", found);
      }
      return stop(Status::bad_header, "tensor ", quote_name(key_), ": expected an object, found ",
                  found);
    case Place::metadata:
      return stop(Status::bad_metadata, "__metadata__ entry ", quote_name(key_),
                  ": expected a string, found ", found);
    case Place::tensor:
    case Place::list: break;
  }
  return refuse_field(found);
}

bool HeaderReader::refuse_field(const char* found) {
  switch (field_) {
    case kDtype:
      return stop_tensor(Status::bad_dtype, "expected dtype to be a string, found ", found);
    case kShape:
      return stop_tensor(Status::bad_shape,
                         "expected shape to be a list of unsigned integers, found ", found);
    case kOffsets:
      return stop_tensor(Status::bad_offsets,
                         "expected data_offsets to be two unsigned integers, found ", found);
    case kNoField: break;  // GCOVR_EXCL_LINE: a value without a key is no JSON
  }
  return stop_tensor(Status::bad_header, "did not expect ", found);  // GCOVR_EXCL_LINE: likewise
}

bool HeaderReader::number_unsigned(Json::number_unsigned_t value) {
  if (place_ != Place::list) return refuse("a number");
  if (field_ == kShape) {
    if (tensor().shape.size() == kMaxSafetensorsDims) {
      return stop_tensor(Status::bad_shape, "expected at most ", kMaxSafetensorsDims,
                         " dimensions, found more");
    }
    tensor().shape.push_back(value);
    return true;
  }
  if (offsets_ == 2) return refuse("more numbers");
  (offsets_ == 0 ? tensor().begin : tensor().end) = value;
  ++offsets_;
  return true;
}

bool HeaderReader::string(std::string& value) {
  if (place_ == Place::metadata) {
    if (out_.metadata.size() == kMaxSafetensorsMetadata) {
      return stop(Status::too_many, "expected at most ", kMaxSafetensorsMetadata,
                  " entries in __metadata__, found more");
    }
    out_.metadata.emplace(std::move(key_), std::move(value));
    return true;
  }
  if (place_ != Place::tensor || field_ != kDtype) return refuse("a string");
  if (dtype_from_name(value, tensor().dtype)) return true;
  return stop_tensor(Status::bad_dtype, "expected a known dtype, found ", quote_name(value));
}

bool HeaderReader::start_object(std::size_t) {
  if (place_ == Place::outside) {
    place_ = Place::header;
    return true;
  }
  if (place_ != Place::header) return refuse("an object");
  if (key_ == kMetadataKey) {
    place_ = Place::metadata;
    return true;
  }
  if (out_.tensors.size() == kMaxSafetensorsTensors) {
    return stop(Status::too_many, "expected at most ", kMaxSafetensorsTensors,
                " tensors, found more");
  }
  out_.tensors.emplace_back();
  tensor().name = std::move(key_);
  place_ = Place::tensor;
  seen_ = 0;
  field_ = kNoField;
  return true;
}

bool HeaderReader::key(std::string& name) {
  return place_ == Place::tensor ? field_key(name) : name_key(name);
}

bool HeaderReader::name_key(std::string& name) {
  const bool twice =
      place_ == Place::metadata ? out_.metadata.count(name) != 0 : !names_.insert(name).second;
  if (twice) {
    return stop(Status::duplicate_key, "expected each ",
                place_ == Place::metadata ? "__metadata__ key" : "tensor name", " once, found ",
                quote_name(name), " twice");
  }
  key_ = std::move(name);
  return true;
}

bool HeaderReader::field_key(const std::string& name) {
  field_ = name == "dtype"          ? kDtype
           : name == "shape"        ? kShape
           : name == "data_offsets" ? kOffsets
                                    : kNoField;
  if (field_ == kNoField) {
    return stop_tensor(Status::unknown_key,
                       "expected dtype, shape and data_offsets, found the key ", quote_name(name));
  }
  if ((seen_ & field_) != 0) {
    return stop_tensor(Status::duplicate_key, "expected each key once, found ", quote_name(name),
                       " twice");
  }
  seen_ |= field_;
  return true;
}

bool HeaderReader::end_object() {
  if (place_ == Place::tensor && seen_ != (kDtype | kShape | kOffsets)) {
    const char* absent = (seen_ & kDtype) == 0   ? "dtype"
                         : (seen_ & kShape) == 0 ? "shape"
                                                 : "data_offsets";
    return stop_tensor(Status::missing_key, "expected dtype, shape and data_offsets, but ", absent,
                       " is missing");
  }
  place_ = place_ == Place::header ? Place::outside : Place::header;
  return true;
}

bool HeaderReader::start_array(std::size_t) {
  if (place_ != Place::tensor || field_ == kDtype) return refuse("a list");
  place_ = Place::list;
  offsets_ = 0;
  return true;
}

bool HeaderReader::end_array() {
  if (field_ == kOffsets && offsets_ != 2) return refuse("fewer numbers");
  place_ = Place::tensor;
  return true;
}

}  // namespace

Error parse_header(std::string_view json, std::string_view file, Header& out) {
  if (json.empty() || json.front() != '{') {
    return fail(Status::bad_header, file, "expected the header to begin with '{', but it does not");
  }
  // nlohmann::json takes a NUL byte for the end of the text and would not see
  // what follows; other readers would.
  if (const std::size_t nul = json.find('\0'); nul != std::string_view::npos) {
    return fail(Status::bad_json, file, "expected JSON in UTF-8, but byte ", nul,
                " of the header is zero");
  }
  HeaderReader reader(file, out);
  if (!Json::sax_parse(json.data(), json.data() + json.size(), &reader) && !reader.error) {
    // GCOVR_EXCL_START: the parser stops without an event nowhere that we know
    return fail(Status::bad_json, file, "expected JSON in UTF-8, but the header is broken");
    // GCOVR_EXCL_STOP
  }
  return std::move(reader.error);
}

}  // namespace heed::io
