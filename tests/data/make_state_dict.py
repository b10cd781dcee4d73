#!/usr/bin/env python3
"""Writes state_dicts as PyTorch itself writes them, with what PyTorch answers for them.

    python make_state_dict.py [DIR]      (torch==2.13.0, numpy, safetensors; DIR: default here)

encoder_layer.safetensors  the whole state_dict of a nn.TransformerEncoderLayer: heed must find
                           its attention under the prefix "self_attn." among other tensors
query.npy                  (2,11,48) float32, batch_first
key_padding_mask.npy       (2,11) bool, True = ignore
expected_output.npy        (2,11,48) float32: layer.self_attn(query, query, query, ...), eval mode
expected_weights.npy       (2,11,11) float32, averaged over the heads
lecture.safetensors        the lecture's MultiheadAttention(8, 2): state_dict, X, attn_output, attn_weights
"""
import os
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

EXPECTED_TORCH = "2.13.0"

# The lecture's printed numbers (torch-semantics.md, golden test 0).
LECTURE_X0 = [0.6814, 0.3330, 0.3603, 0.6477, 0.9110, 0.6359, 0.2634, 0.2650]
LECTURE_OUTPUT = [[0.0371, -0.0003, 0.0308, -0.0156, 0.0638, -0.0011, -0.0370, 0.0329],
                  [0.0410, -0.0081, 0.0399, -0.0159, 0.0690, -0.0020, -0.0392, 0.0409],
                  [0.0385, -0.0004, 0.0322, -0.0143, 0.0650, 0.0003, -0.0388, 0.0346],
                  [0.0398, -0.0007, 0.0333, -0.0137, 0.0671, 0.0011, -0.0399, 0.0359]]
LECTURE_WEIGHTS = [[0.2563, 0.2470, 0.2437, 0.2530],
                   [0.2554, 0.2512, 0.2436, 0.2498],
                   [0.2536, 0.2448, 0.2509, 0.2507],
                   [0.2554, 0.2424, 0.2496, 0.2525]]


def encoder_layer(directory):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(d_model=48, nhead=4, dim_feedforward=8, dropout=0.0, batch_first=True)
    train_a_little(layer)
    layer.eval()

    query = torch.randn(2, 11, 48)
    mask = torch.zeros(2, 11, dtype=torch.bool)
    mask[0, 8:] = True        # right padding
    mask[1, [0, 4, 5]] = True  # holes; a key is left everywhere, so that no row is NaN
    with torch.no_grad():
        output, weights = layer.self_attn(query, query, query, key_padding_mask=mask, need_weights=True)
        exact, _ = nn.MultiheadAttention.forward(layer.self_attn.double(), *[query.double()] * 3, key_padding_mask=mask)
        layer.self_attn.float()
    assert output.isfinite().all() and weights.isfinite().all()
    assert (output - exact).abs().max() < 1e-5
    assert all(x.abs().max() > 1e-3 for x in layer.state_dict().values()), "a tensor of zeros tests nothing"

    save_file(layer.state_dict(), os.path.join(directory, "encoder_layer.safetensors"))
    for name, x in (("query", query), ("key_padding_mask", mask), ("expected_output", output),
                    ("expected_weights", weights)):
        np.save(os.path.join(directory, name + ".npy"), np.ascontiguousarray(x.numpy()))


def train_a_little(layer):
    """A fresh layer's biases are zero, and a reader that forgets or swaps them would pass."""
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    x, target = torch.randn(8, 5, 48), torch.randn(8, 5, 48)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.mse_loss(layer(x), target).backward()
        optimizer.step()


def lecture(directory):
    torch.manual_seed(0)
    mha = nn.MultiheadAttention(8, 2, batch_first=True)
    X = torch.rand(1, 4, 8)
    with torch.no_grad():
        output, weights = mha.eval()(X, X, X)
    for x, printed in ((X[0, 0], LECTURE_X0), (output[0], LECTURE_OUTPUT), (weights[0], LECTURE_WEIGHTS)):
        np.testing.assert_array_equal(np.round(x.double().numpy(), 4), np.array(printed))
    save_file({**mha.state_dict(), "X": X, "attn_output": output.contiguous(), "attn_weights": weights.contiguous()},
              os.path.join(directory, "lecture.safetensors"))


def main(directory):
    if torch.__version__.split("+")[0] != EXPECTED_TORCH:
        sys.exit(f"torch {EXPECTED_TORCH} is wanted, this is {torch.__version__}")
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    encoder_layer(directory)
    lecture(directory)
    for file in ("encoder_layer.safetensors", "lecture.safetensors"):
        path = os.path.join(directory, file)
        print(f"{file}: {os.path.getsize(path)} bytes")
        for name, x in load_file(path).items():
            print(f"    {name} {tuple(x.shape)} {x.dtype}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
