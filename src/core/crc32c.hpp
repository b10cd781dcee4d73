// crc32c.hpp - CRC-32C (Castagnoli, RFC 3720), four bits at a time: 64 bytes of table.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/features.hpp"

namespace heed {

// Continues from `crc`, the checksum of what came before; 0 to begin.
HEED_APART inline uint32_t crc32c(const void* data, size_t bytes, uint32_t crc = 0) {
  static constexpr uint32_t kNibble[] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                         0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                         0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
  const unsigned char* p = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (size_t i = 0; i < bytes; ++i) {
    crc ^= p[i];
    crc = (crc >> 4) ^ kNibble[crc & 15];
    crc = (crc >> 4) ^ kNibble[crc & 15];
  }
  return ~crc;
}

}  // namespace heed
