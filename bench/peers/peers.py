"""PyTorch and heed in turn, on one core, one thread, the same numbers: ./dev bench peers

    python peers.py HEED_PEER OUT.json OUT.md [NAME...]      (torch==2.13.0, numpy)

nn.MultiheadAttention in eval mode and F.scaled_dot_product_attention, under inference_mode. Both are
timed by their thread's CPU time, in blocks of calls that take turns, so that both see the same
machine; a ratio is the median over the pairs of blocks. Answers are compared before anything is timed.
"""
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import torch
import torch.nn.functional as F

BLOCK_SECONDS, CASE_SECONDS, PAIRS, FEWEST_PAIRS = 0.02, 4.0, 25, 5
TOLERANCE = 1e-4


class Peer:
    """heed at the other end of a pipe."""

    def __init__(self, program, folder):
        self.folder = folder
        self.process = subprocess.Popen([program, "serve", folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"peers: heed_peer ended at: {line}")
        return answer

    def run(self, calls):
        return float(self.say(f"run {calls}"))

    def tensor(self, name, *shape):
        return torch.from_numpy(numpy.fromfile(f"{self.folder}/{name}.f32", numpy.float32).reshape(shape))

    def bools(self, name, *shape):
        return torch.from_numpy(numpy.fromfile(f"{self.folder}/{name}.u8", numpy.uint8).reshape(shape) != 0)


def keys(case, entry):
    """Keys that take part, as cases.hpp counts them."""
    return 17 + entry * (case["length"] - 17) // (case["batch"] - 1)


def module_call(case, peer):
    n, h, l = case["batch"], case["num_heads"], case["length"]
    e, extra = h * case["head_dim"], case["extra"]
    mha = torch.nn.MultiheadAttention(e, h, batch_first=True).eval()
    with torch.no_grad():
        mha.in_proj_weight.copy_(peer.tensor("in_proj_weight", 3 * e, e))
        mha.in_proj_bias.copy_(peer.tensor("in_proj_bias", 3 * e))
        mha.out_proj.weight.copy_(peer.tensor("out_proj_weight", e, e))
        mha.out_proj.bias.copy_(peer.tensor("out_proj_bias", e))
    x = peer.tensor("x", n, l, e)
    options = {"need_weights": extra in ("weights", "head_weights"), "average_attn_weights": extra != "head_weights"}
    if extra == "causal":
        options |= {"attn_mask": torch.ones(l, l, dtype=torch.bool).triu(1), "is_causal": True}
    if extra == "bool_mask":
        options["attn_mask"] = peer.bools("bool_mask", l, l)
    if extra == "float_mask":
        options["attn_mask"] = peer.tensor("float_mask", l, l)
    if extra in ("padded", "key_padding"):
        options["key_padding_mask"] = peer.bools("padding", n, l)
    if extra not in ("apart", "ragged"):
        return lambda: mha(x, x, x, **options)[0]
    entries = [(x[i, :keys(case, i)] if extra == "ragged" else x[i], x[i, :keys(case, i)]) for i in range(n)]
    return lambda: [mha(q, k, k, **options)[0] for q, k in entries]


def sdpa_call(case, peer):
    shape = case["batch"], case["num_heads"], case["length"], case["head_dim"]
    q, k, v = (peer.tensor(name, *shape) for name in "qkv")
    causal = case["extra"] == "causal"
    return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal)


def difference(case, peer, answer):
    n, h, l, d = case["batch"], case["num_heads"], case["length"], case["head_dim"]
    peer.say("output")
    if case["sdpa"]:
        return float((answer - peer.tensor("output", n, h, l, d)).abs().max())
    output = peer.tensor("output", n, l, h * d)
    pairs = zip(answer, output) if isinstance(answer, list) else [(answer, output)]
    return max(float((a - o[:len(a)]).abs().max()) for a, o in pairs)


def seconds(call, calls):
    start = time.thread_time()
    for _ in range(calls):
        call()
    return time.thread_time() - start


def block(run):
    """So many calls that a block is long enough to be timed."""
    calls = 1
    while (took := run(calls)) < BLOCK_SECONDS / 4:
        calls *= 2
    return max(1, round(BLOCK_SECONDS / (took / calls)))


def measure(case, peer):
    arch = peer.say("case " + case["name"])
    call = (sdpa_call if case["sdpa"] else module_call)(case, peer)
    error = difference(case, peer, call())
    if not error < TOLERANCE:
        raise SystemExit(f"peers: {case['name']}: heed and PyTorch differ by {error}")
    runs = {"heed": peer.run, "torch": lambda calls: seconds(call, calls)}
    calls = {name: block(run) for name, run in runs.items()}
    times = {name: [] for name in runs}
    begin = time.monotonic()
    for pair in range(PAIRS):
        if pair >= FEWEST_PAIRS and time.monotonic() - begin > CASE_SECONDS:
            break
        for name in sorted(runs, reverse=pair % 2 == 1):  # who goes first takes turns, too
            times[name].append(runs[name](calls[name]) / calls[name])
    ratios = [t / h for t, h in zip(times["torch"], times["heed"])]
    quartiles = statistics.quantiles(ratios, n=4)
    return {"name": case["name"], "arch": arch, "ratio": statistics.median(ratios), "ratio_low": quartiles[0],
            "ratio_high": quartiles[2], "pairs": len(ratios), "heed_seconds": statistics.median(times["heed"]),
            "torch_seconds": statistics.median(times["torch"]), "difference": error}


def cpu():
    with open("/proc/cpuinfo") as file:
        names = [line.split(": ", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def markdown(result):
    lines = [result["card"], "",
             "| case | heed, us | PyTorch, us | PyTorch's time / heed's | middle half of the pairs |",
             "|---|--:|--:|--:|--:|"]
    for c in result["cases"]:
        lines.append(f"| {c['name']} | {c['heed_seconds'] * 1e6:.2f} | {c['torch_seconds'] * 1e6:.2f} | "
                     f"{c['ratio']:.2f} | {c['ratio_low']:.2f} to {c['ratio_high']:.2f} |")
    return "\n".join(lines) + "\n"


def main(program, out_json, out_markdown, *names):
    torch.set_num_threads(1)
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    cases = json.loads(subprocess.run([program, "list"], check=True, capture_output=True, text=True).stdout)
    unknown = set(names) - {case["name"] for case in cases}
    if unknown:
        raise SystemExit(f"peers: there is no case {', '.join(sorted(unknown))}")
    result = {"torch": torch.__version__, "cpu": cpu(), "core": core,
              "capability": torch.backends.cpu.get_cpu_capability(), "cases": []}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        peer = Peer(program, folder)
        for case in cases:
            if names and case["name"] not in names:
                continue
            row = measure(case, peer)
            result["cases"].append(row)
            print(f"{row['name']:24} heed {row['heed_seconds'] * 1e6:12.2f} us   PyTorch "
                  f"{row['torch_seconds'] * 1e6:12.2f} us   ratio {row['ratio']:.2f}", flush=True)
    arch = result["cases"][0]["arch"]
    result["card"] = (f"PyTorch {result['torch']} ({result['capability']}) and heed ({arch}) in turn, one thread, "
                      f"{result['cpu']}, {time.strftime('%Y-%m-%d', time.gmtime())}.")
    with open(out_json, "w") as file:
        json.dump(result, file, indent=1)
    with open(out_markdown, "w") as file:
        file.write(markdown(result))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
