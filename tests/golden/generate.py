#!/usr/bin/env python3
"""Writes golden.safetensors: what PyTorch answers, for heed's tests to compare with.

    python generate.py OUT          (torch==2.13.0, numpy, safetensors; CPU; about a minute)

Every case is one call of nn.MultiheadAttention (op "mha") or
F.scaled_dot_product_attention (op "sdpa"). The answer is PyTorch's slow path in
float64 over float32 inputs, so that it is exact for the purposes of a float32
library; PyTorch's own float32 distance from it is in the JSON, as a yardstick.
Each answer is checked against an independent numpy implementation (`numpy_mha`,
`numpy_sdpa`) before it is written. See README.md for the format.
"""
import json
import math
import struct
import sys
import time
import warnings
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

EXPECTED_TORCH = "2.13.0"
SEED = 20240
FLOAT32_MIN = float(np.finfo(np.float32).min)

# The fast path answers differently (NaN rows, dropped causal masks: torch-semantics
# F1, F10..F14) and takes only some of the options; the slow path is the norm.
torch.backends.mha.set_fastpath_enabled(False)
torch.set_num_threads(1)
torch.set_grad_enabled(False)
warnings.filterwarnings("ignore")  # mixed mask dtypes are deprecated, and wanted here


# --------------------------------------------------------------------------
# The file in the making: shared module weights, tensors, case descriptions.
# --------------------------------------------------------------------------

class Golden:
    def __init__(self):
        self.cases = []
        self.tensors = {}
        self.weight_ids = {}   # (E, kdim, vdim, bias, add_bias_kv, flavour) -> "wMM"
        self.weight_sets = {}  # "wMM" -> {state_dict name: float32 array}

    def next_id(self):
        return f"{len(self.cases):03d}"

    def rng(self):
        """One stream per case: adding a case at the end changes no other case."""
        return np.random.default_rng([SEED, len(self.cases)])

    def weights(self, E, kdim, vdim, bias, add_bias_kv, flavour):
        """The weights do not depend on num_heads or add_zero_attn, so few sets serve many cases."""
        key = (E, kdim or E, vdim or E, bias, add_bias_kv, flavour)
        if key not in self.weight_ids:
            name = f"w{len(self.weight_ids):02d}"
            self.weight_ids[key] = name
            self.weight_sets[name] = make_weights(
                np.random.default_rng([SEED, 1 << 20, len(self.weight_ids)]), *key)
            for k, v in self.weight_sets[name].items():
                self.tensors[f"{name}/{k}"] = v
        return self.weight_ids[key]


def make_weights(rng, E, kdim, vdim, bias, add_bias_kv, flavour):
    """Float32 arrays under exact state_dict names, in state_dict order."""
    def uniform(rows, cols, gain):  # xavier/kaiming-like; the gain makes softmax rows clearly non-flat
        bound = gain * math.sqrt(3.0 / cols)
        return rng.uniform(-bound, bound, (rows, cols)).astype(np.float32)

    def normal(*shape, std):
        return (std * rng.standard_normal(shape)).astype(np.float32)

    w = {}
    if kdim == E and vdim == E:
        w["in_proj_weight"] = uniform(3 * E, E, 1.0)
    else:
        w["q_proj_weight"] = uniform(E, E, 1.0)
        w["k_proj_weight"] = uniform(E, kdim, 1.0)
        w["v_proj_weight"] = uniform(E, vdim, 1.0)
    if bias:  # PyTorch's initial biases are zero and would hide a bias that is forgotten
        w["in_proj_bias"] = normal(3 * E, std=0.3)
        if flavour == "whisper":  # Whisper has no key bias; its rows are filled with zeros
            w["in_proj_bias"][E:2 * E] = 0
    if add_bias_kv:
        w["bias_k"] = normal(1, 1, E, std=1.0)
        w["bias_v"] = normal(1, 1, E, std=1.0)
    w["out_proj.weight"] = uniform(E, E, 0.8)
    if bias:
        w["out_proj.bias"] = normal(E, std=0.3)
    return w


# --------------------------------------------------------------------------
# Masks. A mask maker is a function of a `Dims`, so a builder can name the kind
# of mask before the shapes are known. MHA bool masks: True = hidden.
# --------------------------------------------------------------------------

class Dims:
    def __init__(self, rng, N, H, L, S, unbatched):
        self.rng, self.N, self.H, self.L, self.S = rng, N, H, L, S
        self.unbatched = unbatched
        # One key no random mask hides, the same in both masks: rows end up fully
        # masked only where a builder asks for it.
        self.keep = int(rng.integers(S)) if S else 0

    def attn_shape(self, three_d):
        return (self.N * self.H, self.L, self.S) if three_d else (self.L, self.S)

    def kpm_shape(self):
        return (self.S,) if self.unbatched else (self.N, self.S)

    def random_hidden(self, shape, p):
        hidden = self.rng.random(shape) < p
        if self.S:
            hidden[..., self.keep] = False
        return hidden


def random_bool(d, shape, p=0.35):
    return d.random_hidden(shape, p)


def random_float(d, shape, inf=0.0):
    m = (1.5 * d.rng.standard_normal(shape)).astype(np.float32)
    m[d.random_hidden(shape, inf)] = -np.inf
    return m


def attn_bool(three_d=False, p=0.35):
    return lambda d: random_bool(d, d.attn_shape(three_d), p)


def attn_float(three_d=False, inf=0.0):
    return lambda d: random_float(d, d.attn_shape(three_d), inf)


def kpm_bool(p=0.35):
    return lambda d: random_bool(d, d.kpm_shape(), p)


def kpm_float(inf=0.0):
    return lambda d: random_float(d, d.kpm_shape(), inf)


def kpm_lengths(*lengths):
    """Right padding: entry n has lengths[n] keys."""
    def make(d):
        n = np.resize(lengths, d.N)
        m = np.arange(d.S)[None, :] >= n[:, None]
        return m[0] if d.unbatched else m
    return make


def fill(where, value, three_d=False, background=0.0):
    """A float (or, for value True, bool) attn_mask with `value` at m[where]."""
    def make(d):
        shape = d.attn_shape(three_d)
        if value is True:
            m = np.zeros(shape, bool)
        else:
            m = np.full(shape, background, np.float32)
        m[where(d) if callable(where) else where] = value
        return m
    return make


def fill_kpm(where, value):
    def make(d):
        m = np.zeros(d.kpm_shape(), bool if value is True else np.float32)
        m[where] = value
        return m
    return make


ALL = np.s_[...]


def rows(*index):
    return (Ellipsis, list(index), slice(None))


def keys(a, b):
    return (Ellipsis, slice(a, b))


# --------------------------------------------------------------------------
# The independent implementation (torch-semantics a.4), in plain numpy float64.
# --------------------------------------------------------------------------

def hidden_by_causal(L, S, causal, offset):
    """Query i sees keys 0..i+offset."""
    if causal == "none":
        return np.zeros((L, S), bool)
    return np.arange(S)[None, :] > np.arange(L)[:, None] + offset


def additive(mask, true_hides=True):
    if mask is None:
        return 0.0
    if mask.dtype == bool:
        return np.where(mask if true_hides else ~mask, -np.inf, 0.0)
    return mask.astype(np.float64)


