"""mutations.py - which small faults can be put into a line of C++: (column, what is there, what comes instead).

Lines are looked at one by one, by spelling: this repository writes binary operators between spaces. What does
not compile afterwards does not count, so an operator may propose nonsense.
"""
import re

# One fault each; for < and > both the edge and the reverse.
PAIRS = [
    (" < ", " <= "), (" < ", " >= "), (" <= ", " < "), (" <= ", " > "), (" > ", " >= "), (" > ", " <= "),
    (" >= ", " > "), (" >= ", " < "), (" == ", " != "), (" != ", " == "), (" && ", " || "), (" || ", " && "),
    (" + ", " - "), (" - ", " + "), (" * ", " / "), (" / ", " * "), (" % ", " / "), (" += ", " -= "), (" -= ", " += "),
    (" << ", " >> "), (" >> ", " << "), (" & ", " | "), (" | ", " & "), (" |= ", " &= "),
    ("S::max(", "S::min("), ("S::min(", "S::max("), ("true", "false"), ("false", "true"), ("continue;", "break;"),
    ("S::add(", "S::sub("), ("S::sub(", "S::add("), ("S::if_less(", "S::if_equal("),
]
STATUSES = {"HEED_ERROR_": "HEED_ERROR_NULL", "Status::": "Status::bad_value"}
DECLARATION = re.compile(r"^\s*(const|constexpr|static|inline|using|template|struct|class|enum|return|if|for|while|else|do|"
                         r"case|default|public|private|namespace|extern|goto|switch|typename|alignas|unsigned|"
                         r"std::\w+|uint\w+|size_t|ptrdiff_t|float|double|bool|int|char|auto|void|V|S)\b")
STATEMENT = re.compile(r"^\s*[\w.\->\[\]():*&+]+( [-+|&^*/%]?= |\(|\+\+|--|;).*;$|^\s*(\+\+|--)[\w.>-]+;$|^\s*(break|continue|return);$")
NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-f]+u?|\d+u?(?:ul)?|\d+\.\d+f)(?![\w.])")
WORD = re.compile(r"\w")


def blanked(line):
    """The line with what is no code replaced by as many spaces."""
    if line.lstrip().startswith(("#", "static_assert", "//", "///")) or re.search("prefetch|ahead", line, re.I):
        return " " * len(line)  # what is fetched ahead changes no answer
    line = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'', lambda m: " " * len(m.group()), line)
    return re.sub(r"//.*|/\*.*?\*/", lambda m: " " * len(m.group()), line)


def is_least_or_most(code, start, end):
    """Is the comparison there that of a < b ? a : b, of integers? That is the same at the edge. Casts set aside."""
    if "int32_t" not in code:
        return False
    a, rest = (re.sub(r"\bu?int32_t\(([\w.]+)\)", r"\1", part) for part in (code[:start], code[end:]))
    a, rest = re.search(r"[\w.]*$", a).group(), re.match(r"([\w.]+) \? ([\w.]+) : ([\w.]+)\b(?![(\[])", rest)
    return bool(a and rest) and {a, rest.group(1)} == {rest.group(2), rest.group(3)}


def other_number(text):
    """One more; a float: another one of the same size."""
    if "." in text:
        return "1.0f" if text == "0.0f" else f"{float(text[:-1]) * 2}f"
    digits, suffix = re.match(r"(0x[0-9a-f]+|\d+)(u?l?)", text).groups()
    return (hex(int(digits, 16) + 1) if digits.startswith("0x") else str(int(digits) + 1)) + suffix


def of_words(code):
    """Operators, words and statuses."""
    for old, new in PAIRS:
        for m in re.finditer(re.escape(old), code):
            before, after = code[:m.start()], code[m.end():]
            word = WORD.match(old[0]) and (WORD.search(before[-1:]) or WORD.search(after[:1]))
            if old == " < " and new == " <= " and "HEED_UNROLL for" in before:
                continue  # its bound is an array's: one more is undefined, and compilers leave it out
            if old.strip() in ("<", ">") and new.strip() in ("<=", ">=") and is_least_or_most(code, m.start(), m.end()):
                continue
            if not word and not re.search(r"(template|operator)$", before):
                yield m.start(), old, new
    for m in re.finditer(r"HEED_ERROR_\w+|Status::\w+", code):
        new = next(s for prefix, s in STATUSES.items() if m.group().startswith(prefix))
        yield m.start(), m.group(), new if m.group() != new else new.replace("NULL", "DTYPE").replace("value", "name")


def of_code(code):
    """Numbers, negations, whole statements."""
    for m in NUMBER.finditer(code):
        yield m.start(), m.group(), other_number(m.group())
        if re.fullmatch(r"[1-9]\d*u?", m.group()):
            yield m.start(), m.group(), str(int(m.group().rstrip("u")) - 1) + "u" * m.group().endswith("u")
    for m in re.finditer(r"!(?=[\w(])", code):
        yield m.start(), "!", ""
    if STATEMENT.match(code) and not DECLARATION.match(code) and code.count("(") == code.count(")"):
        start = len(code) - len(code.lstrip())
        yield start, code[start:].rstrip(), ";"
    m = re.match(r"^\s*(?:\} )?(?:else )?if \((?!constexpr)(.*)\) (return|continue|break|\w+ = )", code)
    if m and m.group(1).count("(") == m.group(1).count(")"):
        yield m.start(1), m.group(1), "false"


def mutations(lines):
    """(line index, mutated line, the line with {what was => what is}) of a file's lines, in order."""
    for index, line in enumerate(lines):
        code = blanked(line)
        for at, old, new in sorted(set([*of_words(code), *of_code(code)])):
            if line[at:at + len(old)] != old:
                continue  # a string lies inside
            end = at + len(old)
            front, back = line[:at] + " " * (old[0] == " "), " " * (old[-1] == " ") + line[end:len(code.rstrip())]
            marked = f"{front}{{{old.strip()} => {new.strip()}}}{back}".strip()
            yield index, line[:at] + new + line[end:], re.sub(r"\s+", " ", marked)
