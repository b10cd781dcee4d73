// lecture_in_flash.cpp - weights that `heed pack` wrote lie in flash and are read there: no copy in
// RAM, nothing packed at boot. Returns 0 only if the answer has the bits of a desktop.
#include "board.h"
#include "heed/heed.hpp"
#include "lecture_module.h"
#include "lecture_packed.h"

constexpr auto config = LECTURE_PACKED_CONFIG.batch_first().max_query(4);
static heed::Arena<heed::workspace_bytes(config)> workspace;
static float output[4 * 8], attention[4 * 4];

constexpr uint32_t desktop_hash = 0xca47a9c4;  // as in lecture.cpp

int main() {
  heed::Call call;
  call.query = heed::tensor(tokens, {1, 4, 8});
  call.output = heed::tensor(output, {1, 4, 8});
  call.attn_weights = heed::tensor(attention, {1, 4, 4});
  call.need_weights = true;

  static heed::MultiheadAttention mha;
  heed::Error error;
  if (!mha.init_packed(config, lecture_packed_weights, error) ||
      heed_weights_verify(mha.plan(), lecture_packed_weights, sizeof lecture_packed_weights, &error) != HEED_OK ||
      !mha.forward(call, workspace, error)) {
    board_write(error.message);
    board_write("\n");
    return 1;
  }
  const uint32_t hash = hash_floats(hash_floats(HASH_BEGIN, output, 4 * 8), attention, 4 * 4);
  board_write("hash ");
  board_write_hex(hash);
  board_write(hash != desktop_hash ? ": not the desktop's bits\n" : "\n");
  return hash == desktop_hash ? 0 : 1;
}