def numpy_head(q, k, v, bias, scale, policy):
    """One head: (L,D),(S,D),(S,Dv), bias (L,S) -> output, weights, number of fully masked rows."""
    L, S = bias.shape
    if S == 0:  # no keys at all is not "masked": the attention is zero under either policy
        return np.zeros((L, v.shape[1])), np.zeros((L, 0)), 0
    scores = (q @ k.T) * scale + bias
    dead = np.all(scores == -np.inf, axis=1)
    p = np.exp(scores - np.where(dead, 0.0, scores.max(axis=1))[:, None])
    p /= np.where(dead, 1.0, p.sum(axis=1))[:, None]
    p[dead] = np.nan if policy == "nan" else 0.0
    return p @ v, p, int(dead.sum())


def numpy_mha(case, w, query, key, value, attn_mask, kpm):
    """-> output, weights (averaged or not, as the case says), fully masked (n,h,l) rows."""
    E, H = case["embed_dim"], case["num_heads"]
    D = E // H
    q, k, v = (x.astype(np.float64) for x in (query, key, value))
    if case["unbatched"]:
        q, k, v = q[None], k[None], v[None]
        kpm = None if kpm is None else kpm[None]
    elif not case["batch_first"]:
        q, k, v = (x.swapaxes(0, 1) for x in (q, k, v))
    N, L, S = q.shape[0], q.shape[1], k.shape[1]
    w = {name: x.astype(np.float64) for name, x in w.items()}
    if "in_proj_weight" in w:
        Wq, Wk, Wv = (w["in_proj_weight"][i * E:(i + 1) * E] for i in range(3))
    else:
        Wq, Wk, Wv = w["q_proj_weight"], w["k_proj_weight"], w["v_proj_weight"]
    b = w.get("in_proj_bias", np.zeros(3 * E))
    Q, K, V = q @ Wq.T + b[:E], k @ Wk.T + b[E:2 * E], v @ Wv.T + b[2 * E:]
    slots = 0
    if case["add_bias_kv"]:  # appended after projection, not projected itself
        K = np.concatenate([K, np.broadcast_to(w["bias_k"], (N, 1, E))], 1)
        V = np.concatenate([V, np.broadcast_to(w["bias_v"], (N, 1, E))], 1)
        slots += 1
    if case["add_zero_attn"]:
        K = np.concatenate([K, np.zeros((N, 1, E))], 1)
        V = np.concatenate([V, np.zeros((N, 1, E))], 1)
        slots += 1
    causal = np.where(hidden_by_causal(L, S, case["causal"], case["causal_offset"]), -np.inf, 0.0)
    heads = np.zeros((N, L, E))
    weights = np.zeros((N, H, L, S + slots))
    dead = 0
    for n in range(N):
        for h in range(H):
            m = additive(attn_mask)
            if np.ndim(m) == 3:
                m = m[n * H + h]
            bias = causal + m + (0.0 if kpm is None else additive(kpm[n])[None, :])
            bias = np.pad(bias, ((0, 0), (0, slots)))  # extra slots are always visible
            c = slice(h * D, (h + 1) * D)
            heads[n, :, c], weights[n, h], x = numpy_head(
                Q[n, :, c], K[n, :, c], V[n, :, c], bias, 1 / math.sqrt(D), case["fully_masked"])
            dead += x
    out = heads @ w["out_proj.weight"].T + w.get("out_proj.bias", 0.0)
    if case["average_attn_weights"]:
        weights = weights.mean(1)
    if case["unbatched"]:
        out, weights = out[0], weights[0]
    elif not case["batch_first"]:
        out = out.swapaxes(0, 1)
    return out, weights, dead


def numpy_sdpa(case, q, k, v, mask):
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    N, H, L, D = q.shape
    Hk, S = k.shape[1], k.shape[2]
    scale = 1 / math.sqrt(D) if case["scale"] is None else case["scale"]
    bias = np.where(hidden_by_causal(L, S, case["causal"], case["causal_offset"]), -np.inf, 0.0)
    bias = np.broadcast_to(bias + additive(mask, true_hides=False), (N, H, L, S))
    out = np.zeros((N, H, L, v.shape[3]))
    dead = 0
    for n in range(N):
        for h in range(H):
            g = h // (H // Hk)
            out[n, h], _, x = numpy_head(q[n, h], k[n, g], v[n, g], bias[n, h], scale, "zero")
            dead += x
    return out, dead


# --------------------------------------------------------------------------
# PyTorch's answers.
# --------------------------------------------------------------------------

def to_torch(x, dtype):
    """Floats become `dtype`; bool masks stay bool."""
    if x is None:
        return None
    t = torch.from_numpy(np.array(x))
    return t if t.dtype == torch.bool else t.to(dtype)


def absorbed(mask):
    """The mask for the float64 run of a case with -1e9 in it.

    In float32, -1e9 + score == -1e9: a row of it means a uniform row (F4). float64
    has the bits to keep the score, and would answer a question no float32 library
    is asked. -1e30 is absorbed in float64 just so.
    """
    if mask is None or mask.dtype == bool:
        return mask
    return np.where(mask == np.float32(-1e9), np.float32(-1e30), mask)


def mask_with_causal(mask, L, S, causal, offset, true_hides=True):
    """PyTorch gets causal as an explicit mask only: its is_causal is a hint (F11) that
    also hides the bias and zero slots (F14); an explicit mask keeps them visible."""
    if causal == "none":
        return mask
    hidden = hidden_by_causal(L, S, causal, offset)
    if mask is None:
        return hidden if true_hides else ~hidden
    if mask.dtype == bool:
        return (mask | hidden) if true_hides else (mask & ~hidden)
    return np.where(hidden, np.float32(-np.inf), mask)


def torch_mha(case, w, query, key, value, attn_mask, kpm, dtype):
    m = nn.MultiheadAttention(
        case["embed_dim"], case["num_heads"], bias=case["bias"], add_bias_kv=case["add_bias_kv"],
        add_zero_attn=case["add_zero_attn"], kdim=case["kdim"], vdim=case["vdim"],
        batch_first=case["batch_first"], dtype=dtype)
    m.load_state_dict({k: to_torch(v, dtype) for k, v in w.items()}, strict=True)
    m.eval()
    attn_mask = mask_with_causal(attn_mask, case["query_len"], case["key_len"],
                                 case["causal"], case["causal_offset"])
    out, weights = m(
        to_torch(query, dtype), to_torch(key, dtype), to_torch(value, dtype),
        key_padding_mask=to_torch(kpm, dtype), attn_mask=to_torch(attn_mask, dtype),
        need_weights=case["need_weights"], average_attn_weights=case["average_attn_weights"])
    return out.numpy(), None if weights is None else weights.numpy()


def torch_sdpa(case, q, k, v, mask, dtype):
    L, S = case["query_len"], case["key_len"]
    # is_causal alone is top-left (S4) and refuses a mask beside it (S3). Not with scale
    # <= 0: PyTorch 2.13's flash kernel scales after it wrote -inf, and -inf * 0 is NaN
    # (its math backend, and its flash kernel with an explicit mask, answer rightly).
    by_flag = case["causal"] == "top_left" and mask is None and (case["scale"] is None or case["scale"] > 0)
    if not by_flag:
        mask = mask_with_causal(mask, L, S, case["causal"], case["causal_offset"], true_hides=False)
    return F.scaled_dot_product_attention(
        to_torch(q, dtype), to_torch(k, dtype), to_torch(v, dtype), attn_mask=to_torch(mask, dtype),
        is_causal=by_flag, scale=case["scale"], enable_gqa=case["enable_gqa"]).numpy()


