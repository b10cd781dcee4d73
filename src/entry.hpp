// entry.hpp - one batch entry of a job, as its slices see it.
#pragma once
#include "job.hpp"

namespace heed {

// Floats begin at multiples of HEED_ALIGNMENT in a workspace and in weights: no cast of alignments.
inline float* floats(unsigned char* memory, size_t offset) {
  void* at = memory + offset;
  return static_cast<float*>(at);
}
inline const float* floats(const unsigned char* memory, size_t offset) {
  const void* at = memory + offset;
  return static_cast<const float*>(at);
}

struct Entry {
  const Job& job;
  const Geometry& g;
  const WorkspaceLayout& w;
  uint32_t n;                          // which
  uint32_t slots, positions;           // as in AttendArgs
  const uint8_t* visible = nullptr;    // per position
  const float* position_bias = nullptr;
  uint32_t first_group = 0, groups = 0;  // of the turn, when slices share tokens
  // Only where masks differ between queries (or heads) can a value be hidden from one and seen
  // by another; there 0 * NaN must not happen.
  bool may_hide_values;

  Entry(const Job& j, uint32_t entry)
      : job(j),
        g(j.plan->geometry),
        w(j.plan->workspace),
        n(entry),
        slots(j.plan->geometry.extra_slots()),
        positions(slots + j.keys),
        may_hide_values((kWithMasks || kWithCausal) &&
                        (j.mask_head != 0 || (j.queries > 1 && (j.causal || j.mask.data)))) {}

  unsigned char* slice(uint32_t i) const { return job.workspace + w.slices + i * w.slice_bytes; }
  float* heads_row(uint32_t row) const { return floats(job.workspace, w.heads) + row * size_t(w.heads_stride); }
  const float* packed(size_t offset) const { return floats(job.weights, offset); }
  uint32_t slices() const { return kWithSlices ? g.slices : 1; }
  bool projects() const { return !kWithSdpa || g.projects(); }
  // Slice i's part of n units: n * i / slices, without 64-bit division.
  uint32_t part(uint32_t n_units, uint32_t i) const {
    return n_units / slices() * i + n_units % slices() * i / slices();
  }
};

// positions.cpp: which keys are there, and what is added to their scores.
void find_positions(Entry& e);

// small.cpp: a whole job, if the module is small and nothing is masked.
bool run_small(const Job& job);

}  // namespace heed
