#!/usr/bin/env python3
"""Writes torch_errors.txt: how far PyTorch's float32 is from float64 on the problems of the accuracy test.

    python torch_errors.py > torch_errors.txt      (torch==2.13.0, numpy; CPU; seconds)

The test (../numbers_test.cpp) makes the same problems, from the same random numbers, and holds heed to
twice these errors. Errors are relative to the largest output; of several problems of a size, the largest counts.
"""
import numpy as np
import torch
from torch import nn

EXPECTED_TORCH = "2.13.0"
QUERIES = 5
GOLDEN_RATIO = 0x9E3779B97F4A7C15


class Random:
    """As ../support.hpp has it: splitmix64, its upper 24 bits as a float32 in [-1, 1)."""

    def __init__(self, seed):
        self.state = (seed * GOLDEN_RATIO + 1) % 2**64

    def floats(self, shape, bound):
        n = int(np.prod(shape))
        z = np.uint64(self.state) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(GOLDEN_RATIO)
        self.state = int(z[-1])
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        unit = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
        return (unit * np.float32(bound)).reshape(shape)


def answer(tensors, weights, heads, dtype):
    module = nn.MultiheadAttention(weights["out_proj.bias"].size, heads, batch_first=True, dtype=dtype)
    module.load_state_dict({name: torch.from_numpy(w).to(dtype) for name, w in weights.items()}, strict=True)
    q, k, v = (torch.from_numpy(x)[None].to(dtype) for x in tensors)
    return module.eval()(q, k, v, need_weights=False)[0][0].numpy().astype(np.float64)


def relative_error(embed_dim, heads, keys, problem):
    random = Random((problem * 5000 + embed_dim) * 5000 + keys)
    tensors = [random.floats((n, embed_dim), 1.7) for n in (QUERIES, keys, keys)]
    bound = np.sqrt(np.float32(3) / np.float32(embed_dim))
    weights = {"in_proj_weight": random.floats((3 * embed_dim, embed_dim), bound),
               "out_proj.weight": random.floats((embed_dim, embed_dim), bound),
               "in_proj_bias": random.floats((3 * embed_dim,), 0.5),
               "out_proj.bias": random.floats((embed_dim,), 0.5)}
    exact = answer(tensors, weights, heads, torch.float64)
    return np.abs(answer(tensors, weights, heads, torch.float32) - exact).max() / np.abs(exact).max()


def main():
    assert torch.__version__.split("+")[0] == EXPECTED_TORCH, torch.__version__
    torch.backends.mha.set_fastpath_enabled(False)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    print(f"# PyTorch {EXPECTED_TORCH}, float32 against float64: embed_dim num_heads keys problems error/max|out|.")
    print("# Written by torch_errors.py.")
    for embed_dim in (16, 64, 256, 1024):
        for keys in (4, 16, 64, 256, 1024):
            for heads in sorted({embed_dim // 16, (embed_dim + 127) // 128}):
                problems = 1 if embed_dim == 1024 else 8
                worst = max(relative_error(embed_dim, heads, keys, i) for i in range(problems))
                print(embed_dim, heads, keys, problems, f"{worst:.3g}")


main()