def max_error(a, exact):
    """Over finite elements. Where one answer is NaN the other must be, too."""
    if a is None:
        return None
    assert a.shape == exact.shape, (a.shape, exact.shape)
    assert not np.isinf(a).any() and not np.isinf(exact).any()
    assert np.array_equal(np.isnan(a), np.isnan(exact)), "NaN in different places"
    ok = ~np.isnan(exact)
    return float(np.abs(a[ok].astype(np.float64) - exact[ok]).max(initial=0.0))


def check_same(a, exact, tolerance, what):
    err = max_error(a, exact)
    size = max(1.0, float(np.nanmax(np.abs(exact), initial=0.0)))
    assert err <= tolerance * size, f"{what}: {err}"


# --------------------------------------------------------------------------
# One case of each kind: make the inputs, ask PyTorch, check, record.
# --------------------------------------------------------------------------

def mha(g, group, E, H, L, S=None, N=2, *, inputs="self", need="avg", bias=True, add_bias_kv=False,
        add_zero_attn=False, kdim=None, vdim=None, batch_first=True, unbatched=False, attn=None,
        kpm=None, causal="none", offset=0, flavour="normal", edit=None, torch_refuses=False, note=""):
    """inputs: "self" (q=k=v), "cross" (k=v), "qkv" (all differ), "qk" (q=k, v its own).
    need: "avg" / "heads" (need_weights, averaged or not), "no".
    edit: changes (query, key, value) in place before use."""
    rng = g.rng()
    S = L if S is None else S
    assert inputs in ("cross", "qkv") or S == L
    assert inputs != "self" or (kdim or E) == (vdim or E) == E
    N = 1 if unbatched else N

    def tokens(length, width):
        shape = (length, width) if unbatched else (N, length, width) if batch_first else (length, N, width)
        return rng.standard_normal(shape).astype(np.float32)

    query = tokens(L, E)
    key = query if inputs in ("self", "qk") else tokens(S, kdim or E)
    value = key if inputs in ("self", "cross") else tokens(S, vdim or E)
    if edit:
        edit(query, key, value)
    d = Dims(rng, N, H, L, S, unbatched)
    attn_mask = attn(d) if attn else None
    key_padding_mask = kpm(d) if kpm else None

    # bottom_right counts real keys only, without the bias and zero slots
    offset = {"none": 0, "top_left": 0, "bottom_right": S - L, "offset": offset}[causal]
    wid = g.weights(E, kdim, vdim, bias, add_bias_kv, flavour)
    w = g.weight_sets[wid]
    case = dict(
        id=g.next_id(), op="mha", group=group, weights=wid, embed_dim=E, num_heads=H, num_kv_heads=H,
        head_dim=E // H, v_head_dim=E // H, kdim=kdim, vdim=vdim, bias=bias, add_bias_kv=add_bias_kv,
        add_zero_attn=add_zero_attn, batch_first=batch_first, unbatched=unbatched, batch=N,
        query_len=L, key_len=S, need_weights=need != "no", average_attn_weights=need != "heads",
        causal=causal, causal_offset=offset, fully_masked="zero" if need == "no" else "nan",
        scale=None, enable_gqa=False, note=note)

    masks64 = absorbed(attn_mask), absorbed(key_padding_mask)
    hand, hand_weights, dead = numpy_mha(case, w, query, key, value, *masks64)
    if need == "no":
        hand_weights = None
    if torch_refuses:  # F17: no reason to refuse, so the answer is the formula's
        try:
            torch_mha(case, w, query, key, value, *masks64, torch.float64)
            raise AssertionError(f"PyTorch no longer refuses {case}")
        except RuntimeError:
            out, weights, err, werr = hand, hand_weights, None, None
    else:
        out, weights = torch_mha(case, w, query, key, value, *masks64, torch.float64)
        check_same(out, hand, 1e-10, f"{case} output")
        if weights is not None:
            check_same(weights, hand_weights, 1e-10, f"{case} weights")
        out32, weights32 = torch_mha(case, w, query, key, value, attn_mask, key_padding_mask, torch.float32)
        check_same(out32, out, 1e-4, f"{case} float32 output")  # catches float64 answering another question
        err, werr = max_error(out32, out), max_error(weights32, weights)
    assert need == "no" or weights is not None
    case.update(fully_masked_rows=dead, by_hand=torch_refuses,
                torch_error_output=err, torch_error_weights=werr)
    record(g, case, query=query, key=None if key is query else key, value=None if value is key else value,
           attn_mask=attn_mask, key_padding_mask=key_padding_mask, output=out, weights=weights)


