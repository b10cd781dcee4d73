// png_file.cpp - libpng, which reports errors by longjmp. So encode() has no objects that want
// a destructor, and everything it touches is made by its caller.
#include "tools/png_file.hpp"

#include <png.h>

#include <csetjmp>
#include <vector>

#include "io/file.hpp"
#include "tools/failure.hpp"

namespace heed::tool {
namespace {

constexpr int kCompressionLevel = 3;  // 72 megapixels in 5 s; with filters and level 6 in 16 s

static_assert(sizeof(Rgb) == 3, "a line of pixels is what libpng reads");

void remember(png_structp png, png_const_charp message) {
  *static_cast<std::string*>(png_get_error_ptr(png)) = message;
  png_longjmp(png, 1);
}
void ignore(png_structp, png_const_charp) {}

// AtomicFile keeps its own first error and does not throw once it is open.
void put(png_structp png, png_bytep bytes, std::size_t size) {
  static_cast<io::AtomicFile*>(png_get_io_ptr(png))->write(bytes, size);
}
void flush(png_structp) {}

struct Encoder {
  std::string error;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &error, remember, ignore);
  png_infop info = png ? png_create_info_struct(png) : nullptr;

  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder() { png_destroy_write_struct(&png, &info); }
};

bool encode(Encoder& e, uint32_t width, uint32_t height, png_text& text, const PaintLine& paint, Rgb* line) {
  if (setjmp(png_jmpbuf(e.png))) return false;
  png_set_IHDR(e.png, e.info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_filter(e.png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);  // cells are runs of one colour
  png_set_compression_level(e.png, kCompressionLevel);
  png_set_text(e.png, e.info, &text, 1);
  png_write_info(e.png, e.info);
  for (uint32_t y = 0; y < height; ++y) {
    paint(y, line);
    png_write_row(e.png, reinterpret_cast<png_const_bytep>(line));
  }
  png_write_end(e.png, nullptr);
  return true;
}

}  // namespace

void write_png(const std::string& path, uint32_t width, uint32_t height, const std::string& description,
               const PaintLine& paint) {
  std::vector<Rgb> line(width);
  std::string key = "Description", value = description;
  png_text text{};
  text.compression = PNG_TEXT_COMPRESSION_NONE;
  text.key = key.data();
  text.text = value.data();
  io::AtomicFile file;
  check(file.open(path));
  Encoder e;
  if (!e.png || !e.info) refuse(path, ": not enough memory for a picture");
  png_set_write_fn(e.png, &file, put, flush);
  if (!encode(e, width, height, text, paint, line.data())) refuse(path, ": cannot write a picture: ", e.error);
  check(file.commit());
}

}  // namespace heed::tool
