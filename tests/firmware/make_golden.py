#!/usr/bin/env python3
"""Writes what PyTorch answers as C headers, for programs without files:

    python3 tests/firmware/make_golden.py          (in heed's root; nothing but Python)

  examples/firmware/lecture_module.h   from tests/data/lecture.safetensors
  tests/firmware/golden_subset.h       from tests/golden/golden.safetensors, the cases below

Afterwards tests/firmware/golden.cpp knows another hash: the program prints it.
"""
import json
import math
import struct

CASES = {
    "087": "odd head_dim, float masks of both kinds",
    "093": "separate kdim and vdim, bool mask per head",
    "122": "bias_k, bias_v and the zero slot, masks of both kinds",
    "129": "no bias, kdim and vdim given",
    "164": "unbatched",
    "180": "one query",
    "212": "padding, averaged weights",
    "309": "rows that see nothing",
    "390": "masks of +-1e30",
    "415": "rows that see nothing are NaN",
    "420": "causal with a negative offset",
    "450": "causal and left padding",
    "456": "two key blocks",
}
FORMATS = {"F32": "f", "F64": "d", "BOOL": "B"}
CAUSAL = {"none": 0, "top_left": 1, "bottom_right": 2, "offset": 3}
WIDTH = 118


class File:
    """A safetensors file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            self.header = json.loads(file.read(size))
            self.data = file.read()

    def values(self, name):
        begin, end = self.header[name]["data_offsets"]
        form = FORMATS[self.header[name]["dtype"]]
        return struct.unpack(f"<{(end - begin) // struct.calcsize(form)}{form}", self.data[begin:end])


def literal(x):
    """The shortest decimal that is this float32."""
    if math.isnan(x):
        return "kNan"
    if math.isinf(x):
        return "kInf" if x > 0 else "-kInf"
    nearest = struct.unpack("f", struct.pack("f", x))[0]
    for digits in range(1, 10):
        text = f"{x:.{digits}g}"
        if struct.unpack("f", struct.pack("f", float(text)))[0] == nearest:
            break
    if "." not in text and "e" not in text:
        text += ".0"
    return text.replace("0.", ".", 1) + "f" if text.startswith(("0.", "-0.")) else text + "f"


def array(kind, name, texts):
    lines, line = [f"static const {kind} {name}[] = {{"], ""
    for text in texts:
        if len(line) + len(text) > WIDTH:
            lines.append(line)
            line = ""
        line += text + ","
    return "\n".join(lines + [line + "};", ""])


def lecture():
    file = File("tests/data/lecture.safetensors")
    names = {"in_proj_weight": "in_proj_weight", "in_proj_bias": "in_proj_bias", "out_proj.weight": "out_proj_weight",
             "out_proj.bias": "out_proj_bias", "X": "tokens", "attn_output": "torch_output",
             "attn_weights": "torch_weights"}
    text = ("/* lecture_module.h - torch.manual_seed(0), the state_dict of nn.MultiheadAttention(8, 2, batch_first=True),\n"
            " * tokens = torch.rand(1, 4, 8), and PyTorch's answer. Made by tests/firmware/make_golden.py. */\n")
    for tensor, name in names.items():
        text += array("float", name, map(literal, file.values(tensor)))
    return text


class Subset:
    """golden_subset.h in the making: arrays that cases share, then the cases."""

    def __init__(self):
        self.file = File("tests/golden/golden.safetensors")
        self.arrays = {}

    def tensor(self, name):
        if name not in self.file.header:
            return "{}"
        info, values = self.file.header[name], self.file.values(name)
        c_name = "t" + name.replace("/", "_").replace(".", "_")
        is_bool = info["dtype"] == "BOOL"
        if name not in self.arrays:
            kind, texts = ("bool", map(str, values)) if is_bool else ("float", map(literal, values))
            self.arrays[name] = array(kind, c_name, texts)
        shape = ", ".join(map(str, info["shape"]))
        return f"{{{c_name}, {str(is_bool).lower()}, {len(info['shape'])}, {{{shape}}}}}"

    def case(self, c):
        flags = ["bias", "add_bias_kv", "add_zero_attn", "batch_first", "need_weights", "average_attn_weights"]
        sizes = [c["embed_dim"], c["num_heads"], c["kdim"] or 0, c["vdim"] or 0, c["batch"], c["query_len"], c["key_len"]]
        numbers = sizes + [str(c[f]).lower() for f in flags]
        numbers += [CAUSAL[c["causal"]], c["causal_offset"], int(c["fully_masked"] == "nan")]
        weights = ["in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k",
                   "bias_v", "out_proj.weight", "out_proj.bias"]
        tensors = [f"{c['weights']}/{w}" for w in weights]
        tensors += [f"{c['id']}/{t}" for t in ("query", "key", "value", "key_padding_mask", "attn_mask", "output", "weights")]
        return (f'    {{"{c["id"]} {CASES[c["id"]]}", {", ".join(map(str, numbers))},\n     '
                + ",\n     ".join(map(self.tensor, tensors)) + "},\n")

    def text(self):
        cases = {c["id"]: c for c in json.loads(self.file.header["__metadata__"]["cases"])}
        rows = "".join(self.case(cases[i]) for i in CASES)
        return ("// golden_subset.h - some of tests/golden for programs without files, the answers rounded to float32.\n"
                "// Made by make_golden.py.\n"
                + "".join(self.arrays.values()) + "\nstatic const Case kCases[] = {\n" + rows + "};\n")


def main():
    for path, text in (("examples/firmware/lecture_module.h", lecture()),
                       ("tests/firmware/golden_subset.h", Subset().text())):
        with open(path, "w") as file:
            file.write(text)
        print(f"{path}: {len(text)} bytes")


main()