def sdpa(g, group, N, H, L, S, D, *, Hk=None, Dv=None, scale=None, causal="none", offset=0, mask=None,
         note=""):
    """mask: a function of a Dims and nothing else; bool True = PARTICIPATE, as in PyTorch."""
    rng = g.rng()
    Hk, Dv = Hk or H, Dv or D

    def tokens(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    query, key, value = tokens(N, H, L, D), tokens(N, Hk, S, D), tokens(N, Hk, S, Dv)
    attn_mask = mask(Dims(rng, N, H, L, S, False)) if mask else None
    offset = {"none": 0, "top_left": 0, "bottom_right": S - L, "offset": offset}[causal]
    case = dict(
        id=g.next_id(), op="sdpa", group=group, weights=None, embed_dim=H * D, num_heads=H, num_kv_heads=Hk,
        head_dim=D, v_head_dim=Dv, kdim=None, vdim=None, bias=False, add_bias_kv=False,
        add_zero_attn=False, batch_first=True, unbatched=False, batch=N, query_len=L, key_len=S,
        need_weights=False, average_attn_weights=True, causal=causal, causal_offset=offset,
        fully_masked="zero", scale=scale, enable_gqa=Hk != H, note=note)
    mask64 = absorbed(attn_mask)
    hand, dead = numpy_sdpa(case, query, key, value, mask64)
    out = torch_sdpa(case, query, key, value, mask64, torch.float64)
    check_same(out, hand, 1e-10, f"{case} output")
    out32 = torch_sdpa(case, query, key, value, attn_mask, torch.float32)
    check_same(out32, out, 1e-4, f"{case} float32 output")
    case.update(fully_masked_rows=dead, by_hand=False,
                torch_error_output=max_error(out32, out), torch_error_weights=None)
    record(g, case, query=query, key=key, value=value, attn_mask=attn_mask, output=out)


def record(g, case, **tensors):
    for name, x in tensors.items():
        if x is None:
            continue
        dtype = bool if x.dtype == bool else np.float64 if name in ("output", "weights") else np.float32
        if x.dtype != bool and name not in ("output", "weights"):
            assert "mask" in name or np.isfinite(x).all(), "inputs are finite: PyTorch leaks NaN (F7), heed does not"
            assert not np.isnan(x).any() and not np.isposinf(x).any()
        g.tensors[f"{case['id']}/{name}"] = np.ascontiguousarray(x, dtype)
    g.cases.append(case)


NEED = ("avg", "heads", "no")
SMALL_MASKS = (  # (attn_mask, key_padding_mask) in every combination of kinds that matters
    (None, None),
    (attn_bool(), None),
    (None, kpm_bool()),
    (attn_float(), None),
    (attn_bool(three_d=True), kpm_bool()),
    (attn_float(three_d=True, inf=0.2), None),
    (None, kpm_float()),
    (attn_float(inf=0.2), kpm_bool()),        # mixed dtypes
    (attn_bool(), kpm_float(inf=0.2)),        # mixed the other way
    (attn_bool(three_d=True), None),
    (attn_float(three_d=True), kpm_float(inf=0.2)),
)


# --------------------------------------------------------------------------
# MHA cases.
# --------------------------------------------------------------------------

def head_dims(g):
    """Every head_dim an inner loop may treat in a way of its own (odd, < a vector, remainders)."""
    shapes = [(12, 12), (12, 6), (12, 4), (12, 3), (12, 2), (12, 1), (24, 12), (24, 8), (24, 6), (24, 4),
              (24, 3), (24, 2), (24, 1), (35, 7), (35, 5), (33, 11), (40, 10), (27, 9), (48, 12), (48, 6),
              (48, 4), (48, 3), (48, 1), (60, 5), (60, 3), (60, 2), (60, 1), (64, 8), (64, 4), (64, 2),
              (64, 1), (72, 9), (72, 3), (72, 2), (44, 1), (88, 2), (80, 10), (80, 2), (80, 1),
              (128, 1), (128, 2), (128, 4), (5, 1), (7, 1), (3, 3), (1, 1)]
    for i, (E, H) in enumerate(shapes):
        big = E >= 60
        mha(g, "head_dims", E, H, 3 if big else 5, N=1 if big else 2, need=NEED[i % 3], batch_first=i % 2 == 0)
        mha(g, "head_dims", E, H, 2 if big else 4, 4 if big else 6, N=1, inputs=("cross", "qkv")[i % 2],
            need=NEED[(i + 1) % 3], batch_first=i % 2 == 1, attn=SMALL_MASKS[i % 11][0], kpm=SMALL_MASKS[i % 11][1])


def option_lattice(g):
    """The full product of the constructor's switches; need_weights and masks go round beside it."""
    i = 0
    for bias in (True, False):
        for add_bias_kv in (False, True):
            for add_zero_attn in (False, True):
                for batch_first in (True, False):
                    for kdim, vdim in ((None, None), (10, None), (None, 7), (9, 14)):
                        attn, kpm = SMALL_MASKS[i % 11]
                        mha(g, "option_lattice", 12, (2, 3, 4)[i % 3], 4, 5, N=1 + i % 3, inputs="qkv",
                            need=NEED[i // 2 % 3], bias=bias, add_bias_kv=add_bias_kv,
                            add_zero_attn=add_zero_attn, batch_first=batch_first, kdim=kdim, vdim=vdim,
                            attn=attn, kpm=kpm)
                        i += 1


def separate_dims(g):
    """kdim/vdim beyond the lattice: shared key/value, kdim == E given by hand, unbatched."""
    mha(g, "separate_dims", 12, 3, 4, kdim=12, vdim=12, note="kdim = vdim = E given: the packed module")
    mha(g, "separate_dims", 12, 3, 4, 6, inputs="qkv", kdim=12, note="kdim = E given: the packed module")
    mha(g, "separate_dims", 12, 4, 4, 6, inputs="cross", kdim=9, vdim=9, need="heads", note="value is key")
    mha(g, "separate_dims", 12, 4, 4, 6, inputs="cross", kdim=9, vdim=9, need="no", batch_first=False,
        note="value is key")
    mha(g, "separate_dims", 12, 2, 5, inputs="qk", vdim=7, note="key is query, value has its own width")
    mha(g, "separate_dims", 12, 3, 3, 5, inputs="qkv", kdim=1, vdim=40, need="heads", note="extreme widths")
    mha(g, "separate_dims", 12, 3, 3, 5, inputs="qkv", kdim=40, vdim=1, need="no", note="extreme widths")
    mha(g, "separate_dims", 12, 3, 3, 5, inputs="qkv", kdim=9, vdim=14, unbatched=True)
    mha(g, "separate_dims", 12, 3, 3, 5, inputs="qkv", kdim=10, unbatched=True, need="no")
    mha(g, "separate_dims", 24, 3, 3, 5, inputs="qkv", kdim=16, vdim=33, bias=False, attn=attn_bool())
    mha(g, "separate_dims", 24, 4, 3, 5, inputs="qkv", kdim=24, vdim=33, need="no", kpm=kpm_bool(),
        note="kdim = E given, vdim differs: separate weights")


def which_inputs(g):
    """query/key/value sharing: an implementation may merge projections when tensors are the same."""
    for i, inputs in enumerate(("self", "qk", "cross", "qkv")):
        for batch_first in (True, False):
            mha(g, "which_inputs", 20, 4, 6, N=2, inputs=inputs, need=NEED[i % 3], batch_first=batch_first,
                note="L = S")
    for inputs in ("cross", "qkv"):
        for bias in (True, False):
            mha(g, "which_inputs", 20, 5, 6, 3, N=3, inputs=inputs, bias=bias, need="no", batch_first=bias)


def lengths(g):
    """L and S across the sizes of register tiles; every second pair of the grid."""
    sizes = (1, 2, 3, 5, 8, 13, 17, 33)
    for i, L in enumerate(sizes):
        for j, S in enumerate(sizes):
            if (i + j) % 2 == 0:
                mha(g, "lengths", 12, (1, 2, 3, 4, 6)[(i * 3 + j) % 5], L, S, N=1 if L * S > 120 else 1 + (i + j) // 2 % 4,
                    inputs="cross", need=NEED[(i + j // 2) % 3], batch_first=i % 2 == 0)
    for L in (4, 7, 16, 19, 24, 31, 50, 65):
        mha(g, "lengths", 12, 3, L, N=1, need="no" if L > 20 else "avg", kpm=kpm_bool() if L % 2 else None)
    mha(g, "lengths", 12, 2, 150, N=1, need="no", note="L = S = 150")
    mha(g, "lengths", 12, 2, 150, N=1, need="no", causal="top_left", note="L = S = 150, causal")
    mha(g, "lengths", 12, 3, 150, 4, N=1, inputs="cross", need="avg", note="many queries, few keys")
    mha(g, "lengths", 12, 3, 1, 150, N=1, inputs="cross", need="heads", note="decode: one query")
    mha(g, "lengths", 12, 3, 3, N=4, attn=attn_float(three_d=True))
    mha(g, "lengths", 12, 3, 3, N=7, need="heads", batch_first=False)


def unbatched(g):
    for i, (attn, kpm) in enumerate(SMALL_MASKS):
        mha(g, "unbatched", 15, 3, 4, unbatched=True, attn=attn, kpm=kpm, need=NEED[i % 3],
            batch_first=i % 2 == 0, note="batch_first means nothing here")
    for i, (slot_k, slot_z) in enumerate(((True, False), (False, True), (True, True))):
        mha(g, "unbatched", 15, 5, 3, 6, inputs="qkv", unbatched=True, add_bias_kv=slot_k, add_zero_attn=slot_z,
            need=NEED[i], kpm=kpm_bool(), attn=attn_bool(three_d=True))
    mha(g, "unbatched", 15, 3, 6, unbatched=True, causal="top_left")
    mha(g, "unbatched", 15, 3, 1, unbatched=True, need="heads")
    mha(g, "unbatched", 15, 3, 3, unbatched=True, need="no", kpm=fill_kpm(ALL, True), note="all keys hidden")
    mha(g, "unbatched", 15, 3, 3, unbatched=True, need="heads", kpm=fill_kpm(ALL, True), note="all keys hidden")


def masks(g):
    """All kinds of attn_mask x all kinds of key_padding_mask x both softmax paths."""
    attns = (None, attn_bool(), attn_bool(True), attn_float(), attn_float(True), attn_float(inf=0.3),
             attn_float(True, inf=0.3))
    kpms = (None, kpm_bool(), kpm_float(), kpm_float(inf=0.3))
    i = 0
    for attn in attns:
        for kpm in kpms:
            if attn is None and kpm is None:
                continue
            for need in (("avg", "heads")[i % 2], "no"):
                mha(g, "masks", 15, 3, 5, 7, inputs="cross", need=need, attn=attn, kpm=kpm,
                    batch_first=i % 4 < 2, N=2)
            i += 1
    mha(g, "masks", 15, 5, 9, N=3, kpm=kpm_lengths(9, 4, 1), note="right padding")
    mha(g, "masks", 15, 5, 9, N=3, kpm=kpm_lengths(9, 4, 1), need="no", note="right padding")
    mha(g, "masks", 15, 5, 9, attn=lambda d: np.zeros(d.attn_shape(False), bool), note="a mask that hides nothing")
    mha(g, "masks", 15, 5, 9, attn=lambda d: ~np.eye(d.L, dtype=bool), need="heads", note="each query sees itself only")
    mha(g, "masks", 15, 3, 6, attn=lambda d: np.eye(d.L, dtype=bool), need="no", note="each query sees all but itself")
    alibi = lambda d: np.stack([-(2.0 ** -(h + 1)) * np.abs(np.arange(d.L)[:, None] - np.arange(d.S))
                                for _ in range(d.N) for h in range(d.H)]).astype(np.float32)
    mha(g, "masks", 16, 4, 7, attn=alibi, need="heads", note="ALiBi as a float mask")
    mha(g, "masks", 16, 4, 7, attn=alibi, need="no", causal="top_left", note="ALiBi and causal")


def fully_masked(g):
    """F1, F5: NaN rows where weights are asked for, zero attention where not; and F2, F3."""
    S, half = 6, 3
    ways = {
        "attn bool, all rows": dict(attn=fill(ALL, True)),
        "attn bool, some rows": dict(attn=fill(rows(1, 3), True)),
        "attn float -inf, all rows": dict(attn=fill(ALL, -np.inf)),
        "attn float -inf, some rows": dict(attn=fill(rows(0, 4), -np.inf, background=0.5)),
        "attn bool 3-D, one head of one entry": dict(attn=fill(np.s_[4], True, three_d=True)),
        "attn float 3-D, one row of one head": dict(attn=fill(np.s_[1, 2], -np.inf, three_d=True)),
        "kpm bool, all": dict(kpm=fill_kpm(ALL, True)),
        "kpm bool, entry 0": dict(kpm=fill_kpm(np.s_[0], True)),
        "kpm float -inf, entry 1": dict(kpm=fill_kpm(np.s_[1], -np.inf)),
        "both bool, only together": dict(attn=fill(keys(0, half), True), kpm=fill_kpm(np.s_[0, half:], True)),
        "both float, only together": dict(attn=fill((rows(2)[0], 2, slice(half, S)), -np.inf),
                                          kpm=fill_kpm(np.s_[:, :half], -np.inf)),
        "bool + float, only together": dict(attn=fill((Ellipsis, 3, slice(0, half)), True),
                                            kpm=fill_kpm(np.s_[1, half:], -np.inf)),
    }
    for i, (note, m) in enumerate(ways.items()):
        for need in NEED:
            mha(g, "fully_masked", 12, 3, 5, S, inputs="cross", need=need, note=note, batch_first=i % 2 == 0, **m)
    for slot_k, slot_z in ((True, False), (False, True), (True, True)):
        for need in NEED:
            for note in ("attn bool, all rows", "both bool, only together"):
                mha(g, "fully_masked", 12, 3, 5, S, inputs="cross", need=need, add_bias_kv=slot_k,
                    add_zero_attn=slot_z, note=note + "; the slot takes all the weight", **ways[note])
    mha(g, "fully_masked", 12, 3, 5, S, inputs="cross", need="no", bias=False, attn=fill(rows(1), True),
        note="no bias: the row is zero")
    mha(g, "fully_masked", 12, 3, 5, S, inputs="cross", need="avg", bias=False, attn=fill(rows(1), True),
        note="no bias: the row is NaN")


def huge_masks(g):
    """F4, F9: finite but huge. -1e9 on a whole row means the uniform mean, not a masked row."""
    for value in (-1e9, FLOAT32_MIN, -1e30):
        for need in NEED:
            mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need=need, attn=fill(ALL, value), note="every key of every row")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", attn=fill(rows(1, 2), value), note="every key of some rows")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need="no", attn=fill(keys(2, 5), value), note="some keys")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need="heads", kpm=fill_kpm(np.s_[0], value), note="kpm, one entry")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need="no", kpm=fill_kpm(np.s_[:, 1:4], value), note="kpm, some keys")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need="heads", attn=fill(ALL, value), add_bias_kv=True,
            note="the bias slot is left")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need="no", attn=fill(ALL, value), add_zero_attn=True,
            note="the zero slot is left")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need=("avg", "no")[value == -1e30], attn=fill(ALL, value),
            kpm=kpm_bool(), note="beside keys that are hidden: uniform over the rest")

    def plus_minus(d):
        return np.where(d.rng.random(d.attn_shape(False)) < 0.5, -1e30, 1e30).astype(np.float32)

    for need in NEED:
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need=need, attn=plus_minus, note="+-1e30")
        mha(g, "huge_masks", 12, 3, 4, 6, inputs="cross", need=need, attn=fill(keys(1, 3), 1e30), note="+1e30, two keys")


