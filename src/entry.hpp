// entry.hpp - one batch entry of a job, as its slices see it.
#pragma once
#include "job.hpp"

namespace heed {

struct Entry {
  const Job& job;
  const Geometry& g;
  const WorkspaceLayout& w;
  uint32_t n;                          // which
  uint32_t slots, positions;           // as in AttendArgs
  const uint8_t* visible = nullptr;    // per position
  const float* position_bias = nullptr;
  uint32_t first_group = 0, groups = 0;  // of the turn, when slices share tokens

  Entry(const Job& j, uint32_t entry)
      : job(j), g(j.plan->geometry), w(j.plan->workspace), n(entry), slots(j.plan->geometry.extra_slots()),
        positions(slots + j.keys) {}

  unsigned char* slice(uint32_t i) const { return job.workspace + w.slices + i * w.slice_bytes; }
  float* floats(uint32_t i, uint64_t offset) const { return reinterpret_cast<float*>(slice(i) + offset); }
  float* heads_row(uint32_t row) const {
    return reinterpret_cast<float*>(job.workspace + w.heads) + row * w.heads_stride;
  }
  const float* packed(uint64_t offset) const { return reinterpret_cast<const float*>(job.weights + offset); }
  // Slice i's part of n units.
  uint32_t part(uint32_t n_units, uint32_t i) const {
    return uint32_t(uint64_t(n_units) * i / g.slices);
  }
};

// positions.cpp: which keys are there, and what is added to their scores.
void find_positions(Entry& e);

// small.cpp: whole entries of modules that are small, where nothing is masked.
bool is_small(const Job& job);
void run_small(const Entry& e);

}  // namespace heed
