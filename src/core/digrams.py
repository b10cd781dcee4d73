#!/usr/bin/env python3
"""Finds the pairs of bytes that shorten the sentences most, and writes digrams.inc.

Any table is right, for the compiler packs with what it finds; run this again when sentences have
become many others. Which byte is which says message.cpp.
"""
import collections
import pathlib
import re

here = pathlib.Path(__file__).parent
rules = (here / "../../include/heed/rules.hpp").read_text()
own = (here / "sentences.inc").read_text()
rules = re.search(r"kTexts\[\] = {(.*?)};", rules, re.S).group(1)
texts = re.findall(r'"(.*)"', rules) + re.findall(r'^HEED_SENTENCE\(.*?, "(.*)"\)$', own, re.M)
words = "nsStud"
first = len(words) + 1 + 1 + ord("z") - ord(" ")
spelled = [""] + ["%" + word for word in words] + [chr(c) for c in range(ord(" "), ord("z") + 1)]


def encode(text):
    return [spelled.index(part) for part in re.findall("%.|.", text.replace('\\"', '"'))]


sentences = [encode(text) for text in texts]


def most_common():
    counts = collections.Counter()
    for s in sentences:
        counted = None  # of aaa, only one pair can be replaced
        for pair in zip(s, s[1:]):
            counts[pair] += pair != counted
            counted = None if pair == counted else pair
    return min(counts, key=lambda pair: (-counts[pair], pair))


def replace(s, pair, byte):
    out = []
    while s:
        found = tuple(s[:2]) == pair
        out.append(byte if found else s[0])
        s = s[1 + found:]
    return out


lines = []
for byte in range(first, 256):
    pair = most_common()
    sentences = [replace(s, pair, byte) for s in sentences]
    spelled.append(spelled[pair[0]] + spelled[pair[1]])
    lines.append(f"{{{pair[0]}, {pair[1]}}},  // {byte}: {spelled[byte].replace(' ', '_')}")
(here / "digrams.inc").write_text("// Written by digrams.py.\n" + "\n".join(lines) + "\n")