def causal(g):
    """By formula in heed, by explicit mask in PyTorch. Query i sees keys 0..i+offset."""
    i = 0
    for L, S in ((6, 6), (3, 8), (8, 3), (1, 5), (5, 1), (17, 17)):
        for kind in ("top_left", "bottom_right"):
            for need in ("no", ("avg", "heads")[i % 2]):
                mha(g, "causal", 12, 3, L, S, N=1 + i % 2, inputs="cross", need=need, causal=kind, batch_first=i % 3 > 0)
            i += 1
    for offset in (-2, 1, 3, 100, -100):
        for need in ("no", "avg"):
            mha(g, "causal", 12, 4, 5, 7, inputs="cross", need=need, causal="offset", offset=offset)
    for slot_k, slot_z in ((True, False), (False, True), (True, True)):
        for kind, offset in (("top_left", 0), ("bottom_right", 0), ("offset", -2)):
            mha(g, "causal", 12, 3, 5, 4, inputs="cross", need=NEED[i % 3], causal=kind, offset=offset,
                add_bias_kv=slot_k, add_zero_attn=slot_z, note="the extra slots stay visible")
            i += 1
    combos = (dict(kpm=kpm_bool()), dict(attn=attn_bool()), dict(attn=attn_float()),
              dict(attn=attn_float(True, inf=0.2), kpm=kpm_bool()), dict(attn=attn_bool(True), kpm=kpm_float()))
    for m in combos:
        mha(g, "causal", 12, 3, 5, need="no", causal="top_left", note="with masks; rows may end up fully masked", **m)
        mha(g, "causal", 12, 3, 4, 6, inputs="cross", need="avg", causal="bottom_right",
            note="with masks; rows may end up fully masked", **m)
    mha(g, "causal", 12, 3, 7, N=3, need="no", causal="top_left", kpm=kpm_lengths(7, 3, 5), note="right padding")
    mha(g, "causal", 12, 3, 7, N=2, need="no", causal="top_left", kpm=fill_kpm(np.s_[:, :3], True),
        note="left padding: the first rows see nothing")
    mha(g, "causal", 12, 3, 7, N=2, need="heads", causal="top_left", kpm=fill_kpm(np.s_[:, :3], True),
        note="left padding: the first rows see nothing")


def key_blocks(g):
    """S beyond 128 and 256: an online softmax must carry its maximum and sum across blocks."""
    def rising(query, key, value):  # the maximum moves up in every block
        key *= np.linspace(0.1, 3.0, key.shape[1], dtype=np.float32)[None, :, None]

    def falling(query, key, value):
        key *= np.linspace(3.0, 0.1, key.shape[1], dtype=np.float32)[None, :, None]

    def block(S, need="no", L=3, N=1, E=8, H=2, **kw):
        mha(g, "key_blocks", E, H, L, S, N=N, inputs="cross", need=need, **kw)

    for S in (127, 128, 129, 200, 255, 256, 257, 300):
        block(S)
        block(S, need=("avg", "heads")[S % 2], N=2 if S < 200 else 1, L=2)
    block(385, note="four blocks", L=2)
    block(300, edit=rising, note="the maximum rises")
    block(300, edit=rising, need="avg", note="the maximum rises")
    block(300, edit=falling, note="the maximum falls")
    block(300, kpm=fill_kpm(np.s_[:, :128], True), note="the first block is hidden")
    block(300, kpm=fill_kpm(np.s_[:, :140], True), need="avg", note="the first block is hidden")
    block(300, kpm=fill_kpm(np.s_[:, 128:], True), note="all but the first block is hidden")
    block(300, kpm=fill_kpm(np.s_[:, 128:256], True), note="the middle block is hidden")
    block(260, attn=fill((slice(0, 2), slice(0, 130)), -np.inf), note="first block -inf for two rows")
    block(260, attn=fill((slice(0, 2), slice(0, 130)), FLOAT32_MIN), note="first block finfo.min for two rows")
    block(260, attn=fill((slice(0, 2), slice(0, 130)), -1e9), note="first block -1e9 for two rows")
    block(260, attn=fill((slice(0, 2), slice(130, 260)), -1e9), note="second block -1e9 for two rows")
    block(260, attn=fill(ALL, -1e9), note="-1e9 everywhere: uniform")
    block(260, attn=fill(ALL, FLOAT32_MIN), need="avg", note="finfo.min everywhere: uniform")
    block(260, attn=fill(rows(1), True), note="one row fully masked")
    block(260, attn=fill(rows(1), True), need="avg", note="one row fully masked")
    block(200, attn=attn_bool(), kpm=kpm_float(), need="heads", L=2)
    block(200, N=2, kpm=kpm_lengths(200, 60), note="right padding, one entry ends in the first block")
    block(258, causal="bottom_right", L=5, need="avg")
    block(258, causal="top_left", L=5, note="only the first keys of the first block")
    block(258, causal="offset", offset=126, L=5, note="the boundary of a block among the rows")
    block(258, causal="offset", offset=254, L=5, need="avg", note="the boundary of a block among the rows")
    block(128, add_bias_kv=True, note="the slot is a block of its own")
    block(128, add_zero_attn=True, need="avg", note="the slot is a block of its own")
    block(127, add_bias_kv=True, add_zero_attn=True, note="the block boundary between the slots")
    block(256, add_bias_kv=True, add_zero_attn=True, need="avg", kpm=fill_kpm(ALL, True), note="only the slots are left")
    mha(g, "key_blocks", 4, 1, 140, N=1, need="no", causal="top_left", note="causal over two blocks")
    mha(g, "key_blocks", 8, 2, 3, 270, unbatched=True, inputs="cross", need="avg")
    mha(g, "key_blocks", 8, 2, 3, 140, N=2, inputs="qkv", kdim=6, vdim=5, need="no", batch_first=False)


def numerics(g):
    """Large scores, exact ties, Whisper's missing key bias."""
    def times8(query, key, value):
        query *= 8
        if key is not query:
            key *= 8

    def same_keys(query, key, value):
        key[:] = key[:, :1]

    def pairs(query, key, value):
        key[:, 1::2] = key[:, 0::2]

    def integers(query, key, value):
        for x in (query, key):
            np.round(x * 2, out=x)

    def zeros(query, key, value):
        query[:] = 0

    for need in NEED:
        mha(g, "numerics", 24, 3, 6, need=need, edit=times8, note="inputs x8")
        mha(g, "numerics", 24, 2, 4, 9, inputs="cross", need=need, edit=times8, kpm=kpm_bool(), note="inputs x8")
        mha(g, "numerics", 12, 3, 4, 6, inputs="qkv", need=need, edit=same_keys, note="all keys equal: exact ties")
        mha(g, "numerics", 12, 3, 4, 6, inputs="qkv", need=need, edit=pairs, note="keys equal in pairs")
        mha(g, "numerics", 32, 2, 5, need=need, flavour="whisper", note="Whisper: key bias zero")
    mha(g, "numerics", 32, 4, 3, 9, inputs="cross", need="no", flavour="whisper", note="Whisper, cross-attention")
    mha(g, "numerics", 32, 4, 6, need="no", flavour="whisper", causal="top_left", note="Whisper, decoder")
    mha(g, "numerics", 32, 4, 1, 9, N=1, inputs="cross", need="no", flavour="whisper", note="Whisper, decode")
    mha(g, "numerics", 24, 1, 4, 9, inputs="qkv", need="avg", edit=times8, bias=False, note="inputs x8, no bias")
    mha(g, "numerics", 12, 3, 4, 6, inputs="cross", need="heads", edit=zeros, note="query all zero")
    mha(g, "numerics", 12, 3, 4, 6, inputs="cross", need="heads", edit=zeros, bias=False, note="all scores zero")
    mha(g, "numerics", 12, 3, 4, 6, inputs="cross", need="no", edit=integers, bias=False, note="integer inputs")


def empty(g):
    """F15..F19: nothing to attend to, nothing asked, no batch."""
    for need in NEED:
        mha(g, "empty", 12, 3, 3, 0, inputs="cross", need=need, note="S = 0: the output is out_proj.bias, never NaN")
        mha(g, "empty", 12, 3, 0, 4, inputs="cross", need=need, note="L = 0")
        mha(g, "empty", 12, 3, 4, N=0, need=need, note="N = 0")
        mha(g, "empty", 12, 3, 0, 0, inputs="cross", need=need, note="L = S = 0")
    for slot_k, slot_z in ((True, False), (False, True), (True, True)):
        for need in ("avg", "no"):
            mha(g, "empty", 12, 3, 3, 0, inputs="cross", need=need, add_bias_kv=slot_k, add_zero_attn=slot_z,
                note="S = 0, but for the slots")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="avg", kpm=kpm_bool(), note="S = 0 with a kpm")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="no", kpm=kpm_bool(), torch_refuses=True,
        note="S = 0 with a kpm: PyTorch refuses (F17)")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="no", kpm=kpm_bool(), attn=attn_bool(), torch_refuses=True,
        note="S = 0 with both masks: PyTorch refuses (F17)")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="no", unbatched=True, kpm=kpm_bool(), torch_refuses=True,
        note="S = 0 with a kpm, unbatched: PyTorch refuses (F17)")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="avg", attn=attn_bool(), note="S = 0 with an attn_mask")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="no", attn=attn_float(), batch_first=False, note="S = 0 with an attn_mask")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="no", bias=False, note="S = 0, no bias: zeros")
    mha(g, "empty", 12, 3, 3, 0, inputs="cross", need="heads", unbatched=True, note="S = 0")
    mha(g, "empty", 12, 3, 0, 4, inputs="cross", need="avg", unbatched=True, note="L = 0")
    mha(g, "empty", 12, 3, 3, 0, inputs="qkv", need="no", kdim=10, note="S = 0, separate weights")
    mha(g, "empty", 12, 3, 0, 4, inputs="cross", need="no", batch_first=False, kpm=kpm_bool(), note="L = 0")
    mha(g, "empty", 12, 3, 3, 4, N=0, inputs="cross", need="heads", add_zero_attn=True, batch_first=False, note="N = 0")


# --------------------------------------------------------------------------
# SDPA cases. Masks here: bool True = participate (S1), any broadcast shape.
# --------------------------------------------------------------------------

SDPA_MASK_SHAPES = {
    "(L,S)": lambda d: (d.L, d.S),
    "(1,1,L,S)": lambda d: (1, 1, d.L, d.S),
    "(N,1,L,S)": lambda d: (d.N, 1, d.L, d.S),
    "(N,H,L,S)": lambda d: (d.N, d.H, d.L, d.S),
    "(N,1,1,S)": lambda d: (d.N, 1, 1, d.S),
    "(1,H,1,S)": lambda d: (1, d.H, 1, d.S),
}


def participate(shape, p=0.35):
    return lambda d: ~random_bool(d, SDPA_MASK_SHAPES[shape](d), p)


def added(shape, inf=0.0):
    return lambda d: random_float(d, SDPA_MASK_SHAPES[shape](d), inf)


def constant(shape, value, where=ALL, background=0.0):
    def make(d):
        m = np.full(SDPA_MASK_SHAPES[shape](d), background, bool if isinstance(value, bool) else np.float32)
        m[where] = value
        return m
    return make


def sdpa_shapes(g):
    for i, D in enumerate((1, 2, 3, 5, 8, 12, 16, 20, 36, 44, 64, 80, 128)):
        sdpa(g, "sdpa_shapes", 1 + i % 2, 1 + i % 3, 3, 5, D)
    for L, S in ((1, 1), (1, 9), (9, 1), (17, 17), (33, 5), (5, 33), (2, 130), (3, 257)):
        sdpa(g, "sdpa_shapes", 1, 2, L, S, 4)
    for D, Dv in ((4, 7), (8, 3), (16, 20), (5, 1), (1, 6)):
        sdpa(g, "sdpa_shapes", 2, 2, 4, 6, D, Dv=Dv, note="Dv != D")
    sdpa(g, "sdpa_shapes", 2, 2, 4, 6, 4, Dv=7, causal="top_left", note="Dv != D")


def sdpa_scales(g):
    for scale in (1.0, 0.5, 0.0, -0.3, -1.0, 3.0, 0.0625):
        sdpa(g, "sdpa_scales", 1, 3, 4, 6, 8, scale=scale, note="scale 0: the mean of V" if scale == 0 else "")
        sdpa(g, "sdpa_scales", 2, 2, 5, 5, 4, scale=scale, causal="top_left")
    sdpa(g, "sdpa_scales", 2, 2, 4, 6, 4, scale=0.0, mask=participate("(L,S)"))
    sdpa(g, "sdpa_scales", 2, 2, 4, 6, 4, scale=-0.7, mask=added("(N,1,L,S)", inf=0.2))


def sdpa_causal(g):
    for L, S in ((6, 6), (3, 8), (8, 3), (1, 5), (7, 5)):
        for kind in ("top_left", "bottom_right"):
            sdpa(g, "sdpa_causal", 1, 2, L, S, 4, causal=kind)
    for offset in (-2, 2, 50):
        sdpa(g, "sdpa_causal", 2, 2, 5, 7, 4, causal="offset", offset=offset)
    sdpa(g, "sdpa_causal", 2, 2, 5, 5, 4, causal="top_left", mask=participate("(N,1,1,S)"),
         note="with a mask; rows may end up fully masked")
    sdpa(g, "sdpa_causal", 2, 2, 5, 5, 4, causal="top_left", mask=added("(L,S)"), note="with a mask")
    sdpa(g, "sdpa_causal", 1, 1, 140, 140, 2, causal="top_left", note="over two key blocks")
    sdpa(g, "sdpa_causal", 1, 2, 4, 259, 4, causal="bottom_right", note="over three key blocks")


def sdpa_masks(g):
    for shape in SDPA_MASK_SHAPES:
        sdpa(g, "sdpa_masks", 2, 3, 4, 6, 5, mask=participate(shape), note=f"bool {shape}")
        sdpa(g, "sdpa_masks", 2, 3, 4, 6, 5, mask=added(shape), note=f"float {shape}")
        sdpa(g, "sdpa_masks", 2, 3, 4, 6, 5, mask=added(shape, inf=0.3), note=f"float with -inf {shape}")
    sdpa(g, "sdpa_masks", 1, 2, 3, 260, 4, mask=participate("(L,S)", 0.5), note="over key blocks")
    for value in (-1e9, FLOAT32_MIN, -1e30, 1e30):
        sdpa(g, "sdpa_masks", 1, 2, 3, 5, 4, mask=constant("(L,S)", value), note="huge everywhere: uniform")
        sdpa(g, "sdpa_masks", 1, 2, 3, 5, 4, mask=constant("(L,S)", value, keys(1, 3)), note="huge on two keys")


def sdpa_gqa(g):
    for H, Hk in ((2, 1), (4, 2), (6, 3), (6, 2), (3, 1), (7, 1), (14, 2), (5, 1), (8, 1)):
        sdpa(g, "sdpa_gqa", 2, H, 3, 5, 4, Hk=Hk)
        sdpa(g, "sdpa_gqa", 1, H, 4, 4, 3, Hk=Hk, causal="top_left")
    sdpa(g, "sdpa_gqa", 2, 6, 3, 5, 4, Hk=2, mask=participate("(N,H,L,S)"))
    sdpa(g, "sdpa_gqa", 2, 6, 3, 5, 4, Hk=2, mask=added("(1,H,1,S)"))
    sdpa(g, "sdpa_gqa", 2, 6, 3, 5, 4, Hk=3, mask=participate("(N,1,1,S)"), scale=0.7)
    sdpa(g, "sdpa_gqa", 2, 4, 3, 5, 4, Hk=2, Dv=6, causal="bottom_right", note="Dv != D")
    sdpa(g, "sdpa_gqa", 1, 7, 1, 150, 4, Hk=1, note="multi-query decode")


def sdpa_fully_masked(g):
    """S2: the attention is zero."""
    sdpa(g, "sdpa_fully_masked", 2, 2, 4, 6, 4, mask=constant("(L,S)", False))
    sdpa(g, "sdpa_fully_masked", 2, 2, 4, 6, 4, mask=constant("(L,S)", -np.inf))
    sdpa(g, "sdpa_fully_masked", 2, 2, 4, 6, 4, mask=constant("(L,S)", False, rows(1, 2), True))
    sdpa(g, "sdpa_fully_masked", 2, 2, 4, 6, 4, mask=constant("(1,1,L,S)", -np.inf, rows(0, 3)))
    sdpa(g, "sdpa_fully_masked", 2, 2, 4, 6, 4, mask=constant("(N,1,1,S)", False, np.s_[1], True))
    sdpa(g, "sdpa_fully_masked", 2, 2, 4, 6, 4, mask=constant("(1,H,1,S)", -np.inf, np.s_[:, 0]))
    sdpa(g, "sdpa_fully_masked", 2, 4, 3, 6, 4, Hk=2, mask=constant("(N,H,L,S)", False, np.s_[0, 3, 1], True))
    sdpa(g, "sdpa_fully_masked", 1, 2, 3, 260, 4, mask=constant("(L,S)", False, rows(1), True))
    sdpa(g, "sdpa_fully_masked", 1, 2, 3, 5, 4, Dv=7, mask=constant("(L,S)", False, rows(1), True))


def sdpa_empty(g):
    """S8."""
    sdpa(g, "sdpa_empty", 2, 2, 3, 0, 4, note="S = 0: zeros")
    sdpa(g, "sdpa_empty", 2, 2, 0, 3, 4, note="L = 0")
    sdpa(g, "sdpa_empty", 2, 2, 0, 0, 4, note="L = S = 0")
    sdpa(g, "sdpa_empty", 0, 2, 3, 3, 4, note="N = 0")
    sdpa(g, "sdpa_empty", 2, 4, 3, 0, 4, Hk=2, note="S = 0: zeros")
    sdpa(g, "sdpa_empty", 1, 2, 3, 0, 4, mask=participate("(L,S)"), note="S = 0: zeros")


BUILDERS = (head_dims, option_lattice, separate_dims, which_inputs, lengths, unbatched, masks, fully_masked,
            huge_masks, causal, key_blocks, numerics, empty,
            sdpa_shapes, sdpa_scales, sdpa_causal, sdpa_masks, sdpa_gqa, sdpa_fully_masked, sdpa_empty)


# --------------------------------------------------------------------------
# The file.
# --------------------------------------------------------------------------

DTYPES = {"float64": "F64", "float32": "F32", "bool": "BOOL"}  # in order of descending alignment


def write_safetensors(path, tensors, metadata):
    """As the safetensors library lays it out. By hand because the library writes the
    metadata in hash order, and the same cases should give the same bytes."""
    order = sorted(tensors, key=lambda n: (list(DTYPES).index(tensors[n].dtype.name), n))
    header, offset = {"__metadata__": metadata}, 0
    for name in order:
        x = tensors[name]
        header[name] = {"dtype": DTYPES[x.dtype.name], "shape": list(x.shape), "data_offsets": [offset, offset + x.nbytes]}
        offset += x.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            f.write(np.ascontiguousarray(tensors[name]).tobytes())


def validate(path, g):
    """Read it back: the container tiles and is aligned, the library opens it, nothing is missing or extra."""
    from safetensors import safe_open
    with open(path, "rb") as f:
        blob = f.read()
    n = struct.unpack("<Q", blob[:8])[0]
    header = json.loads(blob[8:8 + n])
    header.pop("__metadata__")
    assert n % 8 == 0
    end = 0
    for name, t in sorted(header.items(), key=lambda kv: kv[1]["data_offsets"]):
        size = {"F64": 8, "F32": 4, "BOOL": 1}[t["dtype"]]
        a, b = t["data_offsets"]
        assert a == end and a % size == 0 and b - a == size * math.prod(t["shape"]), name
        end = b
    assert 8 + n + end == len(blob)

    with safe_open(path, "numpy") as f:
        meta, names = f.metadata(), set(f.keys())
        assert names == set(g.tensors)
        for name in names:
            np.testing.assert_array_equal(f.get_tensor(name), g.tensors[name], err_msg=name)
    cases = json.loads(meta["cases"])
    assert cases == g.cases and all(type(v) is str for v in meta.values())
    expected = set()
    for c in cases:
        present = {x for x in ("query", "key", "value", "attn_mask", "key_padding_mask", "output", "weights")
                   if f"{c['id']}/{x}" in names}
        assert {"query", "output"} <= present and ("weights" in present) == c["need_weights"]
        assert c["op"] == "mha" or {"key", "value"} <= present
        expected |= {f"{c['id']}/{x}" for x in present}
        if c["op"] == "mha":
            shape = {x: g.tensors[f"{c['id']}/{x}"].shape for x in present}
            N, L, E, H = c["batch"], c["query_len"], c["embed_dim"], c["num_heads"]
            S = c["key_len"] + c["add_bias_kv"] + c["add_zero_attn"]
            io = (L, E) if c["unbatched"] else (N, L, E) if c["batch_first"] else (L, N, E)
            assert shape["query"] == shape["output"] == io, c
            if "weights" in present:
                lead = (() if c["unbatched"] else (N,)) + (() if c["average_attn_weights"] else (H,))
                assert shape["weights"] == lead + (L, S), c
    for wid, w in g.weight_sets.items():
        expected |= {f"{wid}/{k}" for k in w}
    assert expected == names
    return len(blob), n


def mask_kind(g, case, name):
    x = g.tensors.get(f"{case['id']}/{name}")
    if x is None:
        return "none"
    inf = " -inf" if x.dtype != bool and np.isneginf(x).any() else ""
    return f"{'bool' if x.dtype == bool else 'float'}{inf} {x.ndim}-D"


def print_coverage(g):
    for op in ("mha", "sdpa"):
        cases = [c for c in g.cases if c["op"] == op]
        print(f"\n== {op}: {len(cases)} cases")

        def row(what, values):
            count = Counter(values)
            ordered = sorted(count, key=lambda v: (str(type(v)), v))
            print(f"{what:22}" + "  ".join(f"{v}:{count[v]}" for v in ordered))

        def field(name):
            row(name, [str(c[name]) if c[name] is None or type(c[name]) is bool else c[name] for c in cases])

        for name in ("group", "head_dim", "num_heads", "batch", "query_len", "key_len", "causal", "fully_masked"):
            field(name)
        row("attn_mask", [mask_kind(g, c, "attn_mask") for c in cases])
        row("has fully masked rows", [f"{c['fully_masked']}" for c in cases if c["fully_masked_rows"]])
        row("S > 128", ["yes" if c["key_len"] > 256 else "no" for c in cases if c["key_len"] > 128])
        row("by_hand", [str(c["by_hand"]) for c in cases])
        if op == "mha":
            for name in ("bias", "add_bias_kv", "add_zero_attn", "batch_first", "unbatched", "kdim", "vdim",
                         "need_weights"):
                field(name)
            row("weights", ["none" if not c["need_weights"] else "averaged" if c["average_attn_weights"] else "per head"
                            for c in cases])
            row("key_padding_mask", [mask_kind(g, c, "key_padding_mask") for c in cases])
            row("both masks", [f"{mask_kind(g, c, 'attn_mask')[:4]}+{mask_kind(g, c, 'key_padding_mask')[:4]}" for c in cases
                               if "none" not in (mask_kind(g, c, "attn_mask"), mask_kind(g, c, "key_padding_mask"))])
            row("inputs", [("key is query" if f"{c['id']}/key" not in g.tensors else "own key") + ", " +
                           ("value is key" if f"{c['id']}/value" not in g.tensors else "own value") for c in cases])
        else:
            for name in ("v_head_dim", "scale", "num_kv_heads", "enable_gqa"):
                field(name)
        worst = max(c["torch_error_output"] or 0.0 for c in cases)
        print(f"{'torch_error_output':22}max {worst:.2e}")


def main(path):
    if torch.__version__.split("+")[0] != EXPECTED_TORCH:
        sys.exit(f"torch {EXPECTED_TORCH} is wanted, this is {torch.__version__}")
    start = time.time()
    g = Golden()
    for build in BUILDERS:
        build(g)
    metadata = {"cases": json.dumps(g.cases, separators=(",", ":"), allow_nan=False),
                "torch_version": torch.__version__}
    write_safetensors(path, g.tensors, metadata)
    size, header = validate(path, g)
    print_coverage(g)
    weights = sum(x.nbytes for n, x in g.tensors.items() if n[0] == "w")
    print(f"\n{path}: {len(g.cases)} cases, {len(g.weight_sets)} weight sets ({weights} bytes), {len(g.tensors)} tensors, "
          f"{size} bytes (header {header}), {time.time() - start:.0f} s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
